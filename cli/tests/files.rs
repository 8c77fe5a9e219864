//! `dram show`, `pack` and `bench` on the real model.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod program;

use program::{MODEL, model, output, output_of, printed, scratch};
use serde_json::Value;

#[test]
fn show_tells_what_is_in_the_file() {
    let shown: Value = serde_json::from_str(&printed(output(&["show", MODEL, "--json"]))).unwrap();
    assert_eq!(shown["path"], model().to_str().unwrap());
    assert_eq!(shown["architecture"], "llama");
    assert_eq!(shown["sizes"]["layers"], 30);
    assert_eq!(shown["weights"], 134_515_008);
    assert_eq!(shown["vocabulary"]["tokens"], 49_152);
    let text = printed(output(&["show", MODEL]));
    assert!(text.contains("blk.*.ffn_down.weight") && text.contains("Q4_1"), "{text}");
}

#[test]
fn tokenize_lists_ids_with_their_texts() {
    let listed = printed(output_of(&["tokenize", MODEL], b"Hello, world"));
    assert_eq!(listed, " 19556  Hello\n    28  ,\n   905  Ġworld\n");
}

#[test]
fn a_packed_model_gives_the_same_text() {
    let packed = scratch("packed").join("packed.gguf");
    let packed = packed.to_str().unwrap();
    assert_eq!(printed(output(&["pack", MODEL, packed])), "");
    let text = |model: &str| {
        let args = ["--temp", "0", "-n", "16", "--raw", "Once upon a time"];
        printed(output(&[&["run", model], &args[..]].concat()))
    };
    assert_eq!(text(packed), text(MODEL));
    assert!(printed(output(&["show", packed])).contains("Q4_1 tiles"));
    let mapped = output(&["run", packed, "-n", "1", "--json", "Hi"]);
    let mapped: Value = serde_json::from_str(&printed(mapped)).unwrap();
    assert_eq!(mapped["weights_are_mapped"], true);
}

#[test]
fn bench_measures_both_tests() {
    let args = ["bench", MODEL, "-p", "16", "-n", "4", "-t", "1", "-r", "2", "--json"];
    let tests: Value = serde_json::from_str(&printed(output(&args))).unwrap();
    let sizes = [0, 1].map(|i| (tests[i]["n_prompt"].as_u64(), tests[i]["n_gen"].as_u64()));
    assert_eq!(sizes, [(Some(16), Some(0)), (Some(0), Some(4))]);
    for test in tests.as_array().unwrap() {
        assert!(test["avg_ts"].as_f64().unwrap() > 0.0 && test["stddev_ts"].is_f64(), "{test}");
        assert_eq!((&test["threads"], test["model"].is_string()), (&1.into(), true));
    }
    assert!(printed(output(&args[..10])).contains("pp16"));
}

#[test]
fn bench_generates_many_sequences_in_a_filled_context() {
    let many = ["bench", MODEL, "-p", "8", "-n", "2", "-r", "1", "-d", "40", "--sequences", "3"];
    let table = printed(output(&many));
    assert!(table.contains("pp8@40 ") && table.contains("tg2x3@40 "), "{table}");
}
