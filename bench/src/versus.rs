//! dram and a peer in turn, in one run, so that both meet the same machine.

use crate::arithmetic::multiply_rate;
use crate::bandwidth::read_bandwidth;
use crate::machine;
use crate::median::{median, range};
use crate::peer::{Maker, Programs, Speeds, Workload};
use crate::record::{self, MACHINE, MULTIPLY, Measurement, READ, values};
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
    /// Contexts, filled before, in which generation is timed too
    #[arg(long, value_name = "POSITIONS", value_delimiter = ',')]
    depths: Vec<usize>,
    /// Numbers of sequences whose generation at once is timed too; the peer's llama-batched-bench
    /// lies beside its llama-bench
    #[arg(long, value_name = "COUNTS", value_delimiter = ',')]
    sequences: Vec<usize>,
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
    /// A prompt and generation, then other ways to generate.
    workloads: Vec<Workload>,
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
        let ours = Programs {
            maker: Maker::Dram,
            bench: dram.clone(),
            complete: dram.clone(),
            many: dram,
        };
        let many = self.peer.with_file_name("llama-batched-bench");
        let theirs = Programs { maker: Maker::Llama, bench: self.peer.clone(), complete, many };
        let (model, own_model) = (self.model.clone(), self.packed.clone());
        let weights = self.weights.clone();
        let work = Work::of(&model)?;
        let (depth, sequences) = (0, 1);
        let plain =
            Workload { model, own_model, weights, prompt, generate, depth, sequences, threads };
        let deep = |&depth: &usize| Workload { prompt: 0, depth, ..plain.clone() };
        let many = |&sequences: &usize| Workload { prompt: 0, sequences, ..plain.clone() };
        let others = self.depths.iter().map(deep).chain(self.sequences.iter().map(many));
        let workloads = [plain.clone()].into_iter().chain(others).collect();
        Ok(Contest { workloads, work, rounds, programs: [ours, theirs] })
    }
}

/// The `dram` in the folder of this program.
fn beside_this() -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::current_exe()?.with_file_name("dram");
    let missing = format!("no {}; build it with `cargo build --release`", path.display());
    if path.is_file() { Ok(path) } else { Err(missing.into()) }
}

impl Contest {
    /// Measures the machine and both programs in turn; returns what each said of itself first.
    fn speeds(&self, measurements: &mut Vec<Measurement>) -> Result<[String; 2], Box<dyn Error>> {
        let mut said = [String::new(), String::new()];
        for round in 0..self.rounds {
            let threads = self.workloads[0].threads;
            let read = read_bandwidth(threads)? / 1e9;
            measurements.push(Measurement::new(MACHINE, READ, round, read, "GB/s"));
            let multiplied = multiply_rate(threads) / 1e9;
            measurements.push(Measurement::new(MACHINE, MULTIPLY, round, multiplied, "GMAC/s"));
            for workload in &self.workloads {
                for (programs, said) in self.programs.iter().zip(&mut said) {
                    let speeds = self.speed(programs, workload, round, measurements)?;
                    if said.is_empty() {
                        *said = speeds.said;
                    }
                }
            }
        }
        Ok(said)
    }

    /// Measures one program once.
    fn speed(
        &self,
        programs: &Programs,
        workload: &Workload,
        round: usize,
        measurements: &mut Vec<Measurement>,
    ) -> Result<Speeds, Box<dyn Error>> {
        let speeds = programs.speeds(workload)?;
        let program = programs.maker.name();
        let [prompt, generate] = workload.tests();
        let tests = [
            (prompt, workload.prompt, [workload.prompt, 1], speeds.prompt),
            (generate, workload.generate, [workload.sequences; 2], speeds.generate),
        ];
        for (test, tokens, [columns, asking], speed) in tests {
            if tokens == 0 {
                continue;
            }
            let speed = speed.ok_or_else(|| format!("{program} measured no {test}"))?;
            for (value, unit) in self.rates(columns, asking, speed) {
                measurements.push(Measurement::new(program, &test, round, value, unit));
            }
        }
        Ok(speeds)
    }

    /// A speed in tokens a second as such, in weights read and in products summed, where a pass
    /// takes so many columns, of which some ask for logits.
    fn rates(&self, columns: usize, asking: usize, speed: f64) -> [(f64, &'static str); 3] {
        let read = self.work.bytes_per_token(columns) * speed / 1e9;
        let summed = self.work.macs_per_token(columns, asking) * speed / 1e9;
        [(speed, "tokens/s"), (read, "GB/s"), (summed, "GMAC/s")]
    }

    /// Times both programs from start to first token; what was measured before has warmed the
    /// file.
    fn first_tokens(&self, measurements: &mut Vec<Measurement>) -> Result<(), Box<dyn Error>> {
        for round in 0..self.rounds {
            for programs in &self.programs {
                let value = 1e3 * programs.first_token_seconds(&self.workloads[0])?;
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
        let [prompt, generate] = self.workloads[0].tests();
        println!("{:21} {:>10} {:>10} {:>7}   range", "", names[0], names[1], "ratio");
        let mut rows = vec![(&*prompt, "tokens/s"), (&prompt, "GMAC/s")];
        let generated: Vec<_> = self.workloads.iter().map(|work| work.tests()[1].clone()).collect();
        rows.extend(generated.iter().map(|test| (&**test, "tokens/s")));
        rows.extend([(&*generate, "GB/s"), ("first_token", "ms")]);
        for (test, unit) in rows {
            let [ours, theirs] = names.map(|name| values(measurements, name, test, unit));
            if ours.is_empty() || theirs.is_empty() {
                continue;
            }
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
        let multiplied = median(&values(measurements, MACHINE, MULTIPLY, "GMAC/s"));
        println!("kernels multiply {multiplied:.1} GMAC/s in cache");
    }

    /// Everything needed to judge the numbers or to measure again.
    fn provenance(&self, said: &[String; 2], load: &str) -> Result<String, Box<dyn Error>> {
        let Self { workloads, work, rounds, programs } = self;
        let workload = &workloads[0];
        let [ours, theirs] = programs;
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
            ("dram", commands(ours, workloads)),
            ("dram, first token", command(&ours.complete, ours.complete_arguments(workload))),
            ("dram says", said[0].clone()),
            ("peer", commands(theirs, workloads)),
            ("peer, first token", command(&theirs.complete, theirs.complete_arguments(workload))),
            ("peer says", said[1].clone()),
            ("peer's build", machine::cmake_flags(&theirs.bench)),
            ("rounds", format!("{rounds}, reading memory, multiplying, dram and peer in turn")),
        ];
        Ok(facts.iter().map(|(name, fact)| format!("{name}: {fact}\n")).collect())
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The command lines of all workloads.
fn commands(programs: &Programs, workloads: &[Workload]) -> String {
    let lines =
        workloads.iter().map(|work| command(programs.bench(work), programs.bench_arguments(work)));
    lines.collect::<Vec<_>>().join("; ")
}

/// A command line as it was run, folders left out.
fn command(program: &Path, arguments: Vec<OsString>) -> String {
    let words = arguments.iter().map(|argument| match argument.to_string_lossy() {
        text if text.contains(' ') => format!("{text:?}"),
        text => file_name(Path::new(&*text)),
    });
    [file_name(program)].into_iter().chain(words).collect::<Vec<_>>().join(" ")
}
