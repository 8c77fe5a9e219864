//! Folders of TOML files, read as plain tables.

use crate::step::{Outcome, workspace};
use std::fs;
use std::path::Path;
use toml::{Table, Value};

/// Every file of a folder that ends in `.toml`, by name.
///
/// # Errors
///
/// If one cannot be read or is not TOML.
pub(crate) fn tables(folder: &str) -> Outcome<Vec<(String, Table)>> {
    let folder = workspace().join(folder);
    let unreadable = |reason| format!("cannot read {folder:?}: {reason}");
    let mut tables = Vec::new();
    for entry in fs::read_dir(&folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            tables.push((name, table(&path)?));
        }
    }
    tables.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(tables)
}

/// One file.
///
/// # Errors
///
/// If it cannot be read or is not TOML.
pub(crate) fn table(path: &Path) -> Outcome<Table> {
    let text = fs::read_to_string(path).map_err(|reason| format!("{path:?}: {reason}"))?;
    text.parse().map_err(|reason| format!("{path:?}: {reason}"))
}

/// The text in a field.
///
/// # Errors
///
/// If the field is missing or is not text.
pub(crate) fn text(table: &Table, field: &str) -> Outcome<String> {
    let text = table.get(field).and_then(Value::as_str).map(String::from);
    text.ok_or_else(|| format!("a file has no text in its field \"{field}\""))
}
