//! Measurements as files: numbers in a table, and beside it where they come from.

use crate::machine;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// One number of one run.
pub(crate) struct Measurement {
    pub program: &'static str,
    /// What was measured: `pp512`, `tg64`, `first_token`.
    pub test: String,
    pub round: usize,
    pub value: f64,
    pub unit: &'static str,
}

/// Writes `folder/machine/DATE-NAME.csv` and, beside it, `.txt`; returns the path of the first.
///
/// # Errors
///
/// If a folder or file cannot be made.
pub(crate) fn write(
    folder: &Path,
    machine: &str,
    name: &str,
    measurements: &[Measurement],
    provenance: &str,
) -> io::Result<PathBuf> {
    let folder = folder.join(machine);
    fs::create_dir_all(&folder)?;
    let date = machine::output("date", &["-u", "+%Y-%m-%dT%H%M%SZ"]);
    let table = folder.join(format!("{date}-{name}.csv"));
    fs::write(&table, csv(measurements))?;
    fs::write(folder.join(format!("{date}-{name}.txt")), provenance)?;
    Ok(table)
}

fn csv(measurements: &[Measurement]) -> String {
    let mut text = String::from("program,test,round,value,unit\n");
    for Measurement { program, test, round, value, unit } in measurements {
        let _ = writeln!(text, "{program},{test},{round},{value:.4},{unit}");
    }
    text
}
