//! Executed instructions per token, counted under emulation of ARM cores by `count.c`.
//!
//! Counts do not depend on the load of the machine, and what a program does besides its tokens
//! cancels between runs:
//!
//! ```text
//! generate 1 token once           start + first + G
//! generate 1 token thrice         start + first + 3 G        G = half the difference
//! read P tokens and generate 1    start + first + G + P R    R = a P-th of the difference
//! ```
//!
//! `dram bench` runs every test once more to warm up, so there its prompt is read twice.

mod record;

use crate::step::{Outcome, run, workspace};
use crate::{arm, fetch};
pub(crate) use record::commit;
use record::{DRAM, PEER, Record};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One for each table of kernels: Pi 4, Pi 5, and what stands for Jetson Thor.
const CORES: [&str; 3] = ["cortex-a72", "cortex-a76", "max"];
/// A multiple of all widths of register tiles.
const PROMPT: usize = 24;

/// What the command line asks for.
struct Asked {
    cores: Vec<String>,
    peer: Option<PathBuf>,
    prompt: usize,
    models: Vec<PathBuf>,
}

/// Whose tokens are counted.
enum Program<'a> {
    /// The program, and how it holds weights.
    Dram(&'a Path, &'static str),
    /// A llama-bench.
    Peer(&'a Path),
}

/// Counts, prints a table for each core and model, and writes a record of each.
///
/// # Errors
///
/// If the arguments are wrong, a tool is missing (the message says how to install it), a program
/// fails, or a record cannot be written.
pub(crate) fn count(arguments: impl Iterator<Item = String>) -> Outcome {
    let mut asked = Asked::parse(arguments)?;
    if asked.models.is_empty() {
        fetch::fetch()?;
        asked.models.push(fetch::model());
    }
    arm::require(arm::EMULATOR, "qemu-user")?;
    let (plugin, dram) = (plugin()?, arm::dram()?);
    for core in &asked.cores {
        let counter = Counter { core, plugin: &plugin };
        for model in &asked.models {
            counter.case(model, &dram, asked.peer.as_deref(), asked.prompt)?;
        }
    }
    Ok(())
}

impl Asked {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let cores = CORES.map(String::from).to_vec();
        let mut asked = Self { cores, peer: None, prompt: PROMPT, models: Vec::new() };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
            match argument.as_str() {
                "--core" => asked.cores = vec![value()?],
                "--peer" => asked.peer = Some(value()?.into()),
                "--prompt" => asked.prompt = tokens(&value()?)?,
                flag if flag.starts_with('-') => return Err(format!("there is no flag {flag}")),
                // Cargo runs this program where it was called, so paths are as they were typed.
                model => asked.models.push(model.into()),
            }
        }
        if asked.peer.is_some() && asked.cores.len() > 1 {
            return Err("--peer is built for one core: name it with --core".into());
        }
        Ok(asked)
    }
}

fn tokens(text: &str) -> Outcome<usize> {
    let tokens = text.parse().ok().filter(|tokens| (1..=4096).contains(tokens));
    tokens.ok_or_else(|| format!("--prompt is {text}, must be 1 to 4096 tokens"))
}

/// Compiles the plugin.
fn plugin() -> Outcome<PathBuf> {
    arm::require("cc", "gcc libc6-dev")?;
    let source = workspace().join("xtask/src/count.c");
    let library = workspace().join("target/count.so");
    run(Command::new("cc").args(["-O2", "-shared", "-fPIC", "-o"]).arg(&library).arg(source))?;
    Ok(library)
}

/// An emulated core that counts.
struct Counter<'a> {
    core: &'a str,
    plugin: &'a Path,
}

impl Counter<'_> {
    /// Counts one model on this core.
    fn case(&self, model: &Path, dram: &Path, peer: Option<&Path>, prompt: usize) -> Outcome {
        let mut record = Record::new(self.core, model);
        let reading = format!("pp{prompt}");
        for weights in ["tiles", "rows"] {
            let program = Program::Dram(dram, weights);
            let (once, token) = self.generate(&program, model)?;
            record.push(DRAM, &format!("tg1-{weights}"), token);
            if weights == "tiles" {
                record.push(DRAM, &reading, self.read(&program, model, prompt, once)?);
            }
        }
        match peer {
            Some(peer) => {
                record.tell_peer(peer);
                let program = Program::Peer(peer);
                let (once, token) = self.generate(&program, model)?;
                record.push(PEER, "tg1", token);
                record.push(PEER, &reading, self.read(&program, model, prompt, once)?);
            }
            None => record.take_peer()?,
        }
        record.print();
        record.write()
    }

    /// Instructions of a run that generates one token once, and of such a token.
    fn generate(&self, program: &Program<'_>, model: &Path) -> Outcome<(u64, u64)> {
        let once = self.executed(program, model, 0, 1)?;
        let thrice = self.executed(program, model, 0, 3)?;
        Ok((once, thrice.saturating_sub(once) / 2))
    }

    /// Instructions per token of a prompt.
    fn read(&self, program: &Program<'_>, model: &Path, prompt: usize, once: u64) -> Outcome<u64> {
        let both = self.executed(program, model, prompt, 1)?;
        Ok(both.saturating_sub(once) / (program.readings() * prompt as u64))
    }

    /// Instructions of a whole run.
    fn executed(
        &self,
        program: &Program<'_>,
        model: &Path,
        prompt: usize,
        repetitions: usize,
    ) -> Outcome<u64> {
        let [emulator, arguments @ ..] = arm::emulator(self.core);
        let mut command = Command::new(emulator);
        command.args(arguments).arg("-plugin").arg(self.plugin);
        program.extend(&mut command, model);
        command.args(["-p", &prompt.to_string(), "-n", "1", "-t", "1"]);
        command.args(["-r", &repetitions.to_string()]);
        eprintln!("+ {command:?}");
        let output = command.output().map_err(|reason| format!("{command:?}: {reason}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        let told = said.lines().find_map(|line| line.strip_prefix("executed instructions: "));
        match told.and_then(|count| count.parse().ok()) {
            Some(count) if output.status.success() => Ok(count),
            _ => Err(format!("{command:?}: {}\n{said}", output.status)),
        }
    }
}

impl Program<'_> {
    /// How often a run reads the prompt.
    fn readings(&self) -> u64 {
        match self {
            Self::Dram(..) => 2,
            Self::Peer(_) => 1,
        }
    }

    fn extend(&self, command: &mut Command, model: &Path) {
        match self {
            Self::Dram(dram, weights) => {
                command.arg(dram).arg("bench").arg(model).args(["--weights", weights])
            }
            Self::Peer(peer) => command.arg(peer).arg("-m").arg(model).arg("--no-warmup"),
        };
    }
}
