//! Developer commands, run as `cargo x COMMAND`.
#![forbid(unsafe_code)]

mod arguments;
mod arm;
mod board;
mod budget;
mod check;
mod count;
mod emulate;
mod fetch;
mod mca;
mod picture;
mod program;
mod step;
mod table;
mod triple;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo x COMMAND

  check    format, lints, documentation, and the build without std
  test     fetch what tests need, then run every test
  fetch    download the files that tests read into target/fetched (or $DRAM_FETCHED)
  arm      build tests for 64-bit ARM and run them under emulation
  build    the program as it is given to others
           --board NAME | --target TRIPLE [--static]
  emulate  the program on the emulated core of every board: kernels, golden tokens, empty root
  budget   size of the static program for 64-bit ARM, and how many crates are in it
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
        "build" => program::command(std::env::args().skip(2)),
        "emulate" => emulate::emulate(),
        "budget" => budget::budget(),
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
