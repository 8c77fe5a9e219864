//! `dram fit`: whether a model fits into memory, with which context, and how fast it may be.

mod speed;

use crate::args;
use crate::exit::{Code, Failure, Outcome, notice};
use dram_boards::{Board, Catalog, Machine, Root};
use dram_engine::fit::{Fit, Needs, Speed, with_candidate};
use dram_engine::words::megabytes;
use dram_engine::{self as engine, LoadOptions, select};
use dram_models::{Beginning, address};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub(crate) fn run(args: &args::Fit) -> Outcome {
    let root = Root::system();
    let (mut catalog, errors) = Catalog::load(&root);
    errors.iter().for_each(|error| notice(&error.to_string()));
    let machine = Machine::read(&root, root.page_bytes());
    let address = args.model.to_str().map(address).transpose()?.flatten();
    let begin = address.as_deref().map(Beginning::fetch).transpose()?;
    let here = || dram_models::find(&args.model).map_err(Failure::from);
    let path: PathBuf = begin.as_ref().map_or_else(here, |begin| Ok(begin.path()))?;
    if args.all {
        let known = catalog.boards().iter().filter(|board| !board.is_generic());
        return on_all(args, &path, &known.collect::<Vec<_>>());
    }
    let found = select(&mut catalog, args.board.name.as_deref(), &machine.identity)?;
    let board = found.map(|found| found.board);
    with_candidate(&path, |model| {
        let own = args.board.name.is_none().then_some(&machine);
        let needs = model.needs(&options(args), threads(board, own))?;
        let fits = fits(&needs, board.filter(|_| own.is_none()), &machine)?;
        let speed = board.map(|board| model.speed(board));
        let mut out = io::stdout().lock();
        match args.output.json {
            true => writeln!(out, "{:#}", to_json(&needs, board, &fits, speed.as_ref()))?,
            false => print(&mut out, &needs, board, &fits, speed.as_ref())?,
        }
        refuse(&needs, &fits)
    })
}

/// Tells of every board that is known, a line or an object each.
fn on_all(args: &args::Fit, path: &Path, boards: &[&Board]) -> Outcome {
    with_candidate(path, |model| {
        let mut objects = Vec::new();
        let mut out = io::stdout().lock();
        for board in boards {
            let needs = model.needs(&options(args), threads(Some(board), None))?;
            let (fits, speed) = (needs.fits_of(board)?, model.speed(board));
            if args.output.json {
                objects.push(to_json(&needs, Some(board), &fits, Some(&speed)));
            } else {
                let least = least(&fits, needs.context());
                writeln!(out, "{:30} {least}; {}", board.name, speed::line(&speed))?;
            }
        }
        if args.output.json {
            writeln!(out, "{:#}", Value::from(objects))?;
        }
        Ok(())
    })
}

/// The least memory that holds a context, or the longest context of the most memory.
fn least(fits: &[Fit], context: usize) -> String {
    let holds = |fit: &&Fit| fit.context.is_some_and(|longest| longest >= context);
    match (fits.iter().find(holds), fits.last()) {
        (Some(fit), _) => format!("fits {}", name(fit)),
        (None, Some(fit)) => format!("{} {}", name(fit), verdict(fit, context)),
        (None, None) => "memory not known".into(),
    }
}

/// What is asked for.
fn options(args: &args::Fit) -> LoadOptions {
    args.context.apply(LoadOptions::default())
}

/// Threads that would run: scratch memory grows with them.
fn threads(board: Option<&Board>, own: Option<&Machine>) -> usize {
    let of_board = || board?.threads.map(|threads| threads.prefill as usize);
    let of_machine = |machine| {
        let threads = engine::threads(machine, board);
        Some(threads.decode.max(threads.prefill) as usize)
    };
    own.map_or_else(of_board, of_machine).unwrap_or(1)
}

fn fits(needs: &Needs<'_>, board: Option<&Board>, machine: &Machine) -> Outcome<Vec<Fit>> {
    if let Some(board) = board.filter(|board| !board.memory_mib.is_empty()) {
        return Ok(needs.fits_of(board)?);
    }
    let usable = machine.memory.available_bytes().ok_or_else(|| {
        let message = "the system does not tell how much memory is free; take --board NAME";
        Failure::new(Code::Runtime, message)
    })?;
    Ok(vec![needs.fit(None, usable)?])
}

/// A verdict in words, for a context that is asked for.
fn verdict(fit: &Fit, asked: usize) -> String {
    match fit.context {
        Some(context) if context >= asked => format!("fits; up to --ctx {context}"),
        Some(context) => format!("fits with --ctx {context}"),
        None => "does not fit".into(),
    }
}

fn name(fit: &Fit) -> String {
    let size = |mib: u32| format!("{} GB", f64::from(mib) / 1024.0);
    fit.memory_mib.map_or_else(|| "free now".into(), size)
}

/// Fails if the model fits nowhere.
fn refuse(needs: &Needs<'_>, fits: &[Fit]) -> Outcome {
    if fits.iter().any(|fit| fit.context.is_some()) {
        return Ok(());
    }
    let least = megabytes(needs.least_bytes()?);
    let message = format!(
        "it needs at least {least}; take a smaller model, or the same with fewer bits a weight"
    );
    Err(Failure::new(Code::NoRoom, message))
}

fn to_json(needs: &Needs<'_>, board: Option<&Board>, fits: &[Fit], speed: Option<&Speed>) -> Value {
    let context = needs.context();
    let fits = fits.iter().map(|fit| {
        json!({
            "memory_mib": fit.memory_mib, "usable_bytes": fit.usable_bytes,
            "fits": fit.context.is_some_and(|most| most >= context),
            "longest_context": fit.context,
        })
    });
    json!({
        "board": board.map(|board| &board.id),
        "context": context,
        "needed_bytes": needs.bytes(context).ok(),
        "weights_bytes": needs.fixed_bytes,
        "memory": fits.collect::<Vec<_>>(),
        "prediction": speed.map(speed::to_json),
    })
}

fn print(
    out: &mut impl Write,
    needs: &Needs<'_>,
    board: Option<&Board>,
    fits: &[Fit],
    speed: Option<&Speed>,
) -> Outcome {
    let context = needs.context();
    let needed = needs.bytes(context)?;
    let rest = megabytes(needed - needs.fixed_bytes);
    let fixed = megabytes(needs.fixed_bytes);
    writeln!(out, "board      {}", board.map_or("unknown", |board| &board.name))?;
    writeln!(out, "needs      {} for --ctx {context}", megabytes(needed))?;
    writeln!(out, "           {fixed} of weights and vocabulary, {rest} for all else")?;
    for fit in fits {
        let (name, usable) = (name(fit), megabytes(fit.usable_bytes));
        writeln!(out, "{name:10} {} ({usable} usable)", verdict(fit, context))?;
    }
    speed.map_or(Ok(()), |speed| speed::print(speed, out))?;
    Ok(())
}
