//! dram and a peer in turn, in one run, so that both meet the same machine.

use crate::machine;
use crate::median::{median, range};
use crate::peer::{Maker, Programs, Workload};
use crate::record::{self, Measurement};
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the command line asks for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A GGUF file
    model: PathBuf,
    /// The peer's llama-bench; its llama-completion lies beside it
    #[arg(long, value_name = "LLAMA_BENCH")]
    peer: PathBuf,
    /// Tokens of the prompt whose reading is timed
    #[arg(short = 'p', long, default_value_t = 512)]
    prompt: usize,
    /// Tokens whose generation is timed
    #[arg(short = 'n', long, default_value_t = 64)]
    generate: usize,
    /// Threads of each program
    #[arg(short, long, default_value_t = 2)]
    threads: usize,
    /// Rounds, each with one run of each program
    #[arg(short, long, default_value_t = 5)]
    rounds: usize,
    /// The `dram` to measure, if not the one beside this program
    #[arg(long)]
    dram: Option<PathBuf>,
    /// The folder of records
    #[arg(long, default_value = "bench/record")]
    record: PathBuf,
    /// The folder in it, named after the CPU's model unless told
    #[arg(long)]
    machine: Option<String>,
}

/// A run of rounds.
struct Contest {
    work: Workload,
    rounds: usize,
    /// dram, then the peer.
    programs: [Programs; 2],
}

/// Measures, prints medians and ratios, and writes the record.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let contest = arguments.contest()?;
    let load = machine::load();
    let mut measurements = Vec::new();
    let said = contest.speeds(&mut measurements)?;
    contest.first_tokens(&mut measurements)?;
    contest.report(&measurements);
    let provenance = contest.provenance(&said, &load)?;
    let name = arguments.model.file_stem().unwrap_or_default().to_string_lossy();
    let machine = arguments.machine.clone().unwrap_or_else(|| machine::slug(&machine::cpu()));
    let table = record::write(&arguments.record, &machine, &name, &measurements, &provenance)?;
    println!("written to {}", table.display());
    Ok(())
}

impl Arguments {
    fn contest(&self) -> Result<Contest, Box<dyn Error>> {
        let Self { prompt, generate, threads, rounds, .. } = *self;
        let dram = self.dram.clone().map_or_else(beside_this, Ok)?;
        let complete = self.peer.with_file_name("llama-completion");
        let ours = Programs { maker: Maker::Dram, complete: dram.clone(), bench: dram };
        let theirs = Programs { maker: Maker::Llama, bench: self.peer.clone(), complete };
        let work = Workload { model: self.model.clone(), prompt, generate, threads };
        Ok(Contest { work, rounds, programs: [ours, theirs] })
    }
}

/// The `dram` in the folder of this program.
fn beside_this() -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::current_exe()?.with_file_name("dram");
    let missing = format!("no {}; build it with `cargo build --release`", path.display());
    if path.is_file() { Ok(path) } else { Err(missing.into()) }
}

impl Contest {
    /// Measures both programs in turn; returns what each said of itself last.
    fn speeds(&self, measurements: &mut Vec<Measurement>) -> Result<[String; 2], Box<dyn Error>> {
        let mut said = [String::new(), String::new()];
        for round in 0..self.rounds {
            for (programs, said) in self.programs.iter().zip(&mut said) {
                let speeds = programs.speeds(&self.work)?;
                let read = ("pp", self.work.prompt, speeds.prompt);
                for (kind, tokens, value) in [read, ("tg", self.work.generate, speeds.generate)] {
                    let test = format!("{kind}{tokens}");
                    measurements.push(programs.measurement(test, round, value, "tokens/s"));
                }
                *said = speeds.said;
            }
        }
        Ok(said)
    }

    /// Times both programs from start to first token; what was measured before has warmed the
    /// file.
    fn first_tokens(&self, measurements: &mut Vec<Measurement>) -> Result<(), Box<dyn Error>> {
        for round in 0..self.rounds {
            for programs in &self.programs {
                let value = 1e3 * programs.first_token_seconds(&self.work)?;
                measurements.push(programs.measurement("first_token".into(), round, value, "ms"));
            }
        }
        Ok(())
    }

    /// Prints, for each test, both medians and the ratio with its range over rounds.
    fn report(&self, measurements: &[Measurement]) {
        let Workload { prompt, generate, .. } = self.work;
        println!("{:12} {:>10} {:>10} {:>7}   range", "", "dram", "llama.cpp", "ratio");
        for test in [format!("pp{prompt}"), format!("tg{generate}"), "first_token".into()] {
            let own = |maker: Maker| {
                let own = measurements.iter().filter(|m| m.program == maker.name());
                own.filter(|m| m.test == test).map(|m| m.value).collect::<Vec<_>>()
            };
            let (ours, theirs) = (own(Maker::Dram), own(Maker::Llama));
            let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
            let (least, most) = range(&ratios);
            let (ours, theirs) = (median(&ours), median(&theirs));
            let ratio = ours / theirs;
            println!("{test:12} {ours:10.2} {theirs:10.2} {ratio:7.3}   {least:.3} to {most:.3}");
        }
        println!("pp and tg in tokens/s, first_token in ms");
    }

    /// Everything needed to judge the numbers or to measure again.
    fn provenance(&self, said: &[String; 2], load: &str) -> Result<String, Box<dyn Error>> {
        let Self { work, rounds, programs: [ours, theirs] } = self;
        let model = machine::sha256(&work.model)?;
        let facts = [
            ("date", machine::output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])),
            ("git", machine::output("git", &["describe", "--always", "--dirty"])),
            ("system", machine::output("uname", &["-srm"])),
            ("cpu", machine::cpu()),
            ("load at start", load.into()),
            ("rustc", machine::output("rustc", &["-vV"]).replace('\n', ", ")),
            ("model", format!("{}, sha256 {model}", file_name(&work.model))),
            ("dram", command(&ours.bench, ours.bench_arguments(work))),
            ("dram, first token", command(&ours.complete, ours.complete_arguments(work))),
            ("dram says", said[0].clone()),
            ("peer", command(&theirs.bench, theirs.bench_arguments(work))),
            ("peer, first token", command(&theirs.complete, theirs.complete_arguments(work))),
            ("peer says", said[1].clone()),
            ("peer's build", machine::cmake_flags(&theirs.bench)),
            ("rounds", format!("{rounds}, dram and peer in turn")),
        ];
        Ok(facts.iter().map(|(name, fact)| format!("{name}: {fact}\n")).collect())
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A command line as it was run, folders left out.
fn command(program: &Path, arguments: Vec<OsString>) -> String {
    let words = arguments.iter().map(|argument| match argument.to_string_lossy() {
        text if text.contains(' ') => format!("{text:?}"),
        text => file_name(Path::new(&*text)),
    });
    [file_name(program)].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}
