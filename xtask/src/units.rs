//! The units for systemd, checked with its own tool.

use crate::step::{Outcome, require, run, workspace};
use std::path::PathBuf;
use std::process::Command;

const UNITS: [&str; 2] = ["dram.service", "dram.socket"];
/// Of systemd's ten points of exposure, in tenths.
const MOST_EXPOSED: &str = "20";

/// Verifies the units in a root where the program is, and asks how exposed the service is.
///
/// # Errors
///
/// If systemd finds a fault, or the service is too exposed.
pub(crate) fn units() -> Outcome {
    require("systemd-analyze", "systemd")?;
    let root = stage()?;
    let root_flag = format!("--root={}", root.display());
    let analyze = |verb: &str, flags: &[&str], units: &[&str]| {
        let mut analyze = Command::new("systemd-analyze");
        run(analyze.arg(verb).arg("--no-pager").arg(&root_flag).args(flags).args(units))
    };
    analyze("verify", &["--man=no", "--recursive-errors=one"], &UNITS)?;
    analyze("security", &["--offline=yes", &format!("--threshold={MOST_EXPOSED}")], &UNITS[..1])
}

/// A root with the units, this machine's own, and a program where they want one.
fn stage() -> Outcome<PathBuf> {
    let root = workspace().join("target/units-root");
    let packaging = workspace().join("xtask/packaging");
    let units = root.join("etc/systemd/system");
    run(Command::new("mkdir").arg("-p").args([&units, &root.join("usr/lib/systemd")]))?;
    run(Command::new("cp").args(UNITS.map(|unit| packaging.join(unit))).arg(&units))?;
    run(Command::new("cp").args(["-r", "/lib/systemd/system"]).arg(root.join("usr/lib/systemd")))?;
    run(Command::new("install").args(["-D", "/bin/true"]).arg(root.join("usr/bin/dram")))?;
    Ok(root)
}
