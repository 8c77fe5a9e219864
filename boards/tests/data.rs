//! The boards' files: each is valid and complete, and the table in `README.md` is made of them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use dram_boards::{Basis, Board, Catalog};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- boards: written by `DRAM_WRITE=1 cargo test -p dram-boards` -->\n";
const END: &str = "<!-- /boards -->\n";

#[test]
fn every_file_is_built_in_and_every_board_is_complete() {
    let catalog = Catalog::builtin();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files: BTreeSet<_> =
        files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let ids: BTreeSet<_> = catalog.boards().iter().map(|board| board.id.clone()).collect();
    assert_eq!(files, ids);
    for board in catalog.boards().iter().filter(|board| !board.is_generic()) {
        let id = &board.id;
        let kernels = board.kernels.as_deref();
        assert!(matches!(kernels, Some("neon" | "dotprod" | "i8mm")), "{id}");
        assert!(!board.cores.is_empty() && board.threads.is_some(), "{id}");
        assert!(board.power.is_some() && !board.sources.is_empty(), "{id}");
        assert!(board.best_bandwidth().is_some_and(|rate| !rate.source.is_empty()), "{id}");
        let sizes: Vec<u32> = board.models.iter().map(|model| model.memory_mib).collect();
        assert_eq!(sizes, board.memory_mib, "{id}: one default for each size");
        let fast = board.cores[0].count;
        assert!(board.threads.unwrap().decode <= fast && board.threads.unwrap().prefill <= fast);
    }
}

#[test]
fn what_proves_a_board_proves_one_alone() {
    let catalog = Catalog::builtin();
    let detect = || catalog.boards().iter().map(|board| &board.detect);
    let compatible: Vec<_> = detect().flat_map(|detect| &detect.compatible).collect();
    let models: Vec<_> = detect().flat_map(|detect| &detect.models).collect();
    for proofs in [compatible, models] {
        assert_eq!(proofs.iter().collect::<BTreeSet<_>>().len(), proofs.len(), "{proofs:?}");
    }
    let names: BTreeSet<_> = catalog.boards().iter().map(|board| &board.name).collect();
    assert_eq!(names.len(), catalog.boards().len());
}

#[test]
fn boards_are_found_by_id_and_name() {
    let catalog = Catalog::builtin();
    assert_eq!(catalog.named("raspberry-pi-5").unwrap().name, "Raspberry Pi 5");
    assert_eq!(catalog.named("jetson NANO").unwrap().id, "jetson-nano");
    assert!(catalog.named("raspberry").is_none());
}

#[test]
fn a_default_model_is_for_the_memory_a_kernel_tells_of() {
    let catalog = Catalog::builtin();
    let model = |id: &str, kib: u64| {
        let model = catalog.named(id).unwrap().default_model(kib * 1024)?;
        Some((model.memory_mib, model.quant.as_str()))
    };
    assert_eq!(model("raspberry-pi-zero-2-w", 437_352), Some((512, "Q4_1")));
    assert_eq!(model("raspberry-pi-5", 8_255_776), Some((8192, "Q4_0")));
    assert_eq!(model("raspberry-pi-5", 2_000_000), Some((2048, "Q4_0")));
    assert_eq!(model("jetson-nano", 1_000_000), None);
    assert_eq!(model("generic-aarch64", 64_000_000), Some((8192, "Q4_0")));
}

#[test]
fn a_bad_file_is_refused_in_one_sentence_that_says_where() {
    let base = "name = \"x\"\narchitecture = \"aarch64\"\n";
    let rate = "basis = \"one-core\"\nsource = \"x\"\n";
    let model = "name = \"x\"\nquant = \"x\"\ncontext = 1\n";
    let cases = [
        ("", "missing field `name`"),
        ("name = 1\n", ":1: "),
        ("name = \"x\"\narchitecture = \"z80\"\n", ":2: "),
        (&format!("{base}colour = 1\n"), "colour"),
        (&format!("{base}memory_mib = [2, 1]\n"), "ascend"),
        (&format!("{base}memory_mib = [-1]\n"), ":3: "),
        (&format!("{base}[threads]\ndecode = 0\nprefill = 1\n"), "at least 1"),
        (&format!("{base}[thermal]\nslows_celsius = 90\nlimit_celsius = 85\n"), "below"),
        (&format!("{base}[[bandwidth]]\ngbytes_per_second = nan\n{rate}"), "more than 0"),
        (&format!("{base}[[models]]\nmemory_mib = 1\nkv = \"f16\"\n{model}"), "lacks"),
        (
            &format!("{base}memory_mib = [1]\n[[models]]\nmemory_mib = 1\nkv = \"f64\"\n{model}"),
            "f64",
        ),
    ];
    for (text, about) in cases {
        let told = Board::parse("x", text).unwrap_err().to_string();
        assert!(told.starts_with("x.toml") && told.contains(about), "{told:?}, {about:?}");
        assert!(!told.contains('\n'), "{told:?}");
    }
}

#[test]
fn the_readme_has_a_table_of_all_boards() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("README.md has the start of the table");
    let (table, after) = rest.split_once(END).expect("README.md has the end of the table");
    let expected = render(Catalog::builtin().boards());
    if std::env::var_os("DRAM_WRITE").is_some() {
        fs::write(path, [before, BEGIN, &expected, END, after].concat()).unwrap();
    } else {
        assert_eq!(table, expected, "write it again with DRAM_WRITE=1");
    }
}

/// One row for each board that has a name.
fn render(boards: &[Board]) -> String {
    let mut table =
        "| board | cores | memory | reads | kernels | threads |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for board in boards.iter().filter(|board| !board.is_generic()) {
        let cores = board.cores.iter().map(|kind| {
            format!("{} × {} {:.1} GHz", kind.count, kind.name, f64::from(kind.clock_mhz) / 1000.0)
        });
        let cores = cores.collect::<Vec<_>>().join(", ");
        let kernels = board.kernels.as_deref().unwrap_or_default();
        let threads = board.threads.unwrap().decode;
        let (memory, rate) = (sizes(&board.memory_mib), rate(board));
        let name = &board.name;
        writeln!(table, "| {name} | {cores} | {memory} | {rate} | {kernels} | {threads} |")
            .unwrap();
    }
    table
}

fn sizes(mib: &[u32]) -> String {
    let size = |&mib: &u32| f64::from(mib) / 1024.0;
    let (first, last) = (size(mib.first().unwrap()), size(mib.last().unwrap()));
    if first == last { format!("{first} GB") } else { format!("{first} to {last} GB") }
}

fn rate(board: &Board) -> String {
    let best = board.best_bandwidth().unwrap();
    let basis = match best.basis {
        Basis::OneCore => "one core",
        Basis::AllCores => "all cores",
        Basis::Theoretical => "in theory",
    };
    format!("{:.1} GB/s, {basis}", best.gbytes_per_second)
}
