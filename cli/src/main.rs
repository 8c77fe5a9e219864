//! The program `dram`: arguments in, text and exit codes out.
#![forbid(unsafe_code)]

mod args;
mod bench;
mod boards;
mod chat;
mod demo;
mod disk;
mod doctor;
mod exit;
#[cfg(feature = "face")]
mod face;
mod fit;
mod hub;
mod interrupt;
mod models;
mod pack;
mod prompt;
mod pull;
mod remote;
mod report;
mod run;
mod sampling;
mod screen;
mod show;
mod tokenize;

use args::{Cli, Command};
use clap::Parser;
use dram_targets::Kernels;
use exit::{Code, Failure, Outcome};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let start = Instant::now();
    match run(&Cli::parse(), start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(cli: &Cli, start: Instant) -> Outcome {
    let kernels = kernels(cli.kernels.as_deref())?;
    match &cli.command {
        Command::Run(args) => run::run(args, kernels, start),
        Command::Bench(args) => bench::run(args, kernels),
        Command::Show(args) => show::run(args),
        Command::Tokenize(args) => tokenize::run(args),
        Command::Pack(args) => pack::run(args),
        Command::Pull(args) => pull::run(&args.name),
        Command::Doctor(args) => doctor::run(args, kernels),
        Command::Fit(args) => fit::run(args),
        Command::Boards(args) => boards::run(args),
    }
}

/// The kernels of a name, or the fastest.
///
/// # Errors
///
/// [`Code::Usage`] if this CPU has none of that name.
fn kernels(name: Option<&str>) -> Outcome<&'static Kernels> {
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Ok(dram_targets::best());
    };
    dram_targets::named(name).ok_or_else(|| {
        let names: Vec<_> = dram_targets::all().map(Kernels::name).collect();
        let message = format!("no kernels \"{name}\" on this CPU; it has {}", names.join(", "));
        Failure::new(Code::Usage, message)
    })
}
