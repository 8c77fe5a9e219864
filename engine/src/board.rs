//! Which board is meant.

use crate::error::{Class, EngineError, Outcome};
use dram_boards::{Board, Catalog, Evidence, Identity, Match};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

/// The board of a name or of a TOML file, else the one that a machine is.
///
/// # Errors
///
/// [`Class::Missing`] if there is no such board or file, [`Class::BadFile`] if the file does not
/// describe a board. Without a request `None` means a machine of an architecture that no board has.
pub fn select<'a>(
    catalog: &'a mut Catalog,
    request: Option<&OsStr>,
    identity: &'a Identity,
) -> Outcome<Option<Match<'a>>> {
    let Some(request) = request else { return Ok(catalog.detect(identity)) };
    let name = request.to_str().filter(|name| catalog.named(name).is_some());
    let board = match name {
        Some(name) => catalog.named(name),
        None => Some(catalog.add(read(request.as_ref())?)),
    };
    Ok(board.map(|board| Match { board, evidence: Evidence::Request }))
}

/// A board's file.
fn read(path: &Path) -> Outcome<Board> {
    if !path.is_file() {
        let message =
            format!("no board or file \"{}\"; `dram boards` lists boards", path.display());
        return Err(EngineError::new(Class::Missing, message));
    }
    let bad = |reason: String| EngineError::new(Class::BadFile, reason).about(path.display());
    let text = fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    let id = path.file_stem().unwrap_or_default().to_string_lossy();
    Board::parse(&id, &text).map_err(|error| bad(error.to_string()))
}
