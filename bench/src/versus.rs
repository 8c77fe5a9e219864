//! dram and a peer in turn, in one run, so that both meet the same machine.

use crate::bandwidth::read_bandwidth;
use crate::machine;
use crate::median::{median, range};
use crate::peer::{Maker, Programs, Workload};
use crate::record::{self, MACHINE, Measurement, READ, values};
use crate::work::Work;
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
    /// How dram holds weights
    #[arg(long, default_value = "auto", value_parser = ["auto", "rows", "tiles"])]
    weights: String,
    /// A file for dram to run instead of MODEL: the same, packed by `dram pack`
    #[arg(long, value_name = "FILE")]
    packed: Option<PathBuf>,
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
    workload: Workload,
    work: Work,
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
    let name = arguments.name();
    let machine = arguments.machine.clone().unwrap_or_else(|| machine::slug(&machine::cpu()));
    let table = record::write(&arguments.record, &machine, &name, &measurements, &provenance)?;
    println!("written to {}", table.display());
    Ok(())
}

impl Arguments {
    /// What the record is called after: the file and how dram holds it.
    fn name(&self) -> String {
        let model = self.model.file_stem().unwrap_or_default().to_string_lossy();
        let held = if self.packed.is_some() { "packed" } else { &self.weights };
        format!("{model}-{held}")
    }

    fn contest(&self) -> Result<Contest, Box<dyn Error>> {
        let Self { prompt, generate, threads, rounds, .. } = *self;
        let dram = self.dram.clone().map_or_else(beside_this, Ok)?;
        let complete = self.peer.with_file_name("llama-completion");
        let ours = Programs { maker: Maker::Dram, complete: dram.clone(), bench: dram };
        let theirs = Programs { maker: Maker::Llama, bench: self.peer.clone(), complete };
        let (model, own_model) = (self.model.clone(), self.packed.clone());
        let weights = self.weights.clone();
        let work = Work::of(&model)?;
        let workload = Workload { model, own_model, weights, prompt, generate, threads };
        Ok(Contest { workload, work, rounds, programs: [ours, theirs] })
    }
}

/// The `dram` in the folder of this program.
fn beside_this() -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::current_exe()?.with_file_name("dram");
    let missing = format!("no {}; build it with `cargo build --release`", path.display());
    if path.is_file() { Ok(path) } else { Err(missing.into()) }
}

impl Contest {
    /// Measures the memory and both programs in turn; returns what each said of itself last.
    fn speeds(&self, measurements: &mut Vec<Measurement>) -> Result<[String; 2], Box<dyn Error>> {
        let mut said = [String::new(), String::new()];
        for round in 0..self.rounds {
            let read = read_bandwidth(self.workload.threads)? / 1e9;
            measurements.push(Measurement::new(MACHINE, READ, round, read, "GB/s"));
            for (programs, said) in self.programs.iter().zip(&mut said) {
                let speeds = programs.speeds(&self.workload)?;
                let program = programs.maker.name();
                let [prompt, generate] = self.tests();
                let tests =
                    [(prompt, self.workload.prompt, speeds.prompt), (generate, 1, speeds.generate)];
                for (test, columns, speed) in tests {
                    measurements.extend(
                        self.rates(columns, speed).map(|(value, unit)| {
                            Measurement::new(program, &test, round, value, unit)
                        }),
                    );
                }
                *said = speeds.said;
            }
        }
        Ok(said)
    }

    /// The names of the tests: reading a prompt, and generating.
    fn tests(&self) -> [String; 2] {
        [format!("pp{}", self.workload.prompt), format!("tg{}", self.workload.generate)]
    }

    /// A speed in tokens a second as such, in weights read and in products summed, where a pass
    /// takes so many columns.
    fn rates(&self, columns: usize, speed: f64) -> [(f64, &'static str); 3] {
        let read = self.work.bytes_per_token(columns) * speed / 1e9;
        let summed = self.work.macs_per_token(columns) * speed / 1e9;
        [(speed, "tokens/s"), (read, "GB/s"), (summed, "GMAC/s")]
    }

    /// Times both programs from start to first token; what was measured before has warmed the
    /// file.
    fn first_tokens(&self, measurements: &mut Vec<Measurement>) -> Result<(), Box<dyn Error>> {
        for round in 0..self.rounds {
            for programs in &self.programs {
                let value = 1e3 * programs.first_token_seconds(&self.workload)?;
                let program = programs.maker.name();
                measurements.push(Measurement::new(program, "first_token", round, value, "ms"));
            }
        }
        Ok(())
    }

    /// Prints, for each test, both medians and the ratio with its range over rounds; then how
    /// much of the memory's speed decoding takes.
    fn report(&self, measurements: &[Measurement]) {
        let names = [Maker::Dram, Maker::Llama].map(Maker::name);
        let [prompt, generate] = self.tests();
        println!("{:21} {:>10} {:>10} {:>7}   range", "", names[0], names[1], "ratio");
        let rows = [
            (&*prompt, "tokens/s"),
            (&prompt, "GMAC/s"),
            (&generate, "tokens/s"),
            (&generate, "GB/s"),
            ("first_token", "ms"),
        ];
        for (test, unit) in rows {
            let [ours, theirs] = names.map(|name| values(measurements, name, test, unit));
            let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
            let (least, most) = range(&ratios);
            let (ours, theirs) = (median(&ours), median(&theirs));
            let ratio = ours / theirs;
            println!(
                "{test:12} {unit:8} {ours:10.2} {theirs:10.2} {ratio:7.3}   {least:.3} to {most:.3}"
            );
        }
        let read = values(measurements, MACHINE, READ, "GB/s");
        let ((least, most), read) = (range(&read), median(&read));
        let share = |name| 100.0 * median(&values(measurements, name, &generate, "GB/s")) / read;
        let [ours, theirs] = names.map(share);
        println!("{:21} {ours:9.1}% {theirs:9.1}%", "of the memory's speed");
        println!("the memory gives {read:.1} GB/s ({least:.1} to {most:.1})");
    }

    /// Everything needed to judge the numbers or to measure again.
    fn provenance(&self, said: &[String; 2], load: &str) -> Result<String, Box<dyn Error>> {
        let Self { workload, work, rounds, programs: [ours, theirs] } = self;
        let Work { bytes, layers, head } = work;
        let model = machine::sha256(&workload.model)?;
        let facts = [
            ("date", machine::output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])),
            ("git", machine::output("git", &["describe", "--always", "--dirty"])),
            ("system", machine::output("uname", &["-srm"])),
            ("cpu", machine::cpu()),
            ("load at start", load.into()),
            ("rustc", machine::output("rustc", &["-vV"]).replace('\n', ", ")),
            ("model", format!("{}, sha256 {model}", file_name(&workload.model))),
            ("a pass", format!("{bytes} bytes, {layers} MAC a column, {head} MAC for its logits")),
            ("dram", command(&ours.bench, ours.bench_arguments(workload))),
            ("dram, first token", command(&ours.complete, ours.complete_arguments(workload))),
            ("dram says", said[0].clone()),
            ("peer", command(&theirs.bench, theirs.bench_arguments(workload))),
            ("peer, first token", command(&theirs.complete, theirs.complete_arguments(workload))),
            ("peer says", said[1].clone()),
            ("peer's build", machine::cmake_flags(&theirs.bench)),
            ("rounds", format!("{rounds}, reading memory, dram and peer in turn")),
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
