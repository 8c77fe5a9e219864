//! The kinds of machine that programs are built for: one file each in `targets/build`.

use crate::board::Board;
use crate::step::{Outcome, cargo, require, workspace};
use crate::table::{tables, text};
use std::path::{Path, PathBuf};
use std::process::Command;
use toml::{Table, Value};

/// How a program is built for one kind of machine.
pub(crate) struct Triple {
    /// The compiler's name for it.
    pub name: String,
    /// Debian's name for its architecture.
    pub debian: String,
    /// What makes the compiler link the C library into the program.
    pub static_flags: Vec<String>,
    /// The first C library that boards have.
    pub oldest_glibc: String,
    /// The boards' and the kernel's name for its architecture.
    pub architecture: String,
    linker: String,
    linker_packages: String,
    library_packages: String,
}

impl Triple {
    /// Reads the file of a kind of machine.
    ///
    /// # Errors
    ///
    /// If there is no such file, or a field is missing or wrong.
    pub(crate) fn named(name: &str) -> Outcome<Self> {
        let mut triples = Self::all()?;
        let place = triples.iter().position(|triple| triple.name == name).ok_or_else(|| {
            let names: Vec<_> = triples.iter().map(|triple| triple.name.as_str()).collect();
            format!("there is no target {name}, but {}", names.join(", "))
        })?;
        Ok(triples.swap_remove(place))
    }

    /// The kind of machine that a board is.
    ///
    /// # Errors
    ///
    /// If there is no such board.
    pub(crate) fn of_board(id: &str) -> Outcome<Self> {
        let architecture = Board::named(id)?.architecture;
        let mut triples = Self::all()?.into_iter();
        let triple = triples.find(|triple| triple.architecture == architecture);
        triple.ok_or_else(|| format!("nothing is built for {architecture}"))
    }

    fn all() -> Outcome<Vec<Self>> {
        let tables = tables("targets/build")?.into_iter();
        // Beside them lie settings of other tools.
        tables.filter(|(name, _)| name != "Cross").map(|(_, table)| Self::new(&table)).collect()
    }

    fn new(table: &Table) -> Outcome<Self> {
        let flags = table.get("static_flags").and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            name: text(table, "triple")?,
            debian: text(table, "debian")?,
            static_flags: flags.filter_map(Value::as_str).map(String::from).collect(),
            oldest_glibc: text(table, "oldest_glibc")?,
            architecture: text(table, "architecture")?,
            linker: text(table, "linker")?,
            linker_packages: text(table, "linker_packages")?,
            library_packages: text(table, "library_packages")?,
        })
    }

    /// Cargo with the arguments in `line`, for this kind of machine.
    ///
    /// # Errors
    ///
    /// If a compiler or linker is missing; the message says how to install it.
    pub(crate) fn cargo(&self, line: &str) -> Outcome<Command> {
        require(&self.linker, &self.linker_packages)?;
        let mut cargo = cargo(line);
        cargo
            .args(["--target", &self.name])
            .env("RUSTC", self.rustc()?)
            .env("CARGO_TARGET_DIR", folder())
            .env(self.variable("LINKER"), &self.linker);
        Ok(cargo)
    }

    /// What a build in a profile makes.
    pub(crate) fn built(&self, profile: &str) -> PathBuf {
        folder().join(&self.name).join(profile).join("dram")
    }

    /// The variable that sets something in cargo for this kind of machine.
    pub(crate) fn variable(&self, what: &str) -> String {
        format!("CARGO_TARGET_{}_{what}", self.name.to_uppercase().replace('-', "_"))
    }

    /// A compiler that has the target's standard library: `$RUSTC` or the usual one, else Debian's.
    fn rustc(&self) -> Outcome<String> {
        let usual = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
        let found = [usual, "/usr/bin/rustc".into()].into_iter().find(|rustc| self.is_in(rustc));
        found.ok_or_else(|| {
            let Self { name, debian, library_packages, .. } = self;
            format!(
                "no compiler has the standard library of {name}; `rustup target add {name}`, or \
                 on Debian `dpkg --add-architecture {debian} && apt-get update && apt-get install \
                 {library_packages}`"
            )
        })
    }

    /// Whether a compiler has the target's standard library.
    fn is_in(&self, rustc: &str) -> bool {
        let arguments = ["--print", "target-libdir", "--target", &self.name];
        let output = Command::new(rustc).args(arguments).output();
        output
            .is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).exists())
    }
}

/// What cross builds make.
fn folder() -> PathBuf {
    workspace().join("target/cross")
}
