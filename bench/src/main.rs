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

use clap::Parser;
use std::process::ExitCode;

/// Measures dram and its peers.
#[derive(Parser)]
#[command(name = "dram-bench")]
enum Command {
    /// How far next-token distributions are from those of a plain f32 forward pass of the same
    /// weights, over windows of 512 tokens whose second halves are scored, as llama-perplexity
    /// does it
    Kl(kl::Arguments),
    /// dram and a peer's llama-bench in turn, then from start to first token with the
    /// llama-completion beside it; writes the numbers and where they come from to a record
    Versus(versus::Arguments),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Kl(arguments) => kl::run(&arguments),
        Command::Versus(arguments) => versus::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dram-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
