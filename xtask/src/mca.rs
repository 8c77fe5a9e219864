//! Cycles of the inner loops of ARM kernels, as `llvm-mca` models the cores.
//!
//! A loop's work is known by its multiplications: a unit of 8 rows and 32 weights takes 256
//! products a column, of which `sdot` does 16, and `smull` or `smlal` of bytes 8.

use crate::arm::{self, require};
use crate::count;
use crate::step::{Outcome, workspace};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// `neoverse-n1` stands for its sibling cortex-a76, of which there is no model.
const CORES: [&str; 4] = ["cortex-a53", "cortex-a57", "cortex-a72", "neoverse-n1"];
const DISASSEMBLER: &str = "llvm-objdump-19";
const SOURCES: &str = "llvm-addr2line-19";
const ANALYZER: &str = "llvm-mca-19";
/// Times that a loop is modelled in a row.
const ITERATIONS: usize = 100;
/// Products of a unit and column.
const PRODUCTS: usize = 256;

/// An instruction: where it lies, and its text.
type Instruction = (u64, String);

/// Builds `dram`, prints a line for each inner loop, and writes them to a record.
///
/// # Errors
///
/// If a tool is missing (the message says how to install it) or fails.
pub(crate) fn mca() -> Outcome {
    for program in [DISASSEMBLER, SOURCES, ANALYZER] {
        require(program, "llvm-19")?;
    }
    let dram = arm::dram()?;
    let mut table = format!("git: {}, modelled by {ANALYZER}\n\n", count::commit());
    let _ = write!(table, "{:56} {:>12}", "per unit and column", "instructions");
    for core in CORES {
        let _ = write!(table, " {core:>12}");
    }
    table.push('\n');
    for (kernel, body) in loops(&dram)? {
        let units = products(&body) as f64 / PRODUCTS as f64;
        let _ = write!(table, "{kernel:56} {:12.1}", body.len() as f64 / units);
        for core in CORES {
            let _ = write!(table, " {:12.1}", cycles(&body, core)? / units);
        }
        table.push('\n');
    }
    print!("{table}");
    let record = workspace().join("bench/record/llvm-mca.txt");
    fs::write(&record, table).map_err(|reason| format!("{}: {reason}", record.display()))
}

/// The innermost loops of kernels, by name: table, source of weights, columns. Of many loops of one
/// name it is the shortest; the others do something else besides.
fn loops(program: &Path) -> Outcome<BTreeMap<String, Vec<Instruction>>> {
    let text = output(Command::new(DISASSEMBLER).args(["-d", "--no-show-raw-insn"]).arg(program))?;
    let code: Vec<Instruction> = text.lines().filter_map(instruction).collect();
    let mut loops = BTreeMap::<String, Vec<Instruction>>::new();
    for end in 0..code.len() {
        let Some(body) = innermost(&code[..=end]) else { continue };
        let Some(name) = kernel(program, body)? else { continue };
        let shortest = loops.entry(name).or_insert_with(|| body.to_vec());
        if body.len() < shortest.len() {
            *shortest = body.to_vec();
        }
    }
    Ok(loops)
}

/// An instruction in a line of a disassembly.
fn instruction(line: &str) -> Option<Instruction> {
    let (address, text) = line.split_once(':')?;
    let address = u64::from_str_radix(address.trim(), 16).ok()?;
    Some((address, text.trim().to_owned())).filter(|(_, text)| !text.is_empty())
}

/// The loop that the last instruction closes, if it multiplies and no other loop is in it.
fn innermost(code: &[Instruction]) -> Option<&[Instruction]> {
    let ((last, branch), before) = code.split_last()?;
    let first = target(branch).filter(|first| first < last)?;
    let start = before.binary_search_by_key(&first, |(address, _)| *address).ok()?;
    let inside = |(address, text): &Instruction| {
        target(text).is_some_and(|target| (first..=*address).contains(&target))
    };
    let innermost = !before[start..].iter().any(inside);
    Some(&code[start..]).filter(|body| innermost && products(body) >= PRODUCTS)
}

