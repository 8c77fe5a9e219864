//! dram and llama.cpp as programs to be run and timed.

use serde_json::Value;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What is measured.
#[derive(Clone)]
pub(crate) struct Workload {
    pub model: PathBuf,
    /// What dram runs instead: the same model packed, say.
    pub own_model: Option<PathBuf>,
    /// How dram holds weights: its `--weights`.
    pub weights: String,
    /// Tokens of the prompt that is timed.
    pub prompt: usize,
    /// Tokens whose generation is timed.
    pub generate: usize,
    /// Positions that are filled before.
    pub depth: usize,
    /// Sequences that generate at once.
    pub sequences: usize,
    pub threads: usize,
}

/// A prompt of a dozen tokens, for the time to the first token.
const SHORT_PROMPT: &str = "The capital of France is a large city, and its name is";

/// Positions that dram makes room for unless told.
const OUR_CONTEXT: &str = "4096";

/// Whose program it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    Dram,
    Llama,
}

impl Maker {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Dram => "dram",
            Self::Llama => "llama.cpp",
        }
    }
}

/// The programs of one maker: `dram` is both of dram's.
pub(crate) struct Programs {
    pub maker: Maker,
    /// Measures tokens per second.
    pub bench: PathBuf,
    /// Answers a prompt.
    pub complete: PathBuf,
    /// Measures tokens per second of many sequences.
    pub many: PathBuf,
}

/// Tokens per second of what was asked for, and what the program says of itself.
pub(crate) struct Speeds {
    pub prompt: Option<f64>,
    pub generate: Option<f64>,
    pub said: String,
}

/// What is worth recording of what programs say of themselves.
const ITSELF: [&str; 7] =
    ["kernels", "threads", "n_threads", "build_commit", "build_number", "backends", "cpu_info"];

impl Workload {
    /// The names of its tests: reading a prompt, and generating.
    pub(crate) fn tests(&self) -> [String; 2] {
        let times = if self.sequences > 1 { format!("x{}", self.sequences) } else { String::new() };
        let depth = if self.depth > 0 { format!("@{}", self.depth) } else { String::new() };
        [format!("pp{}{depth}", self.prompt), format!("tg{}{times}{depth}", self.generate)]
    }

    /// The file that a maker's program runs.
    pub(crate) fn model(&self, maker: Maker) -> &Path {
        let own = self.own_model.as_deref().filter(|_| maker == Maker::Dram);
        own.unwrap_or(&self.model)
    }
}

impl Programs {
    /// The program that measures.
    pub(crate) fn bench(&self, work: &Workload) -> &Path {
        if work.sequences > 1 { &self.many } else { &self.bench }
    }

    /// The arguments of a measurement of one repetition, after the program.
    pub(crate) fn bench_arguments(&self, work: &Workload) -> Vec<OsString> {
        if work.sequences > 1 && self.maker == Maker::Llama {
            return batched_arguments(work);
        }
        let sequences = work.sequences.to_string();
        let (first, last): (&[&str], &[&str]) = match self.maker {
            Maker::Dram => {
                (&["bench"], &["--json", "--weights", &work.weights, "--sequences", &sequences])
            }
            Maker::Llama => (&["-m"], &["-o", "json"]),
        };
        let numbers = [
            ("-p", work.prompt),
            ("-n", work.generate),
            ("-d", work.depth),
            ("-t", work.threads),
            ("-r", 1),
        ];
        let mut arguments: Vec<OsString> = first.iter().map(OsString::from).collect();
        arguments.push(work.model(self.maker).into());
        arguments
            .extend(numbers.iter().flat_map(|(flag, n)| [(*flag).into(), n.to_string().into()]));
        arguments.extend(last.iter().map(OsString::from));
        arguments
    }

    /// The arguments that make the program answer with one token and end.
    pub(crate) fn complete_arguments(&self, work: &Workload) -> Vec<OsString> {
        let model = OsString::from(work.model(self.maker));
        let threads = work.threads.to_string();
        let texts = |texts: &[&str]| texts.iter().map(OsString::from).collect::<Vec<_>>();
        let mut shared = texts(&["--temp", "0", "-n", "1", "-t", &threads]);
        let own = match self.maker {
            Maker::Dram => {
                let plain = ["--weights", &work.weights, "--raw", SHORT_PROMPT];
                [texts(&["run"]), vec![model], texts(&plain)].concat()
            }
            Maker::Llama => {
                // Else it makes room for the longest context the model was trained for.
                shared.extend(texts(&["-c", OUR_CONTEXT]));
                let plain = ["-no-cnv", "--no-warmup", "-p", SHORT_PROMPT];
                [texts(&["-m"]), vec![model], texts(&plain)].concat()
            }
        };
        [own, shared].concat()
    }

    /// Measures once.
    pub(crate) fn speeds(&self, work: &Workload) -> Result<Speeds, Box<dyn Error>> {
        let output = run(Command::new(self.bench(work)).args(self.bench_arguments(work)))?;
        if work.sequences > 1 && self.maker == Maker::Llama {
            return batched_speeds(&output);
        }
        let tests: Vec<Value> = serde_json::from_slice(&output)?;
        let rate = |count: &str| {
            let test = tests.iter().find(|test| test[count].as_u64() > Some(0));
            test.and_then(|test| test["avg_ts"].as_f64())
        };
        let told = |key: &&str| Some(format!("{key} {}", tests.first()?.get(*key)?));
        let said = ITSELF.iter().filter_map(told).collect::<Vec<_>>().join(", ");
        Ok(Speeds { prompt: rate("n_prompt"), generate: rate("n_gen"), said })
    }

    /// Seconds from the program's start to its end, with one token decoded between.
    pub(crate) fn first_token_seconds(&self, work: &Workload) -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        run(Command::new(&self.complete).args(self.complete_arguments(work)))?;
        Ok(start.elapsed().as_secs_f64())
    }
}

/// Tokens of each sequence's prompt, which llama-batched-bench wants.
const BATCHED_PROMPT: usize = 8;

/// The arguments of llama-batched-bench.
fn batched_arguments(work: &Workload) -> Vec<OsString> {
    let context = work.sequences * (work.depth.max(BATCHED_PROMPT) + work.generate);
    let numbers = [
        ("-c", context),
        ("-npp", work.depth.max(BATCHED_PROMPT)),
        ("-ntg", work.generate),
        ("-npl", work.sequences),
        ("-t", work.threads),
    ];
    let mut arguments: Vec<OsString> = vec!["-m".into(), work.model(Maker::Llama).into()];
    arguments.extend(numbers.iter().flat_map(|(flag, n)| [(*flag).into(), n.to_string().into()]));
    arguments.extend(["--output-format", "jsonl"].map(OsString::from));
    arguments
}

/// What llama-batched-bench measured: one object on a line of its own.
fn batched_speeds(output: &[u8]) -> Result<Speeds, Box<dyn Error>> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().find(|line| line.starts_with('{'));
    let test: Value = serde_json::from_str(line.ok_or("llama-batched-bench measured nothing")?)?;
    Ok(Speeds { prompt: None, generate: test["speed_tg"].as_f64(), said: String::new() })
}

/// Runs a program to its end and returns what it wrote to its output.
fn run(command: &mut Command) -> Result<Vec<u8>, Box<dyn Error>> {
    let program = command.get_program().to_owned();
    let failed = |what: String| format!("{}: {what}", program.display());
    let output = command.stdin(Stdio::null()).output().map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().last().unwrap_or_default();
        return Err(failed(format!("{}: {last}", output.status)).into());
    }
    Ok(output.stdout)
}
