//! A package in a Debian of its architecture: installed, upgraded, used and removed.

use super::root::Root;
use super::{Package, version};
use crate::emulate::check_answers;
use crate::fetch;
use crate::step::{Outcome, printed};
use crate::triple::Triple;
use std::path::Path;

/// Where the model is in the root.
const MODEL: &str = "/srv/model.gguf";
/// Where the program remembers things in the root.
const STATE: &str = "/srv/state";
/// What Debian keeps once a package is gone: who its user is, and that it was there; and what the program
/// remembers for the user who ran it.
const KEPT: [&str; 5] = ["/etc/", "/var/lib/dpkg/", "/var/log/", "/proc/", STATE];

/// Tries it.
///
/// # Errors
///
/// If a step fails, an answer is wrong, or something is left behind.
pub(super) fn attempt(triple: &Triple, package: &Package) -> Outcome {
    fetch::fetch()?;
    let root = Root::new(&triple.debian)?;
    let now = version()?;
    // A tilde sorts before everything.
    let before = format!("{now}~before");
    root.copy(&package.make(&before)?, "/srv/before.deb")?;
    root.copy(&package.make(&now)?, "/srv/now.deb")?;
    root.copy(&fetch::model(), MODEL)?;
    let files = root.files()?;

    root.dpkg("--install /srv/before.deb")?;
    root.expect("dpkg-query --show --showformat ${Version} dram", &before)?;
    root.dpkg("--install /srv/now.deb")?;
    root.expect("dpkg-query --show --showformat ${Version} dram", &now)?;
    root.expect("dpkg --verify dram", "")?;
    root.expect("dram --version", &format!("dram {now}"))?;
    root.expect("id --name --user dram", "dram")?;
    println!("{}", root.ask("dram doctor")?);
    let dram = || {
        let mut dram = root.command("env");
        dram.arg(format!("XDG_STATE_HOME={STATE}")).arg("dram").env("QEMU_CPU", "cortex-a72");
        dram
    };
    check_answers("installed in an arm64 Debian", dram, Path::new(MODEL))?;
    root.dpkg("--remove dram")?;
    root.dpkg("--purge dram")?;
    let left: Vec<_> = root.files()?.into_iter().filter(|file| !files.contains(file)).collect();
    if left.is_empty() { Ok(()) } else { Err(format!("the package left {}", left.join(" "))) }
}

impl Root {
    fn dpkg(&self, line: &str) -> Outcome {
        println!("{}", self.ask(&format!("dpkg {line}"))?);
        Ok(())
    }

    /// What a program in the root prints.
    fn ask(&self, line: &str) -> Outcome<String> {
        let mut words = line.split(' ');
        let mut command = self.command(words.next().unwrap_or_default());
        Ok(printed(command.args(words))?.trim().into())
    }

    fn expect(&self, line: &str, wanted: &str) -> Outcome {
        let found = self.ask(line)?;
        println!("{line}: {found}");
        if found == wanted {
            return Ok(());
        }
        Err(format!("`{line}` prints {found:?}, must print {wanted:?}"))
    }

    /// All files but those that Debian keeps once a package is gone.
    fn files(&self) -> Outcome<Vec<String>> {
        let all = self.ask("find / -xdev")?;
        let kept = |file: &&str| !KEPT.iter().any(|kept| file.starts_with(kept));
        Ok(all.lines().filter(kept).map(String::from).collect())
    }
}
