//! Records of `versus` as the table that the README shows.

use crate::median::{median, range};
use crate::record::{self, MACHINE, Measurement, READ, values};
use std::error::Error;
use std::path::Path;

/// What the command line asks for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Tables that `versus` has written, in the order of the rows; FILE:TEST,TEST shows these tests alone
    #[arg(required = true, value_name = "FILE[:TEST,...]")]
    records: Vec<String>,
}

const HEAD: &str = "\
| file | test | dram | llama.cpp | ratio | over rounds |
|---|---|--:|--:|--:|--:|";

/// Prints Markdown.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    println!("{HEAD}");
    for record in &arguments.records {
        let (path, tests) = record.split_once(':').unwrap_or((record, ""));
        let (path, tests) = (Path::new(path), tests.split_terminator(',').collect::<Vec<_>>());
        let measurements = record::read(path)?;
        for row in rows(&name(path), &measurements, &tests) {
            println!("{row}");
        }
    }
    Ok(())
}

/// What the record was called after: its name without the date.
fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    stem.split_once("Z-").map_or(&*stem, |(_, name)| name).to_owned()
}

/// A row for each test of `only` that both programs ran; if it is empty, of all tests and the memory.
fn rows(name: &str, measurements: &[Measurement], only: &[&str]) -> Vec<String> {
    let mut tests: Vec<(&str, &str)> = Vec::new();
    for Measurement { program, test, unit, .. } in measurements {
        let told = matches!(&**unit, "tokens/s" | "ms") && program != MACHINE;
        let told = told && (only.is_empty() || only.contains(&&**test));
        if told && !tests.contains(&(test, unit)) {
            tests.push((test, unit));
        }
    }
    let rows = tests.iter().filter_map(|(test, unit)| {
        let [ours, theirs] = ["dram", "llama.cpp"].map(|p| values(measurements, p, test, unit));
        let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
        let ((least, most), ratio) = (range(&ratios), median(&ours) / median(&theirs));
        let (ours, theirs) = (median(&ours), median(&theirs));
        ratio.is_finite().then(|| {
            format!(
                "| {name} | {test}, {unit} | {ours:.1} | {theirs:.1} | {ratio:.2} | {least:.2} to {most:.2} |"
            )
        })
    });
    let read = values(measurements, MACHINE, READ, "GB/s");
    let (least, most) = range(&read);
    let memory =
        format!("| {name} | memory, GB/s | {:.1} | | | {least:.1} to {most:.1} |", median(&read));
    rows.chain(only.is_empty().then_some(memory)).collect()
}

#[cfg(test)]
mod tests {
    use super::{name, rows};
    use crate::record::Measurement;
    use std::path::Path;

    #[test]
    fn a_row_has_the_medians_and_the_range_of_ratios() {
        let of =
            |program, test, round, value, unit| Measurement::new(program, test, round, value, unit);
        let record = [
            of("machine", "read", 0, 30.0, "GB/s"),
            of("dram", "tg64", 0, 30.0, "tokens/s"),
            of("dram", "tg64", 0, 28.0, "GB/s"),
            of("llama.cpp", "tg64", 0, 20.0, "tokens/s"),
            of("dram", "tg64", 1, 28.0, "tokens/s"),
            of("llama.cpp", "tg64", 1, 10.0, "tokens/s"),
            of("dram", "alone", 0, 1.0, "tokens/s"),
        ];
        assert_eq!(
            rows("r1", &record, &[]),
            [
                "| r1 | tg64, tokens/s | 29.0 | 15.0 | 1.93 | 1.50 to 2.80 |",
                "| r1 | memory, GB/s | 30.0 | | | 30.0 to 30.0 |",
            ]
        );
        assert_eq!(rows("r1", &record, &["tg64"]).len(), 1);
        assert!(rows("r1", &record, &["pp512"]).is_empty());
    }

    #[test]
    fn a_record_is_named_without_its_date() {
        let path = Path::new("x/2026-11-22T171806Z-r1-1.5b-q4_0-auto.csv");
        assert_eq!(name(path), "r1-1.5b-q4_0-auto");
    }
}
