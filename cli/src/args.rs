//! Every flag and environment variable, once, with its help.

use clap::{Args, Parser, Subcommand, ValueEnum};
use dram_engine::LoadOptions;
use dram_runtime::KvFormat;
use std::ffi::OsString;
use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;

const AFTER_HELP: &str = "\
A MODEL is the path of a GGUF file or a name: that of a file in the models folder, with or without
`.gguf`, or one that `dram pull` knows.

Environment:
  DRAM_MODELS   The models folder; else $XDG_DATA_HOME/dram/models, else ~/.local/share/dram/models
  DRAM_KERNELS  As --kernels
  NO_COLOR      If set to anything, nothing is dimmed

Exit codes:
  0    Done
  1    Failed while running
  2    Wrong usage
  65   The file is damaged or not a model that runs here, or the text is not UTF-8
  66   There is no such file or model
  71   It does not fit in memory
  75   The context or the limit of tokens was reached inside the thought: there is no answer
  130  Interrupted";

/// Runs distilled reasoning models offline.
#[derive(Parser)]
#[command(name = "dram", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    /// Use the kernels of this instruction set instead of the fastest
    #[arg(long, global = true, env = "DRAM_KERNELS", value_name = "NAME")]
    pub kernels: Option<String>,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Answer a prompt, or chat
    Run(Run),
    /// Measure prompt processing (pp) and text generation (tg) in tokens a second
    Bench(Bench),
    /// Tell what is in a model's file
    Show(Show),
    /// Turn the text on stdin into tokens, without the token that begins a prompt
    Tokenize(Tokenize),
    /// Write a model's file again with its weights in tiles, to be mapped faster later
    Pack(Pack),
    /// Download a model into the models folder
    Pull(Pull),
    /// List the models in the models folder
    List(List),
    /// Delete models from the models folder
    Rm(Rm),
    /// Tell what this machine is, what runs on it, and what to change
    Doctor(Doctor),
    /// Tell whether a model fits a board's memory, with which context, and how fast it may be
    Fit(Fit),
    /// List the boards that are known
    Boards(Boards),
}

#[derive(Args)]
#[command(after_help = "\
Without MODEL: the model that ran last, else the only one in the models folder; if that is empty,
smollm2:135m, which is downloaded once. One line tells which it is. A first word that looks like a model and is none
is refused. What stdin holds, unless it is a terminal, is the prompt, or comes before PROMPT on lines
of its own. Without either it is a chat.

The answer goes to stdout, thoughts and everything else to stderr. Ctrl-C stops the answer.

Before a board gets so hot that its clocks fall, it computes with fewer threads, then rests between
tokens, and comes back when it is cool; the answer stays the same. If memory runs out all the same, the
kernel ends dram before other programs (oom_score_adj is 500).")]
pub(crate) struct Run {
    /// A model and a prompt; the first word is the model if it is a file, a name or looks like one
    #[arg(value_name = "[MODEL] PROMPT")]
    pub words: Vec<OsString>,
    /// Complete the prompt as it stands, without template, and print the continuation alone; names of
    /// control tokens in it are these tokens
    #[arg(long, conflicts_with_all = ["system", "hide_think"])]
    pub raw: bool,
    /// Stop after this many tokens; -1 for as many as the context holds
    #[arg(short = 'n', value_name = "TOKENS", value_parser = most, allow_negative_numbers = true)]
    pub tokens: Option<usize>,
    /// Instructions before the conversation; smollm2:135m has "Be concise and correct."
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Do not show what the model thinks
    #[arg(long)]
    pub hide_think: bool,
    /// Tell speed, time to the first token and memory in the end
    #[arg(long)]
    pub verbose: bool,
    #[command(flatten)]
    pub output: Output,
    /// Show how it goes on the light and the display of the board's pins, and stop at a press of the
    /// button; a long one forgets the conversation
    #[cfg(feature = "face")]
    #[arg(long)]
    pub face: bool,
    #[command(flatten)]
    pub sampling: Sampling,
    #[command(flatten)]
    pub load: Load,
}

