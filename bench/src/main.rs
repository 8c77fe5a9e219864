//! Measures dram and its peers.
#![forbid(unsafe_code)]

mod arithmetic;
mod bandwidth;
mod divergence;
mod golden;
mod kernels;
mod kl;
mod machine;
mod median;
mod multiply;
mod peer;
mod random;
mod record;
mod reference;
mod roofline;
mod synth;
mod table;
mod versus;
mod work;

use clap::Parser;
use std::process::ExitCode;

/// Measures dram and its peers.
#[derive(Parser)]
#[command(name = "dram-bench")]
enum Command {
    /// Where our likeliest tokens, and those of a plain f32 forward pass, part from what llama.cpp
    /// recorded
    Golden(golden::Arguments),
    /// Every kernel of every table on this CPU, checked against `scalar` and measured
    Kernels(kernels::Arguments),
    /// How far next-token distributions are from those of a plain f32 forward pass of the same
    /// weights, over windows of 512 tokens whose second halves are scored, as llama-perplexity
    /// does it
    Kl(kl::Arguments),
    /// Draws a record of `versus` beside the limit that the memory sets
    Roofline(roofline::Arguments),
    /// Writes a model of the exact shape and formats of an R1 distill, with random weights
    Synth(synth::Arguments),
    /// Prints records of `versus` as a Markdown table
    Table(table::Arguments),
    /// dram, a peer's llama-bench and reading memory in turn, then from start to first token with
    /// the llama-completion beside it; writes the numbers and where they come from to a record
    Versus(versus::Arguments),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Golden(arguments) => golden::run(&arguments),
        Command::Kernels(arguments) => kernels::run(&arguments),
        Command::Kl(arguments) => kl::run(&arguments),
        Command::Roofline(arguments) => roofline::run(&arguments),
        Command::Synth(arguments) => synth::run(&arguments),
        Command::Table(arguments) => table::run(&arguments),
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
