//! Measures dram and its peers.
#![forbid(unsafe_code)]

mod divergence;
mod kl;
mod machine;
mod median;
mod multiply;
mod peer;
mod record;
mod reference;
mod versus;

use std::error::Error;
use std::process::ExitCode;

const HELP: &str = "\
Measures dram and its peers.

dram-bench kl MODEL TEXT [-t THREADS] [--windows N]
    How far the next-token distributions are from those of a plain f32 forward pass of the same
    weights, over windows of 512 tokens of a text (4 unless told), as llama-perplexity does it.

dram-bench versus MODEL --peer LLAMA_BENCH [-p 512] [-n 64] [-t 2] [-r 5] [--dram DRAM]
                  [--record FOLDER] [--machine NAME]
    dram and a peer's llama-bench in turn, then from start to first token with the llama-completion
    beside it. Prints medians and ratios and writes them with their provenance to
    FOLDER/NAME/ (bench/record unless told, and a name from the CPU's model).
";

fn main() -> ExitCode {
    let mut arguments = lexopt::Parser::from_env();
    match run(&mut arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dram-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &mut lexopt::Parser) -> Result<(), Box<dyn Error>> {
    match arguments.next()? {
        Some(lexopt::Arg::Value(command)) if command == "kl" => kl::run(arguments),
        Some(lexopt::Arg::Value(command)) if command == "versus" => versus::run(arguments),
        Some(lexopt::Arg::Value(command)) => {
            Err(format!("no command {command:?}; `dram-bench --help` lists them").into())
        }
        Some(lexopt::Arg::Long("help") | lexopt::Arg::Short('h')) | None => {
            print!("{HELP}");
            Ok(())
        }
        Some(other) => Err(other.unexpected().into()),
    }
}
