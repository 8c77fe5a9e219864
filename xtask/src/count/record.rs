//! Counts as files, in the form in which `dram-bench` records measurements.

use crate::arm;
use crate::step::{Outcome, workspace};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const HEAD: &str = "program,test,round,value,unit";
const UNIT: &str = "instructions/token";
pub(super) const DRAM: &str = "dram";
pub(super) const PEER: &str = "llama.cpp";
/// What decides how many instructions `dram` executes.
const COUNTED: [&str; 6] = ["Cargo.lock", "quant", "targets", "runtime", "engine", "cli"];

/// The counts of one model on one core.
pub(super) struct Record {
    core: String,
    model: String,
    measurements: Vec<Measurement>,
    provenance: Vec<String>,
}

/// One number.
struct Measurement {
    program: String,
    test: String,
    instructions: u64,
}

impl Record {
    /// An empty one, which says where its numbers will come from.
    pub(super) fn new(core: &str, model: &Path) -> Self {
        let model = model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let provenance = vec![
            format!("date: {}", first_line("date", &["-u", "+%Y-%m-%dT%H:%M:%SZ"])),
            format!("git: {}", commit()),
            format!("model: {model}"),
            format!("core: {core}, emulated by {}", first_line(arm::EMULATOR, &["--version"])),
            "counted: cargo x count, one thread, from an empty context".into(),
        ];
        Self { core: core.into(), model, measurements: Vec::new(), provenance }
    }

    /// Says where the peer's numbers come from.
    pub(super) fn tell_peer(&mut self, peer: &Path) {
        self.provenance.push(format!("{PEER}: counted now, built with {}", cmake_flags(peer)));
    }

    /// Adds a number.
    pub(super) fn push(&mut self, program: &str, test: &str, instructions: u64) {
        let (program, test) = (program.into(), test.into());
        self.measurements.push(Measurement { program, test, instructions });
    }

    /// Takes the peer's numbers from the newest record that has counted them, if there is one.
    ///
    /// # Errors
    ///
    /// If a record cannot be read.
    pub(super) fn take_peer(&mut self) -> Outcome {
        let ending = format!("-{}.csv", self.name());
        let mut names = names(&folder())?;
        names.retain(|name| name.ends_with(&ending));
        names.sort();
        for name in names.iter().rev() {
            let path = folder().join(name);
            let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            let mut found: Vec<_> = text.lines().filter_map(Measurement::parse).collect();
            found.retain(|measurement| measurement.program == PEER);
            if !found.is_empty() {
                self.provenance.push(format!("{PEER}: taken from {name}"));
                self.measurements.append(&mut found);
                break;
            }
        }
        Ok(())
    }

    /// Prints both programs' millions and their ratios.
    pub(super) fn print(&self) {
        println!("{} on {}, million instructions a token", self.model, self.core);
        println!("{:12} {:>10} {:>10} {:>7}", "", DRAM, PEER, "ratio");
        for own in self.measurements.iter().filter(|m| m.program == DRAM) {
            let millions = own.instructions as f64 / 1e6;
            let test = own.test.split('-').next();
            let same = |m: &&Measurement| m.program == PEER && test == Some(&m.test);
            match self.measurements.iter().find(same) {
                Some(peer) => {
                    let peer = peer.instructions as f64 / 1e6;
                    let ratio = millions / peer;
                    println!("{:12} {millions:>10.1} {peer:>10.1} {ratio:>7.2}", own.test);
                }
                None => println!("{:12} {millions:>10.1}", own.test),
            }
        }
    }

    /// Writes the numbers and, beside them, where they come from.
    ///
    /// # Errors
    ///
    /// If the folder or a file cannot be written.
    pub(super) fn write(&self) -> Outcome {
        let date = first_line("date", &["-u", "+%Y-%m-%dT%H%M%SZ"]);
        let table = folder().join(format!("{date}-{}.csv", self.name()));
        let line =
            |m: &Measurement| format!("{},{},0,{},{UNIT}\n", m.program, m.test, m.instructions);
        let lines: String = self.measurements.iter().map(line).collect();
        let provenance = self.provenance.join("\n") + "\n";
        fs::create_dir_all(folder())
            .and_then(|()| fs::write(&table, format!("{HEAD}\n{lines}")))
            .and_then(|()| fs::write(table.with_extension("txt"), provenance))
            .map_err(|reason| format!("cannot write {}: {reason}", table.display()))?;
        println!("written to {}", table.display());
        Ok(())
    }

    fn name(&self) -> String {
        format!("{}-{}", self.model, self.core)
    }
}

impl Measurement {
    /// Reads a line; the head and lines of other units are none.
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(',').collect();
        let [program, test, _, value, UNIT] = fields[..] else { return None };
        let instructions = value.parse().ok()?;
        Some(Self { program: program.into(), test: test.into(), instructions })
    }
}

fn folder() -> PathBuf {
    workspace().join("bench/record/qemu-aarch64")
}

/// The names of the files in a folder; none if it is not there.
fn names(folder: &Path) -> Outcome<Vec<String>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    Ok(entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// The last commit that changed what is counted, and whether it has changed since.
pub(crate) fn commit() -> String {
    let log = ["log", "-1", "--format=%h", "--"];
    let hash = first_line("git", &[&log[..], &COUNTED].concat());
    let status = ["status", "--porcelain", "--"];
    let changes = first_line("git", &[&status[..], &COUNTED].concat());
    if changes.is_empty() { hash } else { format!("{hash} with changes") }
}

/// The first line that a program prints in the workspace, or why there is none.
fn first_line(program: &str, arguments: &[&str]) -> String {
    match Command::new(program).args(arguments).current_dir(workspace()).output() {
        Ok(output) => {
            String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned()
        }
        Err(reason) => format!("{program}: {reason}"),
    }
}

/// How a program was built that still lies in its build folder's `bin`.
fn cmake_flags(program: &Path) -> String {
    let cache = program.parent().and_then(Path::parent).map(|folder| folder.join("CMakeCache.txt"));
    let cache = cache.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let names =
        ["CMAKE_BUILD_TYPE:", "CMAKE_CXX_FLAGS:", "GGML_CPU_ARM_ARCH:", "GGML_CPU_KLEIDIAI:"];
    let told = cache.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::Measurement;

    #[test]
    fn a_line_of_a_record() {
        let line = Measurement::parse("llama.cpp,tg1,0,498000000,instructions/token").unwrap();
        assert_eq!(
            (&*line.program, &*line.test, line.instructions),
            (super::PEER, "tg1", 498_000_000)
        );
        assert!(Measurement::parse(super::HEAD).is_none());
        assert!(Measurement::parse("dram,tg64,0,20.5,tokens/s").is_none());
    }
}
