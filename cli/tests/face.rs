//! `dram run --face` where there is no face.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod program;

use program::{output, scratch, told};
use std::fs;
use std::path::Path;

/// What a run tells that ends with 1, on a board with these lines in its file. The model is none, for
/// which it would end with 65 if it were read.
fn told_without_loading(folder: &Path, lines: &str) -> String {
    let (board, model) = (folder.join("own.toml"), folder.join("none.gguf"));
    let architecture = std::env::consts::ARCH;
    fs::write(&board, format!("name = \"Own\"\narchitecture = \"{architecture}\"\n{lines}"))
        .unwrap();
    fs::write(&model, "not a model").unwrap();
    let [board, model] = [&board, &model].map(|path| path.to_str().unwrap());
    let loads = output(&["run", model, "--board", board, "Hi"]);
    assert_eq!(loads.status.code(), Some(65), "{}", told(&loads));
    let output = output(&["run", model, "--face", "--board", board, "Hi"]);
    assert_eq!(output.status.code(), Some(1), "{}", told(&output));
    assert!(output.stdout.is_empty());
    told(&output)
}

#[test]
fn a_chip_that_is_not_there_is_told_before_anything_is_loaded() {
    let lines = "[face]\nchip = \"no-such-chip\"\nlight = 17\nbutton = 27\ni2c = \"/dev/i2c-1\"\n";
    let told = told_without_loading(&scratch("chip"), lines);
    assert!(told.contains("--face: GPIO chip \"no-such-chip\""), "{told}");
    // Where there are chips of which this user may not ask, the remedy is another.
    assert!(told.contains("[face]") || told.contains("usermod -aG gpio"), "{told}");
}

#[test]
fn a_board_without_lines_is_named() {
    let told = told_without_loading(&scratch("lines"), "");
    assert!(told.contains("Own") && told.contains("--board FILE"), "{told}");
}
