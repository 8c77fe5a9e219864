//! A Debian of another architecture, made by debootstrap and run under emulation.

use crate::step::{Outcome, printed, require, run, workspace};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the kernel tells which programs it hands to the emulator.
const BINFMT: &str = "/proc/sys/fs/binfmt_misc/qemu-aarch64";

/// A root in a folder, deleted when this is dropped.
pub(crate) struct Root(PathBuf);

impl Root {
    /// A fresh root. The first is kept aside, and later ones are copies of it.
    ///
    /// # Errors
    ///
    /// If a tool is missing, the packages cannot be downloaded, or this machine may not run them.
    pub(crate) fn new(architecture: &str) -> Outcome<Self> {
        let pristine = workspace().join(format!("target/debian-{architecture}"));
        if !pristine.exists() {
            bootstrap(architecture, &pristine)?;
        }
        hand_to_emulator()?;
        let root = Self(workspace().join(format!("target/root-{}", std::process::id())));
        run(as_root("cp").arg("-a").arg(&pristine).arg(&root.0))?;
        Ok(root)
    }

    /// A program in this root, with processes of its own.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = isolated();
        command.arg(format!("--mount-proc={}", self.0.join("proc").display()));
        command.arg("chroot").arg(&self.0).arg(program).env("LC_ALL", "C").current_dir("/");
        command
    }

    /// Copies a file into the root.
    ///
    /// # Errors
    ///
    /// If it cannot be copied.
    pub(crate) fn copy(&self, from: &Path, place: &str) -> Outcome {
        run(as_root("cp").arg("-r").arg(from).arg(self.0.join(place.trim_start_matches('/'))))
    }
}

impl Drop for Root {
    /// A folder that cannot be deleted costs space and nothing else.
    fn drop(&mut self) {
        let _ = as_root("rm").arg("-rf").arg(&self.0).status();
    }
}

/// Makes a root from the packages that this machine's own come from.
fn bootstrap(architecture: &str, place: &Path) -> Outcome {
    require("debootstrap", "debootstrap")?;
    let (suite, mirror) = source()?;
    let scratch = place.with_extension("scratch");
    let mut first = as_root("debootstrap");
    first.args(["--foreign", "--variant=minbase", &format!("--arch={architecture}")]);
    run(as_root("rm").arg("-rf").arg(&scratch))?;
    run(first.arg(suite).arg(&scratch).arg(mirror).stdout(std::process::Stdio::null()))?;
    hand_to_emulator()?;
    let mut second = isolated();
    second.arg("chroot").arg(&scratch).args(["/debootstrap/debootstrap", "--second-stage"]);
    run(second.stdout(std::process::Stdio::null()))?;
    run(as_root("mv").arg(&scratch).arg(place))
}

/// The release and the mirror that this machine's packages come from.
fn source() -> Outcome<(String, String)> {
    let mut targets = Command::new("apt-get");
    let format = "$(COMPONENT) $(CODENAME) $(REPO_URI)";
    targets.args(["indextargets", "--format", format, "Created-By: Packages"]);
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let suite = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let suite = suite.ok_or("this machine is no Debian, whose packages are needed")?;
    let start = format!("main {suite} ");
    let targets = printed(&mut targets)?;
    let mirror = targets.lines().find_map(|line| line.strip_prefix(&start));
    let mirror = mirror.ok_or("apt knows no mirror; run apt-get update")?;
    Ok((suite.into(), mirror.into()))
}

/// Asks the kernel to run programs of 64-bit ARM in the emulator.
fn hand_to_emulator() -> Outcome {
    if cfg!(target_arch = "aarch64") || Path::new(BINFMT).exists() {
        return Ok(());
    }
    run(as_root("update-binfmts").args(["--enable", "qemu-aarch64"]))
        .map_err(|reason| format!("{reason}; apt-get install qemu-user-static binfmt-support"))?;
    if Path::new(BINFMT).exists() { Ok(()) } else { Err(format!("there is still no {BINFMT}")) }
}

/// A program with mounts and processes of its own, which end with it.
fn isolated() -> Command {
    let mut command = as_root("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child"]);
    command
}

/// A program run by root, who alone may make devices and change roots.
fn as_root(program: impl AsRef<OsStr>) -> Command {
    let id = printed(Command::new("id").arg("-u")).unwrap_or_default();
    if id.trim() == "0" {
        return Command::new(program);
    }
    let mut sudo = Command::new("sudo");
    sudo.arg("--preserve-env=LC_ALL,QEMU_CPU").arg(program);
    sudo
}
