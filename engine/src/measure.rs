//! Tokens a second, as llama-bench measures them.
//!
//! *pp* reads a prompt of random tokens into a context that holds some tokens, in as few passes as
//! the batch allows. *tg* generates one token at a time, of as many sequences as asked in one pass;
//! the tokens are random, since choosing them is not what is measured.

use crate::error::Outcome;
use dram_boards::Threads;
use dram_runtime::{Column, Error, Sequence, Session};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// One test and the speed of each of its runs.
#[derive(Clone, Debug)]
pub struct Test {
    /// Tokens of the prompt that is read; 0 where tokens are generated.
    pub prompt: usize,
    /// Tokens that each sequence generates; 0 where a prompt is read.
    pub generate: usize,
    /// Positions each sequence holds before.
    pub depth: usize,
    /// Sequences that generate at once.
    pub sequences: usize,
    /// Tokens a second, of all sequences.
    speeds: Vec<f64>,
}

/// Runs a test of the prompt and one of generating, without those of no tokens: once to warm up,
/// then as often as asked.
///
/// # Errors
///
/// As [`Session::forward`].
pub fn run(
    session: &mut Session<'_>,
    [prompt, generate]: [usize; 2],
    depth: usize,
    sequences: usize,
    repetitions: usize,
) -> Outcome<Vec<Test>> {
    // What is measured is how it goes on, not how it starts.
    session.arrange();
    let new = |prompt, generate, sequences| Test {
        prompt,
        generate,
        depth,
        sequences,
        speeds: Vec::new(),
    };
    let tests = [new(prompt, 0, 1), new(0, generate, sequences)];
    let mut tests =
        Vec::from_iter(tests.into_iter().filter(|test| test.prompt + test.generate > 0));
    tests.iter_mut().try_for_each(|test| test.run(session, repetitions))?;
    Ok(tests)
}

impl Test {
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

    /// As llama-bench writes it: `pp512`, `tg128x8@4096`.
    pub fn name(&self) -> String {
        let name = match self.generate {
            0 => format!("pp{}", self.prompt),
            generate => format!("tg{generate}"),
        };
        let times = if self.sequences > 1 { format!("x{}", self.sequences) } else { String::new() };
        let depth = if self.depth > 0 { format!("@{}", self.depth) } else { String::new() };
        name + &times + &depth
    }

    /// Threads that the test runs with.
    pub const fn threads(&self, threads: Threads) -> u32 {
        if self.prompt > 0 { threads.prefill } else { threads.decode }
    }

    /// Tokens a second.
    pub fn mean(&self) -> f64 {
        self.speeds.iter().sum::<f64>() / self.speeds.len() as f64
    }

    /// The standard deviation of the sample; 0 for a single run.
    pub fn deviation(&self) -> f64 {
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