/// Where a branch within a function goes.
fn target(text: &str) -> Option<u64> {
    let name = text.split_whitespace().next()?;
    let branches = name == "b" || ["b.", "cb", "tb"].iter().any(|start| name.starts_with(start));
    let (operands, _) = text.split_once(" <").filter(|_| branches)?;
    u64::from_str_radix(operands.rsplit_once("0x")?.1, 16).ok()
}

/// Products of bytes that instructions make.
fn products(body: &[Instruction]) -> usize {
    let made = |(_, text): &Instruction| match text.split_whitespace().collect::<Vec<_>>()[..] {
        ["sdot", ..] => 16,
        ["smull" | "smull2" | "smlal" | "smlal2", sum, ..] if sum.ends_with(".8h,") => 8,
        _ => 0,
    };
    body.iter().map(made).sum()
}

/// The name of the kernel that a loop is of, from the functions inlined at its multiplications.
fn kernel(program: &Path, body: &[Instruction]) -> Outcome<Option<String>> {
    let multiplies = |instruction: &&Instruction| products(std::slice::from_ref(*instruction)) > 0;
    let Some((address, _)) = body.iter().find(multiplies) else { return Ok(None) };
    let mut sources = Command::new(SOURCES);
    sources.args(["-i", "-f", "-p", "-C", "-e"]).arg(program).arg(format!("{address:#x}"));
    Ok(output(&mut sources)?.lines().find_map(|frame| {
        let (function, file) = frame.split_once(" at ")?;
        let (_, source) = function.strip_suffix('>')?.split_once("pass<")?;
        let table = Path::new(file.split(':').next()?).file_stem()?.to_string_lossy();
        let source = source.replace("dram_targets::arm::", "").replace("product::", "");
        Some(format!("{table} {source}"))
    }))
}

/// Cycles that a core takes for a round of a loop.
fn cycles(body: &[Instruction], core: &str) -> Outcome<f64> {
    let mut assembly = String::new();
    for (_, text) in body {
        // Branches leave for one place: only the straight path is modelled.
        let left = text.split_once(" <").and_then(|(operands, _)| operands.rsplit_once("0x"));
        let _ = match left {
            Some((branch, _)) => writeln!(assembly, "{branch} 1f"),
            None => writeln!(assembly, "{text}"),
        };
    }
    let file = workspace().join("target/mca.s");
    fs::write(&file, assembly + "1:\n")
        .map_err(|reason| format!("{}: {reason}", file.display()))?;
    let iterations = format!("-iterations={ITERATIONS}");
    let core = format!("-mcpu={core}");
    let flags = ["-mtriple=aarch64", "-mattr=+dotprod,+fullfp16", &core, &iterations];
    let told = output(Command::new(ANALYZER).args(flags).arg(&file))?;
    let total = told.lines().find_map(|line| line.strip_prefix("Total Cycles:"));
    let total = total.and_then(|cycles| cycles.trim().parse::<f64>().ok());
    let total = total.ok_or_else(|| format!("{ANALYZER} tells no cycles of {}", file.display()))?;
    Ok(total / ITERATIONS as f64)
}

/// What a program prints.
fn output(command: &mut Command) -> Outcome<String> {
    let output =
        command.output().map_err(|reason| format!("cannot start {command:?}: {reason}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

#[cfg(test)]
mod tests {
    use super::{innermost, instruction, products};

    #[test]
    fn a_loop_and_its_products() {
        let sums = (4..20).map(|i| format!("{:x}: \tsdot\tv22.4s, v1.16b, v0.4b[0]", 4 * i));
        let rest = [
            "50: \tsmlal2\tv15.8h, v16.16b, v7.16b",
            "54: \tsmlal\tv15.4s, v16.4h, v7.4h",
            "58: \tb.ne\t0x10 <symbol+0x10>",
        ];
        let lines = ["0000c <symbol>:".into()].into_iter().chain(sums);
        let lines = lines.chain(rest.map(String::from));
        let code: Vec<_> = lines.filter_map(|line| instruction(&line)).collect();
        assert_eq!((code.len(), products(&code)), (19, 16 * 16 + 8));
        assert_eq!(innermost(&code), Some(&code[..]));
        assert_eq!(innermost(&code[..18]), None, "no branch closes it");
        assert_eq!(innermost(&code[16..]), None, "its first instruction is missing");
    }
}
