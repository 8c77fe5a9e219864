//! `dram bench`: tokens a second, as llama-bench measures them.
//!
//! *pp* reads a prompt of random tokens into an empty context, in as few passes as the batch
//! allows. *tg* generates one token at a time from an empty context; the tokens are random, since
//! choosing them is not what is measured.

use crate::args;
use crate::exit::Outcome;
use crate::load::{self, megabytes};
use crate::models;
use dram_runtime::{Column, Error, Session};
use dram_targets::Kernels;
use serde_json::json;
use std::io::{self, Write};
use std::time::Instant;

/// One test and the speed of each of its runs.
struct Test {
    prompt: usize,
    generate: usize,
    /// Tokens a second.
    speeds: Vec<f64>,
}

pub(crate) fn run(args: &args::Bench, kernels: &'static Kernels) -> Outcome {
    let path = models::find(&args.model)?;
    let mut load = args.load.clone();
    let needed = args.prompt.max(args.generate).try_into().ok();
    load.ctx = load.ctx.or(needed);
    load::with_session(&path, &load, kernels, |model, session| {
        let mut tests = Vec::new();
        for (prompt, generate) in [(args.prompt, 0), (0, args.generate)] {
            if prompt + generate > 0 {
                tests.push(Test::run(session, prompt, generate, args.repetitions.get())?);
            }
        }
        let threads = session.limits().threads;
        if args.json {
            print_json(&tests, &model.name(), kernels.name(), threads)
        } else {
            let name = format!("{}, {}", model.name(), megabytes(model.weights_bytes));
            print_table(&tests, &name, kernels.name(), threads)
        }
    })
}

impl Test {
    /// Runs once to warm up, then as often as asked.
    fn run(
        session: &mut Session<'_>,
        prompt: usize,
        generate: usize,
        repetitions: usize,
    ) -> Result<Self, Error> {
        let tokens = random_tokens(prompt + generate, session.plan().tokens());
        let step = if generate > 0 { 1 } else { tokens.len() };
        once(session, &tokens, step)?;
        let mut speeds = Vec::with_capacity(repetitions);
        for _ in 0..repetitions {
            let start = Instant::now();
            once(session, &tokens, step)?;
            speeds.push(tokens.len() as f64 / start.elapsed().as_secs_f64());
        }
        Ok(Self { prompt, generate, speeds })
    }

    fn name(&self) -> String {
        match self.generate {
            0 => format!("pp{}", self.prompt),
            generate => format!("tg{generate}"),
        }
    }

    fn mean(&self) -> f64 {
        self.speeds.iter().sum::<f64>() / self.speeds.len() as f64
    }

    /// The standard deviation of the sample; 0 for a single run.
    fn deviation(&self) -> f64 {
        let mean = self.mean();
        let squares: f64 = self.speeds.iter().map(|speed| (speed - mean).powi(2)).sum();
        (squares / self.speeds.len().saturating_sub(1).max(1) as f64).sqrt()
    }
}

/// Reads tokens into an empty sequence, `step` at a time; each step ends in logits.
fn once(session: &mut Session<'_>, tokens: &[u32], step: usize) -> Result<(), Error> {
    let sequence = session.open()?;
    for tokens in tokens.chunks(step) {
        match *tokens {
            [token] => session.forward(&[Column { sequence, token, wants_logits: true }])?,
            _ => session.prompt(sequence, tokens)?,
        }
    }
    session.close(sequence)
}

/// The same tokens every time, spread over the vocabulary (xorshift64).
fn random_tokens(count: usize, vocabulary: usize) -> Vec<u32> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % vocabulary as u64) as u32
    };
    (0..count).map(|_| next()).collect()
}

fn print_json(tests: &[Test], model: &str, kernels: &str, threads: usize) -> Outcome {
    let tests = tests.iter().map(|test| {
        json!({
            "model": model, "kernels": kernels, "threads": threads,
            "n_prompt": test.prompt, "n_gen": test.generate,
            "avg_ts": test.mean(), "stddev_ts": test.deviation(),
        })
    });
    Ok(writeln!(io::stdout(), "{:#}", tests.collect::<serde_json::Value>())?)
}

fn print_table(tests: &[Test], model: &str, kernels: &str, threads: usize) -> Outcome {
    let mut out = io::stdout().lock();
    writeln!(out, "{model}, {kernels} kernels, {threads} threads\n")?;
    writeln!(out, "{:8} {:>10} {:>8}", "test", "tokens/s", "±")?;
    for test in tests {
        writeln!(out, "{:8} {:>10.2} {:>8.2}", test.name(), test.mean(), test.deviation())?;
    }
    Ok(())
}
