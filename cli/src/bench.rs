//! `dram bench`: tokens a second, as llama-bench measures them.
//!
//! *pp* reads a prompt of random tokens into a context that holds `--depth` tokens, in as few
//! passes as the batch allows. *tg* generates one token at a time, of as many sequences as asked in
//! one pass; the tokens are random, since choosing them is not what is measured.

use crate::args;
use crate::exit::Outcome;
use crate::host::Host;
use crate::load::{self, megabytes, threads_in_words};
use crate::models;
use dram_boards::{Root, Threads};
use dram_runtime::{Column, Error, Sequence, Session};
use dram_targets::Kernels;
use serde_json::json;
use std::io::{self, Write};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// One test and the speed of each of its runs.
struct Test {
    prompt: usize,
    generate: usize,
    /// Positions each sequence holds before.
    depth: usize,
    /// Sequences that generate at once.
    sequences: usize,
    /// Tokens a second, of all sequences.
    speeds: Vec<f64>,
}

pub(crate) fn run(args: &args::Bench, kernels: &'static Kernels) -> Outcome {
    let path = models::find(&args.model)?;
    let mut load = args.load.clone();
    let needed = args.depth.saturating_add(args.prompt.max(args.generate)).try_into().ok();
    load.ctx = load.ctx.or(needed);
    load.sequences = Some(args.sequences);
    let host = Host::read(Root::system(), load.board.as_deref())?;
    load::with_session(&host, &path, &load, kernels, |model, session| {
        // What is measured is how it goes on, not how it starts.
        session.arrange();
        let mut tests = Vec::new();
        for mut test in Test::asked(args) {
            test.run(session, args.repetitions.get())?;
            tests.push(test);
        }
        let threads = model.threads;
        if args.json {
            print_json(&tests, &model.name(), kernels.name(), threads)
        } else {
            let name = format!("{}, {}", model.name(), megabytes(model.weights_bytes));
            print_table(&tests, &name, kernels.name(), threads)
        }
    })
}

impl Test {
    /// The tests that the command line asks for.
    fn asked(args: &args::Bench) -> impl Iterator<Item = Self> {
        let [prompt, generate] = [(args.prompt, 0, 1), (0, args.generate, args.sequences.get())]
            .map(|(prompt, generate, sequences)| Self {
                prompt,
                generate,
                depth: args.depth,
                sequences,
                speeds: Vec::new(),
            });
        [prompt, generate].into_iter().filter(|test| test.prompt + test.generate > 0)
    }

    /// Runs once to warm up, then as often as asked.
    fn run(&mut self, session: &mut Session<'_>, repetitions: usize) -> Result<(), Error> {
        let tokens = random_tokens(self.prompt + self.generate, session.plan().tokens());
        let sequences = self.fill(session)?;
        self.once(session, &sequences, &tokens)?;
        for _ in 0..repetitions {
            let start = Instant::now();
            self.once(session, &sequences, &tokens)?;
            let seconds = start.elapsed().as_secs_f64();
            self.speeds.push((tokens.len() * self.sequences) as f64 / seconds);
        }
        sequences.into_iter().try_for_each(|sequence| session.close(sequence))
    }

    /// Sequences of the test's depth.
    fn fill(&self, session: &mut Session<'_>) -> Result<Vec<Sequence>, Error> {
        let tokens = random_tokens(self.depth, session.plan().tokens());
        let open = |_| {
            let sequence = session.open()?;
            session.prompt(sequence, &tokens).map(|()| sequence)
        };
        (0..self.sequences).map(open).collect()
    }

    /// Reads the tokens, or generates as many in every sequence; then sequences are as before.
    fn once(
        &self,
        session: &mut Session<'_>,
        sequences: &[Sequence],
        tokens: &[u32],
    ) -> Result<(), Error> {
        if self.prompt > 0 {
            session.prompt(sequences[0], tokens)?;
        } else {
            let mut columns = Vec::with_capacity(sequences.len());
            for &token in tokens {
                columns.clear();
                columns.extend(sequences.iter().map(|&sequence| Column {
                    sequence,
                    token,
                    wants_logits: true,
                }));
                session.forward(&columns, &AtomicBool::new(false))?;
            }
        }
        sequences.iter().try_for_each(|sequence| session.rewind(*sequence, self.depth))
    }

    fn name(&self) -> String {
        let name = match self.generate {
            0 => format!("pp{}", self.prompt),
            generate => format!("tg{generate}"),
        };
        let times = if self.sequences > 1 { format!("x{}", self.sequences) } else { String::new() };
        let depth = if self.depth > 0 { format!("@{}", self.depth) } else { String::new() };
        name + &times + &depth
    }

    /// Threads that the test runs with.
    fn threads(&self, threads: Threads) -> u32 {
        if self.prompt > 0 { threads.prefill } else { threads.decode }
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
    let threads = threads_in_words(threads);
    writeln!(out, "{model}, {kernels} kernels, {threads}\n")?;
    writeln!(out, "{:12} {:>10} {:>8}", "test", "tokens/s", "±")?;
    for test in tests {
        writeln!(out, "{:12} {:>10.2} {:>8.2}", test.name(), test.mean(), test.deviation())?;
    }
    Ok(())
}
