//! What to change on a machine.

use crate::{Architecture, Board, Machine, Zone};
use serde::Serialize;

/// Something that is not as good as it could be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub remedy: String,
}

impl Advice {
    fn new(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { found: found.into(), remedy: remedy.into() }
    }
}

/// A temperature counts as hot when it is this near to the point where clocks fall.
const NEAR_CELSIUS: f64 = 5.0;

/// What to change, the worst first. `kernels` is the table that runs.
pub fn advise(machine: &Machine, board: &Board, kernels: &str) -> Vec<Advice> {
    let all = [
        voltage(machine, board),
        throttling(machine, board),
        heat(machine, board),
        tables(machine, board, kernels),
        governor(machine),
        offline(machine, board),
        memory(machine, board),
        unknown(board),
    ];
    all.into_iter().flatten().collect()
}

fn power_of(board: &Board) -> &str {
    board.power.as_deref().unwrap_or("Use a stronger power supply and a shorter cable.")
}

fn voltage(machine: &Machine, board: &Board) -> Option<Advice> {
    let power = machine.power?;
    let when = match (power.now.under_voltage, power.since_boot) {
        (true, _) => "now",
        (false, Some(past)) if past.under_voltage => "at times since the board started",
        _ => return None,
    };
    Some(Advice::new(format!("the supply's voltage is too low {when}"), power_of(board)))
}

fn throttling(machine: &Machine, board: &Board) -> Option<Advice> {
    let power = machine.power?;
    let is_slowed = |now: crate::Conditions| now.throttled || now.capped || now.soft_limit;
    let when = match (is_slowed(power.now), power.since_boot) {
        (true, _) => "is lowered now",
        (false, Some(past)) if is_slowed(past) => "was lowered since the board started",
        _ => return None,
    };
    let remedy = format!("Cool the board, and look at its supply. {}", power_of(board));
    Some(Advice::new(format!("the clock {when}, because of heat or voltage"), remedy))
}

fn heat(machine: &Machine, board: &Board) -> Option<Advice> {
    let zone = Zone::of_cpu(&machine.zones)?;
    let slows = machine.slows_celsius(board)?;
    let found = format!("{:.0} °C, and clocks fall from {slows:.0} °C on", zone.celsius);
    let is_hot = zone.celsius >= slows - NEAR_CELSIUS;
    is_hot.then(|| Advice::new(found, "Add a heat sink or moving air, or take fewer threads."))
}

fn tables(machine: &Machine, board: &Board, kernels: &str) -> Option<Advice> {
    let expected = board.kernels.as_deref().filter(|&expected| expected != kernels)?;
    // Kernels are those of this program's CPU: a recorded tree of another says nothing of them.
    let is_here = machine.identity.architecture == Architecture::of_program();
    let found = format!("the kernels \"{kernels}\" run, and this board can do \"{expected}\"");
    let remedy = "Leave out --kernels and DRAM_KERNELS; if neither is set, report this.";
    is_here.then(|| Advice::new(found, remedy))
}

fn governor(machine: &Machine) -> Option<Advice> {
    let slow = machine.cores.online.iter().find(|core| {
        let governor = core.governor.as_deref().unwrap_or_default();
        let driver = core.driver.as_deref().unwrap_or_default();
        // With drivers that let the hardware choose, "powersave" names no fixed clock.
        let chooses = driver.starts_with("intel_pstate") || driver.starts_with("amd-pstate");
        matches!(governor, "powersave" | "conservative") && !chooses
    })?;
    let governor = slow.governor.as_deref().unwrap_or_default();
    Some(Advice::new(
        format!("the governor \"{governor}\" holds the clock down"),
        "Take another: `echo schedutil | sudo tee \
         /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor`.",
    ))
}

fn offline(machine: &Machine, board: &Board) -> Option<Advice> {
    let offline = machine.cores.offline;
    let verb = if offline == 1 { "core is" } else { "cores are" };
    let remedy = board.power.as_deref().unwrap_or("Choose a power mode with all cores.");
    (offline > 0).then(|| Advice::new(format!("{offline} {verb} switched off"), remedy))
}

/// Warns where less memory is left than a small model and its context need.
fn memory(machine: &Machine, board: &Board) -> Option<Advice> {
    const SMALL: u64 = 256 << 20;
    let available = machine.memory.available_bytes()?;
    if available < SMALL {
        let found = format!("{} MiB of memory are available", available >> 20);
        return Some(Advice::new(
            found,
            "Stop other programs, or raise the control group's limit.",
        ));
    }
    let total = machine.memory.size_bytes()?;
    let model = board.default_model(total)?;
    let found = format!("{} MiB of {} are available", available >> 20, total >> 20);
    let remedy = format!("Stop other programs before running {} {}.", model.name, model.quant);
    (available < total / 2).then(|| Advice::new(found, remedy))
}

fn unknown(board: &Board) -> Option<Advice> {
    (board.is_generic() && board.architecture == Architecture::Aarch64).then(|| {
        Advice::new(
            "this board is not known by name",
            "Describe it in /etc/dram/boards/NAME.toml, and send the file to the project.",
        )
    })
}
