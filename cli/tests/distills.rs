//! `dram fit` of every distill, in the usual mixes of formats, on every board: the table that
//! `boards/FIT.md` is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod program;
mod synth;

use program::{dram, fetched, printed, scratch};
use serde_json::Value;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use synth::{Mix, write_begin};

const SHAPES: [&str; 10] = [
    "r1:1.5b",
    "r1:7b",
    "r1:8b",
    "r1-0528:8b",
    "r1:14b",
    "r1:32b",
    "r1:70b",
    "qwen3:0.6b",
    "qwen3:1.7b",
    "qwen3:4b",
];
const MIXES: [(&str, Mix); 5] = [
    ("Q4_0", Mix::Q4_0),
    ("Q4_K_M", Mix::Q4_K_M),
    ("Q5_K_M", Mix::Q5_K_M),
    ("Q6_K", Mix::Q6_K),
    ("Q8_0", Mix::Q8_0),
];

const TITLE: &str = "\
# Which distill fits which board

Written by `DRAM_WRITE=1 cargo test -p dram-cli --test distills` from what `dram fit --all` tells for
a context of 4096 positions in half floats: the least memory of each board that holds the model, and
the tokens a second that the memory's bandwidth allows. Nothing here is measured. Bandwidths are those
of one core where no figure of all was found, and upper bounds in theory are marked with `<`.
";

/// What is told of a distill on each board.
fn fit(shape: &str, mix: Mix) -> Vec<Value> {
    let path = scratch("begin").join("model.gguf");
    write_begin(shape, mix, &fetched().join("vocab"), &path);
    let output = dram().args(["fit", "--all", "--json"]).arg(&path).output().unwrap();
    fs::remove_file(path).unwrap();
    serde_json::from_str(&printed(output)).unwrap()
}

#[test]
fn the_table_is_what_fit_tells() {
    let mut table = TITLE.to_owned();
    for shape in SHAPES {
        let told = MIXES.map(|(_, mix)| fit(shape, mix));
        table += &section(shape, &told);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards/FIT.md");
    if std::env::var_os("DRAM_WRITE").is_some() {
        fs::write(path, table).unwrap();
    } else {
        let written = fs::read_to_string(path).unwrap();
        assert_eq!(written, table, "write it again with DRAM_WRITE=1");
    }
}

/// A table of one distill: a row for each board, a column for each mix.
fn section(shape: &str, told: &[Vec<Value>]) -> String {
    let names = MIXES.map(|(name, _)| name).join(" | ");
    let mut section = format!("\n## {shape}\n\n| board | {names} |\n|---|---|---|---|---|---|\n");
    for (i, board) in told[0].iter().enumerate() {
        let cells: Vec<_> = told.iter().map(|boards| cell(&boards[i])).collect();
        let name = board["board"].as_str().unwrap();
        writeln!(section, "| {name} | {} |", cells.join(" | ")).unwrap();
    }
    section
}

/// `2 GB, 16.0/s`, or a dash where no size of the board holds it.
fn cell(told: &Value) -> String {
    let sizes = told["memory"].as_array().unwrap();
    let Some(size) = sizes.iter().find(|size| size["fits"] == true) else { return "–".into() };
    let memory = size["memory_mib"].as_f64().unwrap() / 1024.0;
    let speed = told["prediction"]["decode_tokens_per_second"].as_f64().unwrap();
    let is_bound = told["prediction"]["bandwidth"]["basis"] == "theoretical";
    format!("{memory} GB, {}{speed:.1}/s", if is_bound { "< " } else { "" })
}
