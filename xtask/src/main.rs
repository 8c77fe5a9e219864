//! Developer commands, run as `cargo x COMMAND`.
#![forbid(unsafe_code)]

mod arguments;
mod arm;
mod board;
mod budget;
mod check;
mod count;
mod deb;
#[path = "../../models/src/demo.rs"]
mod demo;
mod deploy;
mod emulate;
mod fetch;
mod image;
mod mca;
mod picture;
mod program;
mod step;
mod table;
mod triple;
mod units;
mod watch;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo x COMMAND

  check    format, lints, documentation, the build without std and with the oldest compiler
  test     fetch what tests need, then run every test
  loom     the pool's threads in every order
  sanitize kernels, readers of files and threads under the compiler's sanitizers
  fetch    download the files that tests read into target/fetched (or $DRAM_FETCHED)
  arm      build tests for 64-bit ARM and run them under emulation
  build    the program as it is given to others
           --board NAME | --target TRIPLE [--static]
  emulate  the program on the emulated core of every board: kernels, golden tokens, empty root
  budget   size of the static program for 64-bit ARM, and how many crates are in it
  deb      the package for Debian and its relatives
           --board NAME | --target TRIPLE [--try]
  deploy   copy the program, and a model, to a board by ssh
           --board NAME [--model FILE] [--to FOLDER] [--models FOLDER] USER@HOST, or --try
  image    a folder to copy to a card's boot partition or a stick
           --board NAME [--model FILE] FOLDER
  units    verify the systemd units, and how much of the system they could reach
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
        "loom" => watch::loom(),
        "sanitize" => watch::sanitize(),
        "fetch" => fetch::fetch(),
        "arm" => arm::arm(),
        "build" => program::command(std::env::args().skip(2)),
        "emulate" => emulate::emulate(),
        "budget" => budget::budget(),
        "deb" => deb::command(std::env::args().skip(2)),
        "units" => units::units(),
        "deploy" => deploy::command(std::env::args().skip(2)),
        "image" => image::command(std::env::args().skip(2)),
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
