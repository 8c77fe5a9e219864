//! `dram bench`: tokens a second, in a table or for programs.

use crate::args;
use crate::exit::{Outcome, notice};
use dram_boards::{Root, Threads};
use dram_engine::measure::{self, Test};
use dram_engine::words::{self, megabytes};
use dram_engine::{Host, LoadOptions, with_session};
use dram_targets::Kernels;
use serde_json::json;
use std::io::{self, Write};

pub(crate) fn run(args: &args::Bench, kernels: &'static Kernels) -> Outcome {
    let path = dram_models::find(&args.model)?;
    let (sequences, repetitions) = (args.sequences.get(), args.repetitions.get());
    let mut options = LoadOptions { sequences: Some(sequences), ..args.load.options() };
    let needed = args.depth.saturating_add(args.prompt.max(args.generate));
    options.context = options.context.or(Some(needed).filter(|&needed| needed > 0));
    let host = Host::read(Root::system(), args.load.board.name.as_deref(), &mut notice)?;
    with_session(&host, &path, &options, kernels, |model, session| {
        let tokens = [args.prompt, args.generate];
        let tests = measure::run(session, tokens, args.depth, sequences, repetitions)?;
        let threads = model.threads;
        if args.output.json {
            print_json(&tests, &model.name(), kernels.name(), threads)
        } else {
            let name = format!("{}, {}", model.name(), megabytes(model.weights_bytes));
            print_table(&tests, &name, kernels.name(), threads)
        }
    })
}

fn print_json(tests: &[Test], model: &str, kernels: &str, threads: Threads) -> Outcome {
    let tests = tests.iter().map(|test| {
        json!({
            "model": model, "kernels": kernels, "threads": test.threads(threads),
            "n_prompt": test.prompt, "n_gen": test.generate, "n_depth": test.depth,
            "sequences": test.sequences,
            "avg_ts": test.mean(), "stddev_ts": test.deviation(),
        })
    });
    Ok(writeln!(io::stdout(), "{:#}", tests.collect::<serde_json::Value>())?)
}

fn print_table(tests: &[Test], model: &str, kernels: &str, threads: Threads) -> Outcome {
    let mut out = io::stdout().lock();
    let threads = words::threads(threads);
    writeln!(out, "{model}, {kernels} kernels, {threads}\n")?;
    writeln!(out, "{:12} {:>10} {:>8}", "test", "tokens/s", "±")?;
    for test in tests {
        writeln!(out, "{:12} {:>10.2} {:>8.2}", test.name(), test.mean(), test.deviation())?;
    }
    Ok(())
}
