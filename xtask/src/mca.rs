//! Cycles of the inner loops of ARM kernels, as `llvm-mca` models the cores.
//!
//! A loop's work is known by its multiplications: a unit of 8 rows and 32 weights takes 256
//! products a column, of which `sdot` does 16, and `smull` or `smlal` of bytes 8.

use crate::arm::{self, require};
use crate::count;
use crate::step::{Outcome, printed, workspace};
use std::cmp::Reverse;
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
/// What a line tells: units of eight rows and 32 weights, instructions and cycles are those of one
/// round of the loop.
const HEAD: &str = "table,format,source,columns,units,instructions,core,cycles,MAC/cycle";

/// An instruction: where it lies, and its text.
type Instruction = (u64, String);

/// Whose loop it is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kernel {
    table: String,
    format: String,
    /// Where its weights come from.
    source: &'static str,
    columns: usize,
}

/// Builds `dram`, models each inner loop on each core, prints the lines and writes them to a
/// record.
///
/// # Errors
///
/// If a tool is missing (the message says how to install it) or fails.
pub(crate) fn mca() -> Outcome {
    for program in [DISASSEMBLER, SOURCES, ANALYZER] {
        require(program, "llvm-19")?;
    }
    let dram = arm::dram()?;
    let mut table = format!("{HEAD}\n");
    for (kernel, body) in loops(&dram)? {
        let Kernel { table: name, format, source, columns } = kernel;
        let (products, count) = (products(&body), body.len());
        let units = products / PRODUCTS / columns;
        for core in CORES {
            let cycles = cycles(&body, core)?;
            let rate = products as f64 / cycles;
            let _ = writeln!(
                table,
                "{name},{format},{source},{columns},{units},{count},{core},{cycles:.1},{rate:.1}"
            );
        }
    }
    print!("{table}");
    let version = printed(Command::new(ANALYZER).arg("--version"))?;
    let version = version.lines().map(str::trim).find(|line| line.contains("version"));
    let provenance = [
        format!("git: {}", count::commit()),
        format!("modelled by {ANALYZER}: {}", version.unwrap_or("of unknown version")),
        format!("each loop {ITERATIONS} times in a row, all loads from the first cache"),
        "neoverse-n1 stands for cortex-a76, of which there is no model".into(),
    ];
    let record = workspace().join("bench/record/llvm-mca.csv");
    fs::write(&record, table)
        .and_then(|()| fs::write(record.with_extension("txt"), provenance.join("\n") + "\n"))
        .map_err(|reason| format!("{}: {reason}", record.display()))
}

/// The innermost loops of kernels. Of many loops of a kernel it is the one of most products, as
/// others are for what is left of a row, and of such the shortest.
fn loops(program: &Path) -> Outcome<BTreeMap<Kernel, Vec<Instruction>>> {
    let text = printed(Command::new(DISASSEMBLER).args(["-d", "--no-show-raw-insn"]).arg(program))?;
    let code: Vec<Instruction> = text.lines().filter_map(instruction).collect();
    let mut loops = BTreeMap::<Kernel, Vec<Instruction>>::new();
    for end in 0..code.len() {
        let Some(body) = innermost(&code[..=end]) else { continue };
        let Some(kernel) = kernel(program, body)? else { continue };
        let best = loops.entry(kernel).or_insert_with(|| body.to_vec());
        let rank = |body: &[Instruction]| (products(body), Reverse(body.len()));
        if rank(body) > rank(best) {
            *best = body.to_vec();
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

/// The kernel that a loop is of, from the functions inlined at its multiplications.
fn kernel(program: &Path, body: &[Instruction]) -> Outcome<Option<Kernel>> {
    let multiplies = |instruction: &&Instruction| products(std::slice::from_ref(*instruction)) > 0;
    let Some((address, _)) = body.iter().find(multiplies) else { return Ok(None) };
    let mut sources = Command::new(SOURCES);
    sources.args(["-i", "-f", "-p", "-C", "-e"]).arg(program).arg(format!("{address:#x}"));
    Ok(printed(&mut sources)?.lines().find_map(named))
}

/// The kernel whose products a frame makes, if it does:
/// `products<SOURCE<FORMAT, ..>, COLUMNS, ..> at TABLE.rs:LINE`, or of panels that a table
/// multiplies in a way of its own `products<FORMAT, COLUMNS, ..> at TABLE/panel.rs:LINE`.
fn named(frame: &str) -> Option<Kernel> {
    let (function, file) = frame.split_once(" at ")?;
    let (types, file) = (function.split_once("products<")?.1, Path::new(file.split(':').next()?));
    let (table, source, format, rest) = match types.split_once(">, ") {
        Some((source, rest)) => {
            let (source, types) = source.split_once('<')?;
            let (source, format) = match source.rsplit("::").next()? {
                "Tiles" => ("tiles", types.split(',').next()?),
                "Rows" => ("rows", types.split(',').next()?),
                _ => ("panel", types.split_once(", ")?.1),
            };
            (file.file_stem()?, source, format, rest)
        }
        None => {
            let (format, rest) = types.split_once(", ")?;
            (file.parent()?.file_name()?, "panel", format, rest)
        }
    };
    Some(Kernel {
        table: table.to_str()?.into(),
        format: format.rsplit("::").next()?.replace(", ", " "),
        source,
        columns: rest.split(',').next()?.parse().ok()?,
    })
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
    let told = printed(Command::new(ANALYZER).args(flags).arg(&file))?;
    let total = told.lines().find_map(|line| line.strip_prefix("Total Cycles:"));
    let total = total.and_then(|cycles| cycles.trim().parse::<f64>().ok());
    let total = total.ok_or_else(|| format!("{ANALYZER} tells no cycles of {}", file.display()))?;
    Ok(total / ITERATIONS as f64)
}

#[cfg(test)]
mod tests {
    use super::{Kernel, innermost, instruction, named, products};

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
    #[test]
    fn the_kernel_of_a_frame() {
        let tell = |types: &str| {
            let frame = format!(" (inlined by) products<{types}, 4, 2, [(); 3]> at a/b.rs:37");
            let Kernel { table, format, source, columns } = named(&frame)?;
            Some(format!("{table} {format} {source} {columns}"))
        };
        let tiles = "a::source::Tiles<a::q4_0::Q4_0, 18>, 4";
        assert_eq!(tell(tiles).unwrap(), "b Q4_0 tiles 4");
        assert_eq!(tell("a::source::Rows<a::q4_k::Q4_K, 144>, 1").unwrap(), "b Q4_K rows 1");
        let panel = "a::panel::Unpacked<a::dotprod::Sdot, a::any::Any<8, false>>, 2";
        assert_eq!(tell(panel).unwrap(), "b Any<8 false> panel 2");
        let own = named("products<a::q4_k::Q4_K, 3, 0> at a/neon/panel.rs:37").unwrap();
        assert_eq!(
            (&*own.table, &*own.format, own.source, own.columns),
            ("neon", "Q4_K", "panel", 3)
        );
        assert_eq!(named("group<4, 0> at a/src/dotprod.rs:100"), None);
    }
}
