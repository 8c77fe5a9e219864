//! Cycles of the inner loops of ARM kernels, as `llvm-mca` models the cores.
//!
//! A loop's work is known by its multiplications: a unit of 8 rows and 32 weights takes 256
//! products a column, of which `smmla` does 32, `sdot` 16, and `smull` or `smlal` of bytes 8.

use crate::arm::{self, require};
use crate::count;
use crate::step::{Outcome, printed, workspace};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The tables of kernels, by the files and folders they are in.
const TABLES: [&str; 3] = ["neon", "dotprod", "i8mm"];
/// `neoverse-n1` stands for its sibling cortex-a76 and `neoverse-v2` for V3AE, of which there are no
/// models. The last alone has what every table needs.
const CORES: [&str; 5] = ["cortex-a53", "cortex-a57", "cortex-a72", "neoverse-n1", "neoverse-v2"];
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
    let dram = arm::dram_unmerged()?;
    let mut table = format!("{HEAD}\n");
    for (kernel, body) in loops(&dram)? {
        let (units, count) = (kernel.units(&body), body.len());
        let Kernel { table: name, format, source, columns } = kernel;
        for core in if name == "i8mm" { &CORES[4..] } else { &CORES } {
            let cycles = cycles(&body, core)?;
            let rate = (units * columns * PRODUCTS) as f64 / cycles;
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
        "neoverse-n1 stands for cortex-a76 and neoverse-v2 for V3AE, of which there are no models"
            .into(),
        "built with -Zmerge-functions=disabled, so that equal kernels are told apart".into(),
    ];
    let record = workspace().join("bench/record/llvm-mca.csv");
    fs::write(&record, table)
        .and_then(|()| fs::write(record.with_extension("txt"), provenance.join("\n") + "\n"))
        .map_err(|reason| format!("{}: {reason}", record.display()))
}

impl Kernel {
    /// Units in a round of a loop. `smmla` takes columns in pairs, and a last one twice.
    fn units(&self, body: &[Instruction]) -> usize {
        let in_pairs = body.iter().any(|(_, text)| text.starts_with("smmla"));
        let columns = if in_pairs { self.columns.next_multiple_of(2) } else { self.columns };
        products(body) / PRODUCTS / columns
    }
}

/// The innermost loops of kernels, with the functions they call. Of many loops of a kernel it is the
/// one of most products, as others are for what is left of a row, and of such the shortest.
fn loops(program: &Path) -> Outcome<BTreeMap<Kernel, Vec<Instruction>>> {
    let text = printed(Command::new(DISASSEMBLER).args(["-d", "--no-show-raw-insn"]).arg(program))?;
    let code: Vec<Instruction> = text.lines().filter_map(instruction).collect();
    let mut loops = BTreeMap::<Kernel, Vec<Instruction>>::new();
    for end in 0..code.len() {
        let Some(body) = innermost(&code[..=end]) else { continue };
        let whole = with_calls(body, &code);
        if products(&whole) < PRODUCTS {
            continue;
        }
        let Some(kernel) = kernel(program, body)? else { continue };
        let rank = |body: &[Instruction]| (products(body), Reverse(body.len()));
        let best = loops.entry(kernel).or_default();
        if rank(&whole) > rank(best) {
            *best = whole;
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

/// The loop that the last instruction closes, if no other loop is in it.
fn innermost(code: &[Instruction]) -> Option<&[Instruction]> {
    let ((last, branch), before) = code.split_last()?;
    let first = target(branch).filter(|first| first < last)?;
    let start = before.binary_search_by_key(&first, |(address, _)| *address).ok()?;
    let inside = |(address, text): &Instruction| {
        target(text).is_some_and(|target| (first..=*address).contains(&target))
    };
    let innermost = !before[start..].iter().any(inside);
    Some(&code[start..]).filter(|_| innermost)
}

/// A loop, and in place of calls the functions called, if they are straight.
fn with_calls(body: &[Instruction], code: &[Instruction]) -> Vec<Instruction> {
    let whole = body.iter().flat_map(|instruction| match callee(&instruction.1, code) {
        Some(callee) => callee,
        None => std::slice::from_ref(instruction),
    });
    whole.cloned().collect()
}

/// The instructions of a function that is called, but for its return, if there is no other branch.
fn callee<'a>(call: &str, code: &'a [Instruction]) -> Option<&'a [Instruction]> {
    let (address, _) = call.strip_prefix("bl")?.split_once(" <")?;
    let address = u64::from_str_radix(address.trim().strip_prefix("0x")?, 16).ok()?;
    let start = code.binary_search_by_key(&address, |(address, _)| *address).ok()?;
    let count = code[start..].iter().position(|(_, text)| text == "ret")?;
    let branches = |(_, text): &Instruction| target(text).is_some() || text.starts_with("bl");
    let callee = &code[start..start + count];
    (!callee.iter().any(branches)).then_some(callee)
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
        ["smmla", ..] => 32,
        ["sdot", ..] => 16,
        ["smull" | "smull2" | "smlal" | "smlal2", sum, ..] if sum.ends_with(".8h,") => 8,
        _ => 0,
    };
    body.iter().map(made).sum()
}

/// The kernel that a loop is of, from the functions that its instructions were inlined from.
fn kernel(program: &Path, body: &[Instruction]) -> Outcome<Option<Kernel>> {
    let mut sources = Command::new(SOURCES);
    sources.args(["-a", "-i", "-f", "-p", "-C", "-e"]).arg(program);
    sources.args(body.iter().map(|(address, _)| format!("{address:#x}")));
    let told = printed(&mut sources)?;
    // With each instruction's address begin its frames, innermost first.
    Ok(told.split("\n0x").find_map(|frames| named(&frames.lines().collect::<Vec<_>>())))
}

