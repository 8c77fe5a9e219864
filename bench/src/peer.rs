//! dram and llama.cpp as programs to be run and timed.

use serde_json::Value;
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What is measured.
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
    pub threads: usize,
}

/// A prompt of a dozen tokens, for the time to the first token.
const SHORT_PROMPT: &str = "The capital of France is a large city, and its name is";

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
}

/// Tokens per second, and what the program says of itself.
pub(crate) struct Speeds {
    pub prompt: f64,
    pub generate: f64,
    pub said: String,
}

/// What is worth recording of what programs say of themselves.
const ITSELF: [&str; 7] =
    ["kernels", "threads", "n_threads", "build_commit", "build_number", "backends", "cpu_info"];

impl Workload {
    /// The file that a maker's program runs.
    pub(crate) fn model(&self, maker: Maker) -> &Path {
        let own = self.own_model.as_deref().filter(|_| maker == Maker::Dram);
        own.unwrap_or(&self.model)
    }
}

impl Programs {
    /// The arguments of a measurement of one repetition, after the program.
    pub(crate) fn bench_arguments(&self, work: &Workload) -> Vec<OsString> {
        let (first, last): (&[&str], &[&str]) = match self.maker {
            Maker::Dram => (&["bench"], &["--json", "--weights", &work.weights]),
            Maker::Llama => (&["-m"], &["-o", "json"]),
        };
        let numbers = [("-p", work.prompt), ("-n", work.generate), ("-t", work.threads), ("-r", 1)];
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
        let shared = texts(&["--temp", "0", "-n", "1", "-t", &threads]);
        let own = match self.maker {
            Maker::Dram => {
                let plain = ["--weights", &work.weights, "--raw", SHORT_PROMPT];
                [texts(&["run"]), vec![model], texts(&plain)].concat()
            }
            Maker::Llama => {
                let plain = ["-no-cnv", "--no-warmup", "-p", SHORT_PROMPT];
                [texts(&["-m"]), vec![model], texts(&plain)].concat()
            }
        };
        [own, shared].concat()
    }

    /// Measures once.
    pub(crate) fn speeds(&self, work: &Workload) -> Result<Speeds, Box<dyn Error>> {
        let output = run(Command::new(&self.bench).args(self.bench_arguments(work)))?;
        let tests: Vec<Value> = serde_json::from_slice(&output)?;
        let rate = |count: &str| {
            let test = tests.iter().find(|test| test[count].as_u64() > Some(0));
            let missing = format!("{} measured no {count} above 0", self.maker.name());
            test.and_then(|test| test["avg_ts"].as_f64()).ok_or(missing)
        };
        let told = |key: &&str| Some(format!("{key} {}", tests.first()?.get(*key)?));
        let said = ITSELF.iter().filter_map(told).collect::<Vec<_>>().join(", ");
        Ok(Speeds { prompt: rate("n_prompt")?, generate: rate("n_gen")?, said })
    }

    /// Seconds from the program's start to its end, with one token decoded between.
    pub(crate) fn first_token_seconds(&self, work: &Workload) -> Result<f64, Box<dyn Error>> {
        let start = Instant::now();
        run(Command::new(&self.complete).args(self.complete_arguments(work)))?;
        Ok(start.elapsed().as_secs_f64())
    }
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
