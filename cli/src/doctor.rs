//! `dram doctor`: what this machine is, what runs on it, and what to change.

mod text;

use crate::args;
use crate::exit::{Outcome, notice};
use dram_boards::{
    Advice, Board, Catalog, Choice, DefaultModel, Machine, Match, Power, Root, Threads, Zone,
    advise,
};
use dram_engine::{select, threads};
use dram_models::{self as files, Disk};
use dram_targets::Kernels;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::Command;

/// A disk below this makes one wait for a model.
const SLOW_BYTES_PER_SECOND: f64 = 50e6;

/// All that is told.
struct Report<'a> {
    machine: &'a Machine,
    found: Option<Match<'a>>,
    choice: Choice,
    threads: Threads,
    kernels: &'static Kernels,
    disk: Option<Disk>,
    advice: Vec<Advice>,
}

pub(crate) fn run(args: &args::Doctor, kernels: &'static Kernels) -> Outcome {
    let root = args.root.as_ref().map_or_else(Root::system, Root::new);
    let (mut catalog, errors) = Catalog::load(&root);
    errors.iter().for_each(|error| notice(&error.to_string()));
    let mut machine = Machine::read(&root, root.page_bytes());
    if root.is_system() && machine.power.is_some_and(|power| power.since_boot.is_none()) {
        machine.power = firmware().or(machine.power);
    }
    let found = select(&mut catalog, args.board.name.as_deref(), &machine.identity)?;
    let disk = if root.is_system() { measure(args.model.as_deref())? } else { None };
    let mut report = Report::new(&machine, found, kernels, disk);
    if root.is_system() {
        report.threads = threads(&machine, report.board());
    }
    let mut out = io::stdout().lock();
    if args.output.json {
        writeln!(out, "{:#}", report.to_json())?;
    } else {
        report.print(&mut out)?;
    }
    Ok(())
}

/// The word of a Raspberry Pi's firmware, whose kernel tells the present alone.
fn firmware() -> Option<Power> {
    let output = Command::new("vcgencmd").arg("get_throttled").output().ok()?;
    Power::parse(std::str::from_utf8(&output.stdout).ok()?)
}

/// The speed of the disk with a model, or with the largest in the models folder.
fn measure(model: Option<&OsStr>) -> Outcome<Option<Disk>> {
    let file = match model {
        Some(model) => Some(dram_models::find(model)?),
        None => files::folder().ok().and_then(|folder| files::largest(&folder)),
    };
    Ok(file.and_then(|file| Disk::measure(&file)))
}

impl<'a> Report<'a> {
    fn new(
        machine: &'a Machine,
        found: Option<Match<'a>>,
        kernels: &'static Kernels,
        disk: Option<Disk>,
    ) -> Self {
        let board = found.map(|found| found.board);
        let of_board = board.and_then(|board| machine.threads(board));
        let mut advice = board.map_or(Vec::new(), |board| advise(machine, board, kernels.name()));
        advice.extend(disk.as_ref().and_then(slow_disk));
        Self {
            machine,
            found,
            choice: machine.cores.fast(),
            threads: of_board.unwrap_or_else(|| threads(machine, board)),
            kernels,
            disk,
            advice,
        }
    }

    fn board(&self) -> Option<&'a Board> {
        self.found.map(|found| found.board)
    }

    fn to_json(&self) -> Value {
        let zone = Zone::of_cpu(&self.machine.zones);
        let tables: Vec<_> = dram_targets::all().map(Kernels::name).collect();
        json!({
            "board": self.found.map(|found| json!({
                "id": found.board.id, "name": found.board.name, "evidence": found.evidence,
            })),
            "cores": self.choice,
            "threads": self.threads,
            "kernels": { "name": self.kernels.name(), "all": tables },
            "memory_available_bytes": self.machine.memory.available_bytes(),
            "default_model": self.default_model(),
            "celsius": zone.map(|zone| zone.celsius),
            "slows_celsius": self.board().and_then(|board| self.machine.slows_celsius(board)),
            "sheds_celsius": self.board().and_then(|board| self.machine.sheds_celsius(board)),
            "disk": self.disk.as_ref().map(|disk| json!({
                "file": disk.file.to_string_lossy(), "bytes": disk.bytes, "seconds": disk.seconds,
                "bytes_per_second": disk.bytes_per_second(), "may_be_cached": disk.may_be_cached,
            })),
            "advice": self.advice,
            "machine": self.machine,
        })
    }

    fn default_model(&self) -> Option<&'a DefaultModel> {
        self.board()?.default_model(self.machine.memory.size_bytes()?)
    }
}

fn slow_disk(disk: &Disk) -> Option<Advice> {
    let rate = disk.bytes_per_second();
    (rate < SLOW_BYTES_PER_SECOND && !disk.may_be_cached).then(|| Advice {
        found: format!("the disk with the models reads {:.0} MB/s", rate / 1e6),
        remedy: "Keep models on an SSD, or expect to wait for the first answer.".into(),
    })
}
