//! The report in words.

use super::Report;
use dram_boards::{Advice, Conditions, Core, DefaultModel, Evidence, Match, Power, Threads, Zone};
use dram_engine::words::megabytes;
use dram_models::Disk;
use dram_targets::Kernels;
use std::io::{self, Write};

impl Report<'_> {
    pub(super) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        let lines = [
            ("board", self.board_line()),
            ("model", self.machine.identity.model.clone().unwrap_or_else(unknown)),
            ("cores", self.cores_line()),
            ("threads", self.threads_line()),
            ("kernels", self.kernels_line()),
            ("page size", self.machine.page_bytes.map_or_else(unknown, kibibytes)),
            ("memory", self.memory_line()),
            ("governor", self.governor_line()),
            ("temperature", self.temperature_line()),
            ("power", self.machine.power.map_or_else(|| "not told".into(), power_line)),
            ("disk", self.disk.as_ref().map_or_else(|| "no model to read".into(), disk_line)),
            ("suggested", self.suggested_line()),
        ];
        for (name, line) in lines {
            writeln!(out, "{name:12} {line}")?;
        }
        let heading = if self.advice.is_empty() { "nothing to change" } else { "what to change" };
        writeln!(out, "\n{heading}")?;
        let mut advice = self.advice.iter();
        advice.try_for_each(|Advice { found, remedy }| writeln!(out, "  {found}. {remedy}"))
    }

    fn board_line(&self) -> String {
        let Some(Match { board, evidence }) = self.found else { return unknown() };
        let why = match evidence {
            Evidence::Request => "as asked for".into(),
            Evidence::Compatible(entry) => format!("by its device tree's \"{entry}\""),
            Evidence::Model(model) => format!("by its name, \"{model}…\""),
            Evidence::Architecture => "not a board that is known by name".into(),
        };
        format!("{} ({}), {why}", board.name, board.id)
    }

    fn cores_line(&self) -> String {
        let cores = &self.machine.cores.online;
        let chosen = self.choice.cpus.first();
        let first = chosen.and_then(|&cpu| cores.iter().find(|core| core.cpu == cpu));
        let kind = first.and_then(|core| {
            let (implementer, part) = (core.implementer?, core.part?);
            let name = self.board().and_then(|board| board.core_name(implementer, part));
            Some(name.map_or_else(|| format!("part {part:#x}"), String::from))
        });
        let clock = first.and_then(|core| Some(format!("{} MHz", core.max_khz? / 1000)));
        let details: Vec<_> = kind.into_iter().chain(clock).collect();
        let details =
            if details.is_empty() { String::new() } else { format!(" ({})", details.join(", ")) };
        let (chosen, all) = (self.choice.cpus.len(), cores.len());
        format!("{chosen} of {all}{details}: {}", self.choice.because)
    }

    fn threads_line(&self) -> String {
        let Threads { decode, prefill } = self.threads;
        format!("{decode} to generate, {prefill} to read a prompt")
    }

    fn kernels_line(&self) -> String {
        let others =
            dram_targets::all().map(Kernels::name).filter(|&name| name != self.kernels.name());
        let others = others.collect::<Vec<_>>().join(", ");
        let others = if others.is_empty() { others } else { format!(" (others: {others})") };
        let features = &self.machine.cores.features;
        let features = if features.is_empty() { unknown() } else { features.join(" ") };
        format!("{}{others}; features: {features}", self.kernels.name())
    }

    fn memory_line(&self) -> String {
        let memory = &self.machine.memory;
        let size = |bytes: Option<u64>| bytes.map_or_else(unknown, size);
        let mut line =
            format!("{} available of {}", size(memory.available_bytes()), size(memory.total_bytes));
        if memory.limit_bytes.is_some() {
            line += ", limited by a control group";
        }
        match (memory.swap_bytes, memory.zram_bytes) {
            (0, _) => line + "; no swap",
            (swap, 0) => line + &format!("; {} of swap", size(Some(swap))),
            (swap, zram) => {
                line + &format!("; {} of swap, {} of it zram", size(Some(swap)), size(Some(zram)))
            }
        }
    }

    fn governor_line(&self) -> String {
        let of_choice = |core: &&Core| self.choice.cpus.contains(&core.cpu);
        let cores = self.machine.cores.online.iter().filter(of_choice);
        let mut governors: Vec<_> = cores.filter_map(|core| core.governor.as_deref()).collect();
        governors.dedup();
        if governors.is_empty() { "not told".into() } else { governors.join(", ") }
    }

    fn temperature_line(&self) -> String {
        let slows = self.board().and_then(|board| self.machine.slows_celsius(board));
        let sheds = self.board().and_then(|board| self.machine.sheds_celsius(board));
        let slows = slows.map(|slows| format!("; clocks fall from {slows:.0} °C"));
        let sheds = sheds.map(|sheds| format!("; threads are shed from {sheds:.0} °C"));
        let limits = slows.unwrap_or_default() + &sheds.unwrap_or_default();
        match Zone::of_cpu(&self.machine.zones) {
            Some(zone) => format!("{:.1} °C ({}){limits}", zone.celsius, zone.name),
            None => format!("not told{limits}"),
        }
    }

    fn suggested_line(&self) -> String {
        self.default_model().map_or_else(
            || "no model for this much memory or this board".into(),
            |model| {
                let DefaultModel { name, quant, context, kv, .. } = model;
                format!("{name} {quant}, --ctx {context} --kv {kv}")
            },
        )
    }
}

fn unknown() -> String {
    "unknown".into()
}

fn kibibytes(bytes: usize) -> String {
    format!("{} KiB", bytes / 1024)
}

fn size(bytes: u64) -> String {
    megabytes(usize::try_from(bytes).unwrap_or(usize::MAX))
}

fn power_line(power: Power) -> String {
    let past = power.since_boot.map_or_else(|| "not told".into(), conditions);
    format!("now {}; since it started {past}", conditions(power.now))
}

/// What goes wrong, in words.
fn conditions(conditions: Conditions) -> String {
    let Conditions { under_voltage, capped, throttled, soft_limit } = conditions;
    let all = [
        (under_voltage, "voltage too low"),
        (capped, "clock capped"),
        (throttled, "clock lowered"),
        (soft_limit, "at the soft limit of temperature"),
    ];
    let told: Vec<_> = all.into_iter().filter(|&(is, _)| is).map(|(_, told)| told).collect();
    if told.is_empty() { "good".into() } else { told.join(", ") }
}

fn disk_line(disk: &Disk) -> String {
    let cached = if disk.may_be_cached { ", perhaps from memory" } else { "" };
    let (rate, file) = (disk.bytes_per_second() / 1e6, disk.file.display());
    format!("{rate:.0} MB/s{cached} ({} of {file})", megabytes(disk.bytes))
}
