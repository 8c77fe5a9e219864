//! The program `dram`: arguments in, text and exit codes out.
#![forbid(unsafe_code)]

/// As the standard library's, but a stderr that takes nothing, on a full disk or with a reader that
/// has gone, does not end the program: what it was asked to do matters more than telling of it.
macro_rules! eprintln {
    ($($arguments:tt)*) => {{
        let line = std::format!($($arguments)*);
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{line}\n").as_bytes());
    }};
}

mod args;
mod bench;
mod boards;
mod chat;
mod doctor;
mod exit;
#[cfg(feature = "face")]
mod face;
mod fit;
mod interrupt;
mod list;
mod pack;
mod prompt;
mod pull;
mod report;
mod rm;
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

/// What the program takes before it knows what it is to do.
const START_BYTES: usize = 1 << 20;

fn main() -> ExitCode {
    let start = Instant::now();
    if Vec::<u8>::new().try_reserve_exact(START_BYTES).is_err() {
        let message = "there is not enough memory to start; raise the limit (`ulimit -v`)";
        return Failure::new(Code::NoRoom, message).report();
    }
    interrupt::survive_limits();
    exit::fail_on_panic();
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
        Command::List(args) => list::run(args),
        Command::Rm(args) => rm::run(args),
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