/// How a token is chosen. Defaults are R1's own for its distills, else those in the model's file.
#[derive(Args)]
#[command(next_help_heading = "Sampling")]
pub(crate) struct Sampling {
    /// Randomness; 0 takes the likeliest token
    #[arg(long, value_parser = not_negative, allow_negative_numbers = true)]
    pub temp: Option<f32>,
    /// Choose among this many likeliest tokens; 0 or -1 for all
    #[arg(long, value_name = "COUNT", value_parser = or_zero, allow_negative_numbers = true)]
    pub top_k: Option<usize>,
    /// Choose among the likeliest tokens that together have this probability
    #[arg(long, value_name = "PROBABILITY", value_parser = probability, allow_negative_numbers = true)]
    pub top_p: Option<f32>,
    /// Choose among tokens at least this likely, relative to the likeliest
    #[arg(long, value_name = "PROBABILITY", value_parser = probability, allow_negative_numbers = true)]
    pub min_p: Option<f32>,
    /// Make recent tokens less likely; 1 for no penalty
    #[arg(long, value_name = "FACTOR", value_parser = positive, allow_negative_numbers = true)]
    pub repeat_penalty: Option<f32>,
    /// Where chance starts; the same seed gives the same text, and -1 is another one every time
    #[arg(long, value_name = "NUMBER", value_parser = seed, allow_negative_numbers = true)]
    pub seed: Option<Seed>,
}

/// Where chance starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seed {
    /// Somewhere else every time.
    Random,
    Fixed(u64),
}

/// How a model is laid out in memory.
#[derive(Args)]
#[command(next_help_heading = "Resources")]
pub(crate) struct Load {
    #[command(flatten)]
    pub context: Context,
    /// Leave this many of the fast cores to other programs, such as a desktop; one always computes
    #[arg(long, value_name = "CORES", default_value_t = 0, conflicts_with = "threads")]
    pub spare: usize,
    #[command(flatten)]
    pub board: OnBoard,
    /// How weights lie: mapped as they are (rows), arranged in tiles, or whichever is faster and fits
    #[arg(long, value_enum, default_value_t = Weights::Auto)]
    pub weights: Weights,
    /// Lock the weights in memory, so that the system never drops or swaps them
    #[arg(long)]
    pub mlock: bool,
    /// Run even if the free memory does not hold the weights, which then come from the disk
    #[arg(long)]
    pub force: bool,
}

/// What a session needs memory for.
#[derive(Args)]
pub(crate) struct Context {
    /// Positions of prompt and answer together, 0 for all that the model was trained for; 4096 unless
    /// given, or fewer if it was trained for fewer
    #[arg(short = 'c', long, alias = "ctx-size", value_name = "TOKENS", value_parser = whole)]
    #[arg(allow_negative_numbers = true)]
    pub ctx: Option<usize>,
    /// Format of keys and values
    #[arg(long, value_enum, default_value_t = Kv::F16)]
    pub kv: Kv,
    /// Threads; as the board wants them, else as many as there are fast cores, also for 0 and -1
    #[arg(short, long, value_name = "COUNT", value_parser = or_zero, allow_negative_numbers = true)]
    pub threads: Option<usize>,
}

/// Which board it is to be.
#[derive(Args)]
pub(crate) struct OnBoard {
    /// Take this board instead of the machine's own: an id that `dram boards` lists, or the path of a
    /// TOML file
    #[arg(id = "board", long = "board", value_name = "NAME|FILE")]
    pub name: Option<OsString>,
}

/// For whom the output is.
#[derive(Args)]
pub(crate) struct Output {
    /// Print one JSON value instead of text
    #[arg(long)]
    pub json: bool,
}

