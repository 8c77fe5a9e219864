//! `dram boards`: the boards that are known.

use crate::args;
use crate::exit::{Outcome, notice};
use dram_boards::{Board, Catalog, Root};
use serde_json::json;
use std::io::{self, Write};

pub(crate) fn run(args: &args::Boards) -> Outcome {
    let (catalog, errors) = Catalog::load(&Root::system());
    errors.iter().for_each(|error| notice(&error.to_string()));
    let mut out = io::stdout().lock();
    if args.output.json {
        writeln!(out, "{:#}", json!(catalog.boards()))?;
        return Ok(());
    }
    let width = catalog.boards().iter().map(|board| board.id.len()).max().unwrap_or(0);
    for board in catalog.boards() {
        writeln!(out, "{:width$}  {}{}", board.id, board.name, cores(board))?;
    }
    Ok(())
}

/// `, 4 × Cortex-A76` and so on; nothing for a generic board.
fn cores(board: &Board) -> String {
    board.cores.iter().map(|kind| format!(", {} × {}", kind.count, kind.name)).collect()
}
