//! Developer commands, run as `cargo x COMMAND`. `std` only: nothing to install.
#![forbid(unsafe_code)]

mod arm;
mod check;
mod count;
mod fetch;
mod mca;
mod picture;
mod step;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo x COMMAND

  check    format, lints, documentation, and the build without std
  test     fetch what tests need, then run every test
  fetch    download the files that tests read into target/fetched (or $DRAM_FETCHED)
  arm      build tests for 64-bit ARM and run them under emulation
  count    instructions per token on emulated ARM cores, ours and a peer's
           [--core NAME] [--peer LLAMA_BENCH] [--prompt TOKENS] [MODEL...]
  mca      cycles of the inner loops of ARM kernels, as llvm-mca models the cores
  parity   compare logits with llama.cpp, which is built for it (cmake, clang)
  picture  draw the picture in the README from a real session
";

fn main() -> ExitCode {
    let command = std::env::args().nth(1).unwrap_or_default();
    let outcome = match command.as_str() {
        "check" => check::check(),
        "test" => check::test(),
        "fetch" => fetch::fetch(),
        "arm" => arm::arm(),
        "count" => count::count(std::env::args().skip(2)),
        "mca" => mca::mca(),
        "parity" => check::parity(),
        "picture" => picture::picture(),
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("cargo x {command}: {reason}");
            ExitCode::FAILURE
        }
    }
}
