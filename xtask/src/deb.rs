//! The package for Debian and its relatives, made with their own tool.
//!
//! It holds the static program, so it depends on no version of a C library.

pub(crate) mod root;
mod trial;

use crate::arguments::Arguments;
use crate::program::{self, Linking, build};
use crate::step::{Outcome, cargo, printed, require, run, workspace};
use crate::triple::Triple;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Makes a package, and with `--try` tries it in a Debian of its architecture.
///
/// # Errors
///
/// If an argument is wrong, the package cannot be made, or the trial shows a fault.
pub(crate) fn command(line: impl Iterator<Item = String>) -> Outcome {
    let arguments = Arguments::parse(line, &["--board", "--target"], &["--try"])?;
    let [] = arguments.words([])?;
    let triple = program::triple(&arguments)?;
    let package = Package::new(&triple)?;
    let file = package.make(&version()?)?;
    println!("{}", file.display());
    if arguments.has("--try") { trial::attempt(&triple, &package) } else { Ok(()) }
}

/// Makes sure that a folder has nothing of an earlier time.
fn clear(folder: &Path) -> Outcome {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).map_err(|reason| format!("cannot delete {folder:?}: {reason}"))
}

/// The version of the workspace.
fn version() -> Outcome<String> {
    let said = printed(&mut cargo("pkgid -p dram-cli"))?;
    let version = said.trim().rsplit(['#', '@']).next();
    version.map(String::from).ok_or_else(|| format!("no version in {said:?}"))
}

/// A folder with all files of a package where they will be.
struct Package {
    folder: PathBuf,
    architecture: String,
}

impl Package {
    /// Builds and lays out everything but what depends on the version.
    fn new(triple: &Triple) -> Outcome<Self> {
        require("dpkg-deb", "dpkg")?;
        let folder = workspace().join("target/deb").join(&triple.debian);
        clear(&folder)?;
        let package = Self { folder, architecture: triple.debian.clone() };
        package.install(&build(triple, Linking::Static)?, "usr/bin/dram", "755")?;
        package.pages()?;
        package.documents(triple)?;
        let script = workspace().join("xtask/packaging/postinst");
        package.install(&script, "DEBIAN/postinst", "755")?;
        Ok(package)
    }

    /// Manual pages and completions.
    fn pages(&self) -> Outcome {
        let made = workspace().join("target/deb/pages");
        let [manual, completions] = ["manual", "completions"].map(|name| made.join(name));
        clear(&made)?;
        // The profile of tests, which make the example too.
        let mut pages = cargo("run -q --profile test -p dram-cli --example pages --");
        run(pages.args([&manual, &completions]))?;
        for (from, to) in [
            ("dram.bash", "usr/share/bash-completion/completions/dram"),
            ("_dram", "usr/share/zsh/vendor-completions/_dram"),
            ("dram.fish", "usr/share/fish/vendor_completions.d/dram.fish"),
        ] {
            self.install(&completions.join(from), to, "644")?;
        }
        let place = self.folder.join("usr/share/man/man1");
        let compress = "mkdir -p \"$2\" && cp \"$1\"/* \"$2\" && gzip -9nf \"$2\"/*";
        run(Command::new("sh").args(["-c", compress, "sh"]).args([&manual, &place]))
    }

    /// What Debian asks of every package, and the licences of what is in the program.
    fn documents(&self, triple: &Triple) -> Outcome {
        let folder = "usr/share/doc/dram";
        for name in ["README.md", "CHANGELOG.md", "LICENSE-MIT"] {
            self.install(&workspace().join(name), &format!("{folder}/{name}"), "644")?;
        }
        let copyright = workspace().join("xtask/packaging/copyright");
        self.install(&copyright, &format!("{folder}/copyright"), "644")?;
        let line = format!("tree -p dram-cli -e normal --prefix none --target {}", triple.name);
        let crates = printed(cargo(&line).args(["--format", "{p} {l}"]))?;
        let mut crates: Vec<_> = crates.lines().filter(|line| !line.starts_with("dram-")).collect();
        crates.sort_unstable();
        crates.dedup_by_key(|line| line.trim_end_matches(" (*)"));
        self.write(&format!("{folder}/crates"), &(crates.join("\n") + "\n"))
    }

    /// Makes the package as of a version; returns where it lies.
    fn make(&self, version: &str) -> Outcome<PathBuf> {
        let sizes = printed(Command::new("du").args(["-k", "-s"]).arg(self.folder.join("usr")))?;
        let kib = sizes.split_whitespace().next().unwrap_or_default();
        let architecture = &self.architecture;
        let control = include_str!("../packaging/control")
            .replace("{version}", version)
            .replace("{architecture}", architecture)
            .replace("{kib}", kib);
        self.write("DEBIAN/control", &control)?;
        let sums = "find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum > DEBIAN/md5sums";
        run(Command::new("sh").args(["-c", sums]).current_dir(&self.folder))?;
        let place = self.folder.with_file_name(format!("dram_{version}_{architecture}.deb"));
        let mut tool = Command::new("dpkg-deb");
        tool.args(["--root-owner-group", "-Zxz", "--build"]).arg(&self.folder).arg(&place);
        let time = printed(Command::new("git").args(["log", "-1", "--format=%ct"]))?;
        run(tool.env("SOURCE_DATE_EPOCH", time.trim()))?;
        Ok(place)
    }

    fn write(&self, place: &str, text: &str) -> Outcome {
        let place = self.folder.join(place);
        fs::write(&place, text).map_err(|reason| format!("cannot write {place:?}: {reason}"))
    }

    fn install(&self, from: &Path, place: &str, mode: &str) -> Outcome {
        let to = self.folder.join(place);
        run(Command::new("install").args(["-D", "-m", mode]).arg(from).arg(to))
    }
}