/// The kernel that an instruction is of, from its frames: the outermost in a table's file tells the
/// table, and the innermost that makes products the rest.
fn named(frames: &[&str]) -> Option<Kernel> {
    let table = frames.iter().rev().find_map(|frame| table(frame))?;
    let (source, format, columns) = frames.iter().find_map(|frame| product(frame))?;
    Some(Kernel { table: table.into(), format, source, columns })
}

/// The table that a frame's file belongs to.
fn table(frame: &str) -> Option<&'static str> {
    let (_, file) = frame.rsplit_once(" at ")?;
    let is_in =
        |table: &&str| [".rs", "/"].iter().any(|end| file.contains(&format!("/src/{table}{end}")));
    TABLES.into_iter().find(is_in)
}

/// Source, format and columns of products, if a frame tells them: `pass<SOURCE<FORMAT, ..>, COLUMNS,
/// ..> at .../pass.rs:LINE`, or in a table's own file so or `pass<FORMAT, COLUMNS, ..>` of a panel.
fn product(frame: &str) -> Option<(&'static str, String, usize)> {
    let (function, file) = frame.rsplit_once(" at ")?;
    table(frame).or(file.contains("/src/arm/pass.rs").then_some(""))?;
    let types = arguments(function);
    let (first, columns) = (*types.first()?, types.get(1)?.parse().ok()?);
    let within = arguments(first);
    let (source, format) = match first.split('<').next()?.rsplit("::").next()? {
        "Tiles" => ("tiles", *within.first()?),
        "Rows" => ("rows", *within.first()?),
        "Unpacked" => ("panel", *within.get(1)?),
        _ if file.contains("/panel.rs") && first.contains("::") => ("panel", first),
        _ => return None,
    };
    Some((source, format.rsplit("::").next()?.replace(", ", " "), columns))
}

/// The types and numbers between a function's or type's outermost angle brackets.
fn arguments(name: &str) -> Vec<&str> {
    let Some((_, inside)) = name.split_once('<') else { return Vec::new() };
    let (mut depth, mut first, mut arguments) = (0, 0, Vec::new());
    for (i, c) in inside.char_indices() {
        match c {
            ',' if depth == 0 => {
                arguments.push(inside[first..i].trim());
                first = i + 1;
            }
            '<' | '(' | '[' => depth += 1,
            '>' if depth == 0 => {
                arguments.push(inside[first..i].trim());
                break;
            }
            '>' | ')' | ']' => depth -= 1,
            _ => {}
        }
    }
    arguments
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
    let flags = ["-mtriple=aarch64", "-mattr=+dotprod,+fullfp16,+i8mm", &core, &iterations];
    let told = printed(Command::new(ANALYZER).args(flags).arg(&file))?;
    let total = told.lines().find_map(|line| line.strip_prefix("Total Cycles:"));
    let total = total.and_then(|cycles| cycles.trim().parse::<f64>().ok());
    let total = total.ok_or_else(|| format!("{ANALYZER} tells no cycles of {}", file.display()))?;
    Ok(total / ITERATIONS as f64)
}

#[cfg(test)]
mod tests {
    use super::{Kernel, innermost, instruction, named, products, with_calls};

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
    fn functions_called_are_part_of_a_loop() {
        let lines = [
            "8: \tsdot\tv1.4s, v2.16b, v3.16b",
            "c: \tret",
            "10: \tbl\t0x8 <half>",
            "14: \tbl\t0x10 <itself>",
            "18: \tb.ne\t0x10 <symbol>",
        ];
        let code: Vec<_> = lines.iter().filter_map(|line| instruction(line)).collect();
        let whole = with_calls(innermost(&code).unwrap(), &code);
        let addresses: Vec<_> = whole.iter().map(|(address, _)| *address).collect();
        assert_eq!(addresses, [8, 0x14, 0x18], "a function without return is left out");
    }

    #[test]
    fn the_kernel_of_an_instruction() {
        let tell = |types: &str| {
            let frames = [
                "0x1: pair<a::q4_1::Q4_1, 20, (), 0> at a/src/arm/q4_1.rs:60".to_owned(),
                format!(" (inlined by) one<{types}, 4, 0> at a/src/arm/pass.rs:37"),
                " (inlined by) a::pass::h1 at a/src/dotprod.rs:30".to_owned(),
            ];
            let Kernel { table, format, source, columns } =
                named(&frames.each_ref().map(String::as_str))?;
            Some(format!("{table} {format} {source} {columns}"))
        };
        let tiles = "a::source::Tiles<a::q4_0::Q4_0, 18>, 4";
        assert_eq!(tell(tiles).unwrap(), "dotprod Q4_0 tiles 4");
        assert_eq!(tell("a::source::Rows<a::q4_k::Q4_K, 144>, 1").unwrap(), "dotprod Q4_K rows 1");
        let panel = "a::panel::Unpacked<a::dotprod::Sdot, a::any::Any<8, false>>, 2";
        assert_eq!(tell(panel).unwrap(), "dotprod Any<8 false> panel 2");
        assert_eq!(tell("a::dotprod::Sdot, a::q4_0::Q4_0"), None);
        let own = named(&["products<a::any::Any<8, true>, 3, 0> at a/src/neon/panel.rs:37"]);
        let own = own.unwrap();
        assert_eq!(
            (&*own.table, &*own.format, own.source, own.columns),
            ("neon", "Any<8 true>", "panel", 3)
        );
        assert_eq!(named(&["group<4, 0> at a/src/dotprod.rs:100"]), None);
    }
}