impl Load {
    /// As the engine takes it.
    pub(crate) fn options(&self) -> LoadOptions {
        let &Self { spare, weights, mlock, force, .. } = self;
        let weights = match weights {
            Weights::Auto => dram_engine::Weights::Auto,
            Weights::Rows => dram_engine::Weights::Rows,
            Weights::Tiles => dram_engine::Weights::Tiles,
        };
        self.context.apply(LoadOptions { spare, weights, mlock, force, ..LoadOptions::default() })
    }
}

impl Context {
    /// The options with what is asked for here.
    pub(crate) fn apply(&self, options: LoadOptions) -> LoadOptions {
        let kv = match self.kv {
            Kv::F16 => KvFormat::F16,
            Kv::Q8_0 => KvFormat::Q8_0,
        };
        let threads = self.threads.filter(|&threads| threads > 0);
        LoadOptions { context: self.ctx, kv, threads, ..options }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Kv {
    F16,
    #[value(name = "q8_0")]
    Q8_0,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Weights {
    Auto,
    Rows,
    Tiles,
}

#[derive(Args)]
pub(crate) struct Bench {
    /// A path or a name
    pub model: OsString,
    /// Tokens of the prompt; 0 leaves the test out
    #[arg(short = 'p', value_name = "TOKENS", default_value_t = 512)]
    pub prompt: usize,
    /// Tokens to generate, one at a time; 0 leaves the test out
    #[arg(short = 'n', value_name = "TOKENS", default_value_t = 128)]
    pub generate: usize,
    /// Positions that sequences hold before a test begins
    #[arg(short, long, value_name = "TOKENS", default_value_t = 0)]
    pub depth: usize,
    /// Sequences that generate at once
    #[arg(long, value_name = "COUNT", default_value = "1")]
    pub sequences: NonZero<usize>,
    /// How often each test runs
    #[arg(short, long, value_name = "TIMES", default_value = "5")]
    pub repetitions: NonZero<usize>,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub load: Load,
}

#[derive(Args)]
pub(crate) struct Show {
    /// A path or a name
    pub model: OsString,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Args)]
pub(crate) struct Tokenize {
    /// A path or a name
    pub model: OsString,
    /// Print ids alone, separated by spaces
    #[arg(long)]
    pub ids: bool,
    /// Read the names of control tokens as these tokens, not as text
    #[arg(long)]
    pub special: bool,
}

#[derive(Args)]
pub(crate) struct Pack {
    /// The model to read: a path or a name
    pub input: OsString,
    /// The file to write; one that is there is replaced
    pub output: PathBuf,
}

#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub output: Output,
}

#[derive(Args)]
pub(crate) struct Rm {
    /// Names of models; all are deleted, or none if one is not there
    #[arg(required = true)]
    pub models: Vec<OsString>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
}

#[derive(Args)]
pub(crate) struct Pull {
    /// The model's name; for now smollm2:135m is the only one
    pub name: String,
}

#[derive(Args)]
#[command(after_help = "\
Boards of one's own are described in /etc/dram/boards/NAME.toml, in the form of those built in.

Nothing is changed. The speed of the disk is measured by reading up to 64 MB of a model's file.")]
pub(crate) struct Doctor {
    /// The model whose disk is measured; without it the largest in the models folder
    pub model: Option<OsString>,
    #[command(flatten)]
    pub board: OnBoard,
    #[command(flatten)]
    pub output: Output,
    /// A folder in place of `/`, with `proc` and `sys` as another machine has them
    #[arg(long, value_name = "FOLDER", hide = true)]
    pub root: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Without --board it is this machine and the memory that is free now; with it each size the board is
sold with, less an estimate of what the system takes. Speeds are predictions: what the memory's
bandwidth and the cores' arithmetic allow. The exit code is 71 if it fits nowhere.")]
pub(crate) struct Fit {
    /// A path, a name, or an address of which only the first megabytes are read: https://…,
    /// hf.co/USER/REPO:QUANT or hf.co/USER/REPO/FILE.gguf
    pub model: OsString,
    #[command(flatten)]
    pub board: OnBoard,
    /// Tell of every board that is known, in one line each
    #[arg(long, conflicts_with = "board")]
    pub all: bool,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub context: Context,
}

#[derive(Args)]
pub(crate) struct Boards {
    #[command(flatten)]
    pub output: Output,
}

/// A whole number of 0 or more.
fn whole(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "must be a whole number, 0 or more".into())
}

/// A whole number; those below 0 count as 0, as other programs mean -1.
fn or_zero(text: &str) -> Result<usize, String> {
    match signed(text)? {
        ..0 => Ok(0),
        _ => whole(text),
    }
}

/// How many tokens; -1 and -2 mean no limit but the context, as in llama.cpp.
fn most(text: &str) -> Result<usize, String> {
    match signed(text)? {
        -2 | -1 => Ok(usize::MAX),
        1.. => whole(text),
        _ => Err("must be 1 or more, or -1 for as many as the context holds".into()),
    }
}

fn seed(text: &str) -> Result<Seed, String> {
    match text.parse() {
        Ok(seed) => Ok(Seed::Fixed(seed)),
        Err(_) if text == "-1" => Ok(Seed::Random),
        Err(_) => Err("must be a whole number from 0 to 18446744073709551615, or -1".into()),
    }
}

fn signed(text: &str) -> Result<i128, String> {
    i128::from_str(text).map_err(|_| "must be a whole number".into())
}

fn number(text: &str) -> Result<f32, String> {
    text.parse().ok().filter(|n: &f32| n.is_finite()).ok_or_else(|| "must be a number".into())
}

fn not_negative(text: &str) -> Result<f32, String> {
    match number(text)? {
        n if n >= 0.0 => Ok(n),
        _ => Err("must be 0 or more".into()),
    }
}

fn positive(text: &str) -> Result<f32, String> {
    match number(text)? {
        n if n > 0.0 => Ok(n),
        _ => Err("must be more than 0".into()),
    }
}

fn probability(text: &str) -> Result<f32, String> {
    match number(text)? {
        n if (0.0..=1.0).contains(&n) => Ok(n),
        _ => Err("must be from 0 to 1".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Cli, Seed, most, or_zero, probability, seed, whole};
    use clap::{CommandFactory, Parser};

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn threads_and_spared_cores_exclude_each_other() {
        assert!(Cli::try_parse_from(["dram", "run", "-t", "1"]).is_ok());
        assert!(Cli::try_parse_from(["dram", "run", "-t", "1", "--spare", "1"]).is_err());
    }

    #[test]
    fn numbers_mean_what_they_mean_in_llama_cpp() {
        for all in ["-1", "-2"] {
            assert_eq!(most(all), Ok(usize::MAX));
        }
        assert_eq!((most("7"), seed("-1")), (Ok(7), Ok(Seed::Random)));
        assert_eq!(seed("18446744073709551615"), Ok(Seed::Fixed(u64::MAX)));
        assert_eq!((or_zero("-1"), or_zero("0"), or_zero("40")), (Ok(0), Ok(0), Ok(40)));
        assert_eq!(whole("0"), Ok(0));
        let line =
            ["dram", "run", "-n", "-1", "--seed", "-1", "-c", "0", "--top-k", "-1", "-t", "-1"];
        assert!(Cli::try_parse_from(line).is_ok());
        for text in ["", "many", "1.5", "0x10", "-3", "99999999999999999999999999999999999999999"] {
            assert!(most(text).is_err() && seed(text).is_err() && whole(text).is_err(), "{text}");
        }
        assert!(most("0").is_err() && whole("-1").is_err() && or_zero("two").is_err());
    }

    #[test]
    fn probabilities() {
        assert_eq!(probability("0.95"), Ok(0.95));
        for text in ["-0.1", "1.1", "NaN", "inf", "much"] {
            assert!(probability(text).is_err(), "{text}");
        }
    }
}
