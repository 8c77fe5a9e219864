//! Measurements as files: numbers in a table, and beside it where they come from.

use crate::machine;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// One number of one run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measurement {
    /// What was measured: a program, or the [`MACHINE`].
    pub program: String,
    /// How: `pp512`, `tg64`, `tg64x8`, `tg64@4096`, `first_token`, [`READ`], [`MULTIPLY`].
    pub test: String,
    pub round: usize,
    pub value: f64,
    pub unit: String,
}

/// The program of what was measured of the machine alone.
pub(crate) const MACHINE: &str = "machine";

/// The test that reads memory.
pub(crate) const READ: &str = "read";

/// The test that multiplies in cache.
pub(crate) const MULTIPLY: &str = "multiply";

const HEAD: &str = "program,test,round,value,unit";

impl Measurement {
    /// A number, told on the way.
    pub(crate) fn new(program: &str, test: &str, round: usize, value: f64, unit: &str) -> Self {
        eprintln!("{program:10} {test:12} {value:10.2} {unit}");
        Self { program: program.into(), test: test.into(), round, value, unit: unit.into() }
    }

    /// The inverse of a line of [`csv`].
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let [program, test, round, value, unit] = fields[..] else { return None };
        let [program, test, unit] = [program, test, unit].map(String::from);
        Some(Self { program, test, round: round.parse().ok()?, value: value.parse().ok()?, unit })
    }
}

/// The values of one program in one test and unit, in the order of rounds.
pub(crate) fn values(all: &[Measurement], program: &str, test: &str, unit: &str) -> Vec<f64> {
    let own = all.iter().filter(|m| m.program == program && m.test == test && m.unit == unit);
    own.map(|m| m.value).collect()
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

/// Reads a table that [`write()`] has written.
///
/// # Errors
///
/// If it cannot be read; the message names the line that is no measurement.
pub(crate) fn read(path: &Path) -> Result<Vec<Measurement>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).map_err(|line| {
        format!("{}: line {line} is no line of a record, as `{HEAD}` heads it", path.display())
    })
}

/// The measurements of a table, or the number of the first line that is wrong.
fn parse(text: &str) -> Result<Vec<Measurement>, usize> {
    let mut lines = text.lines();
    if lines.next() != Some(HEAD) {
        return Err(1);
    }
    lines.zip(2..).map(|(line, number)| Measurement::parse(line).ok_or(number)).collect()
}

fn csv(measurements: &[Measurement]) -> String {
    let mut text = format!("{HEAD}\n");
    for Measurement { program, test, round, value, unit } in measurements {
        let _ = writeln!(text, "{program},{test},{round},{value:.4},{unit}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Measurement, csv, parse, values};

    #[test]
    fn a_table_reads_as_it_was_written() {
        let rounds = [(0, 20.5), (1, 21.25)];
        let measurements =
            rounds.map(|(round, value)| Measurement::new("dram", "tg64", round, value, "GB/s"));
        let text = csv(&measurements);
        assert_eq!(parse(&text).as_deref(), Ok(&measurements[..]));
        assert_eq!(values(&measurements, "dram", "tg64", "GB/s"), [20.5, 21.25]);
        assert!(values(&measurements, "dram", "tg64", "tokens/s").is_empty());
        assert_eq!(parse(&text.replace("21.25", "fast")), Err(3));
        assert_eq!(parse("a picture"), Err(1));
    }
}
