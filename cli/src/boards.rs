//! `dram boards`, and which board `--board` means.

use crate::args;
use crate::exit::{Code, Failure, Outcome};
use dram_boards::{Board, Catalog, Evidence, Identity, Match, Root};
use serde_json::json;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

pub(crate) fn run(args: &args::Boards) -> Outcome {
    let (catalog, errors) = Catalog::load(&Root::system());
    errors.iter().for_each(|error| eprintln!("dram: {error}"));
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{:#}", json!(catalog.boards()))?;
        return Ok(());
    }
    let width = catalog.boards().iter().map(|board| board.id.len()).max().unwrap_or(0);
    for board in catalog.boards() {
        writeln!(out, "{:width$}  {}{}", board.id, board.name, cores(board))?;
    }
    Ok(())
}

/// The board of a name or of a TOML file, else the one that a machine is.
///
/// # Errors
///
/// [`Code::Missing`] if there is no such board or file, [`Code::BadFile`] if the file is none of a
/// board. Without a request `None` means a machine of an architecture that no board has.
pub(crate) fn select<'a>(
    catalog: &'a mut Catalog,
    request: Option<&str>,
    identity: &'a Identity,
) -> Outcome<Option<Match<'a>>> {
    let Some(request) = request else { return Ok(catalog.detect(identity)) };
    let is_known = catalog.named(request).is_some();
    let board = if is_known { catalog.named(request) } else { Some(catalog.add(read(request)?)) };
    Ok(board.map(|board| Match { board, evidence: Evidence::Request }))
}

/// A board's file.
fn read(path: &str) -> Outcome<Board> {
    let path = Path::new(path);
    if !path.is_file() {
        let message =
            format!("no board or file \"{}\"; `dram boards` lists boards", path.display());
        return Err(Failure::new(Code::Missing, message));
    }
    let bad = |reason: String| Failure::new(Code::BadFile, reason).about(path.display());
    let text = fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    let id = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    Board::parse(id, &text).map_err(|error| bad(error.to_string()))
}

/// `, 4 × Cortex-A76` and so on; nothing for a generic board.
fn cores(board: &Board) -> String {
    board.cores.iter().map(|kind| format!(", {} × {}", kind.count, kind.name)).collect()
}
