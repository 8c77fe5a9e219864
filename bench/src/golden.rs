//! Three programs on the same tokens: llama.cpp's recorded log-probabilities, a plain f32 forward
//! pass, and ours. Where greedy choices part, this tells whose rounding it is.

use crate::reference::Reference;
use dram_runtime::{Column, Gguf, Limits, Map, Plan, Session};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

type Failure = Box<dyn std::error::Error>;

/// What the command line asks for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A GGUF file
    model: PathBuf,
    /// What llama.cpp said: `prompt_tokens`, `greedy_tokens` and `top5_logprobs` of each prompt
    golden: PathBuf,
}

/// How far one program is from another.
#[derive(Default)]
struct Distance {
    squares: f64,
    count: usize,
    /// Where the likeliest tokens differ: by how much the other prefers its own to its second.
    partings: Vec<f64>,
}

/// Compares on every position of every reply and prints what was found.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let golden: Vec<Value> = serde_json::from_slice(&std::fs::read(&arguments.golden)?)?;
    let map = Map::open(&arguments.model)?;
    let gguf = Gguf::parse(&map)?;
    let mut slots = vec![None; Plan::layers_in(&gguf)?];
    let plan = Plan::new(&gguf, &mut slots)?;
    let limits = Limits { context: 512, logits: 256, threads: 2, ..Limits::default() };
    let mut memory = vec![0; Session::bytes(&plan, &limits)?];
    let mut session = Session::new(&plan, dram_targets::best(), limits, &mut memory)?;
    let reference = Reference::new(&gguf, limits.threads)?;
    let (mut ours, mut plain) = (Distance::default(), Distance::default());
    for case in &golden {
        let (tokens, first) = tokens(case)?;
        let exact = reference.logits(&tokens, first)?;
        let sequence = session.open()?;
        let column = |&token| Column { sequence, token, wants_logits: true };
        session.forward(&tokens.iter().map(column).collect::<Vec<_>>(), &AtomicBool::new(false))?;
        session.close(sequence)?;
        let tops = case["top5_logprobs"].as_array().ok_or("no top5_logprobs")?;
        for ((i, top), exact) in tops.iter().enumerate().zip(exact.chunks_exact(plan.tokens())) {
            let top: Vec<(usize, f64)> = serde_json::from_value(top.clone())?;
            ours.add(session.logits(first + i), &top);
            plain.add(exact, &top);
        }
    }
    ours.report("dram");
    plain.report("f32");
    Ok(())
}

/// The tokens of a prompt and its reply but the last, and the place of the prompt's last.
fn tokens(case: &Value) -> Result<(Vec<u32>, usize), Failure> {
    let mut tokens: Vec<u32> = serde_json::from_value(case["prompt_tokens"].clone())?;
    let first = tokens.len() - 1;
    let reply: Vec<u32> = serde_json::from_value(case["greedy_tokens"].clone())?;
    tokens.extend(&reply[..reply.len() - 1]);
    Ok((tokens, first))
}

impl Distance {
    /// Adds one position, for which the other program gave its likeliest tokens.
    fn add(&mut self, logits: &[f32], top: &[(usize, f64)]) {
        let max = logits.iter().fold(f32::MIN, |a, b| a.max(*b));
        let sum: f64 = logits.iter().map(|x| f64::from(x - max).exp()).sum();
        for (token, theirs) in top {
            self.squares += (f64::from(logits[*token] - max) - sum.ln() - theirs).powi(2);
            self.count += 1;
        }
        if logits[top[0].0] < max {
            self.partings.push(top[0].1 - top[1].1);
        }
    }

    fn report(&mut self, program: &str) {
        self.partings.sort_by(f64::total_cmp);
        let rms = (self.squares / self.count as f64).sqrt();
        println!(
            "{program:5} log-probabilities differ from llama.cpp's by {rms:.3} (rms of its top 5)"
        );
        let (count, positions) = (self.partings.len(), self.count / 5);
        println!(
            "      likeliest token differs at {count} of {positions} positions; there llama.cpp's first two"
        );
        println!("      differ by {:.2?}", self.partings);
    }
}
