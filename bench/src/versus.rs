//! dram and a peer in turn, in one run, so that both meet the same machine.

use crate::machine;
use crate::median::{median, range};
use crate::peer::{Maker, Programs, Workload};
use crate::record::{self, Measurement};
use std::error::Error;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What the command line asks for.
struct Arguments {
    work: Workload,
    rounds: usize,
    /// dram, then the peer.
    programs: [Programs; 2],
    record: PathBuf,
    machine: String,
}

/// Measures, prints medians and ratios, and writes the record.
pub(crate) fn run(arguments: &mut lexopt::Parser) -> Result<(), Box<dyn Error>> {
    let arguments = parse(arguments)?;
    let load = machine::load();
    let (mut measurements, mut build) = (Vec::new(), String::new());
    for round in 0..arguments.rounds {
        for programs in &arguments.programs {
            let said = measure(programs, &arguments.work, round, &mut measurements)?;
            if programs.maker == Maker::Llama {
                build = said;
            }
        }
    }
    first_tokens(&arguments, &mut measurements)?;
    report(&arguments, &measurements);
    let provenance = provenance(&arguments, &build, &load)?;
    let name = arguments.work.model.file_stem().unwrap_or_default().to_string_lossy();
    let Arguments { record, machine, .. } = &arguments;
    let table = record::write(record, machine, &name, &measurements, &provenance)?;
    println!("written to {}", table.display());
    Ok(())
}

fn parse(parser: &mut lexopt::Parser) -> Result<Arguments, Box<dyn Error>> {
    use lexopt::ValueExt;
    let (mut model, mut peer, mut dram) = (None, None, None::<PathBuf>);
    let (mut record, mut machine) = (PathBuf::from("bench/record"), machine::slug(&machine::cpu()));
    let (mut prompt, mut decode, mut threads, mut rounds) = (512, 64, 2, 5);
    while let Some(argument) = parser.next()? {
        match argument {
            lexopt::Arg::Short('p') => prompt = parser.value()?.parse()?,
            lexopt::Arg::Short('n') => decode = parser.value()?.parse()?,
            lexopt::Arg::Short('t') => threads = parser.value()?.parse()?,
            lexopt::Arg::Short('r') => rounds = parser.value()?.parse()?,
            lexopt::Arg::Long("peer") => peer = Some(PathBuf::from(parser.value()?)),
            lexopt::Arg::Long("dram") => dram = Some(parser.value()?.into()),
            lexopt::Arg::Long("record") => record = parser.value()?.into(),
            lexopt::Arg::Long("machine") => machine = parser.value()?.string()?,
            lexopt::Arg::Value(path) if model.is_none() => model = Some(PathBuf::from(path)),
            other => return Err(other.unexpected().into()),
        }
    }
    let model = model.ok_or("versus needs MODEL, the path of a GGUF file")?;
    let peer = peer.ok_or("versus needs --peer, the path of a llama-bench")?;
    let dram = dram.map_or_else(beside_this, Ok)?;
    let complete = peer.with_file_name("llama-completion");
    let ours = Programs { maker: Maker::Dram, complete: dram.clone(), bench: dram };
    let theirs = Programs { maker: Maker::Llama, bench: peer, complete };
    let work = Workload { model, prompt, decode, threads };
    Ok(Arguments { work, rounds, programs: [ours, theirs], record, machine })
}

/// The `dram` in the folder of this program.
fn beside_this() -> Result<PathBuf, Box<dyn Error>> {
    let path = std::env::current_exe()?.with_file_name("dram");
    let missing = format!("no {}; build it with `cargo build --release`", path.display());
    if path.is_file() { Ok(path) } else { Err(missing.into()) }
}

/// Measures one program once; returns what it says of its build.
fn measure(
    programs: &Programs,
    work: &Workload,
    round: usize,
    measurements: &mut Vec<Measurement>,
) -> Result<String, Box<dyn Error>> {
    let speeds = programs.speeds(work)?;
    let tests = [("pp", work.prompt, speeds.prompt), ("tg", work.decode, speeds.decode)];
    for (kind, tokens, value) in tests {
        let (program, test) = (programs.maker.name(), format!("{kind}{tokens}"));
        eprintln!("{program:10} {test:8} {value:10.2} tokens/s");
        measurements.push(Measurement { program, test, round, value, unit: "tokens/s" });
    }
    let said =
        |key: &str| speeds.said.first().map(|test| test[key].to_string()).unwrap_or_default();
    Ok(["build_commit", "build_number", "backends"]
        .map(|key| format!("{key} {}", said(key)))
        .join(", "))
}

/// Times both programs from start to first token; the measurements before have warmed the file.
fn first_tokens(
    arguments: &Arguments,
    measurements: &mut Vec<Measurement>,
) -> Result<(), Box<dyn Error>> {
    for round in 0..arguments.rounds {
        for programs in &arguments.programs {
            let value = 1e3 * programs.first_token_seconds(&arguments.work)?;
            let (program, test) = (programs.maker.name(), "first_token".into());
            eprintln!("{program:10} {test:8} {value:10.2} ms");
            measurements.push(Measurement { program, test, round, value, unit: "ms" });
        }
    }
    Ok(())
}

/// Prints, for each test, both medians and the ratio with its range over rounds.
fn report(arguments: &Arguments, measurements: &[Measurement]) {
    let Workload { prompt, decode, .. } = arguments.work;
    let tests = [format!("pp{prompt}"), format!("tg{decode}"), "first_token".into()];
    println!("{:12} {:>10} {:>10} {:>7}   range", "", "dram", "llama.cpp", "ratio");
    for test in tests {
        let values = |maker: Maker| -> Vec<f64> {
            let own = measurements.iter().filter(|m| m.program == maker.name() && m.test == test);
            own.map(|m| m.value).collect()
        };
        let (ours, theirs) = (values(Maker::Dram), values(Maker::Llama));
        let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
        let (least, most) = range(&ratios);
        let unit = measurements.iter().find(|m| m.test == test).map_or("", |m| m.unit);
        let (ours, theirs) = (median(&ours), median(&theirs));
        let ratio = ours / theirs;
        println!(
            "{test:12} {ours:10.2} {theirs:10.2} {ratio:7.3}   {least:.3} to {most:.3}   {unit}"
        );
    }
}

/// Everything needed to judge the numbers or to measure again.
fn provenance(arguments: &Arguments, build: &str, load: &str) -> Result<String, Box<dyn Error>> {
    let Arguments { work, rounds, programs: [ours, theirs], .. } = arguments;
    let facts = [
        ("date", machine::output("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])),
        ("git", machine::output("git", &["describe", "--always", "--dirty"])),
        ("system", machine::output("uname", &["-srm"])),
        ("cpu", machine::cpu()),
        ("load at start", load.into()),
        ("rustc", machine::output("rustc", &["-vV"]).replace('\n', ", ")),
        ("model", format!("{}, sha256 {}", file_name(&work.model), machine::sha256(&work.model)?)),
        ("dram", command(&ours.bench, ours.bench_arguments(work))),
        ("dram, first token", command(&ours.complete, ours.complete_arguments(work))),
        ("peer", command(&theirs.bench, theirs.bench_arguments(work))),
        ("peer, first token", command(&theirs.complete, theirs.complete_arguments(work))),
        ("peer's build", format!("{build}; {}", machine::cmake_flags(&theirs.bench))),
        ("rounds", format!("{rounds}, dram and peer in turn")),
    ];
    Ok(facts.iter().map(|(name, fact)| format!("{name}: {fact}\n")).collect())
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
