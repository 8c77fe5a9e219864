//! `dram fit`: whether a model fits into memory, with which context, and how fast it may be.

mod predict;

use crate::args;
use crate::boards;
use crate::exit::{Code, Failure, Outcome};
use crate::host;
use crate::hub;
use crate::load::{self, megabytes};
use crate::remote::Beginning;
use dram_boards::{Board, Catalog, Machine, Root};
use dram_runtime::Limits;
use dram_runtime::model::{Gguf, Plan};
use dram_runtime::text::Vocab;
use predict::Speed;
use serde_json::{Value, json};
use std::io::{self, Write};
use std::num::NonZero;

/// The program itself, its stacks and its threads.
const PROGRAM_BYTES: usize = 8 << 20;
/// Positions that a page of keys and values holds: contexts are tried in this step.
const STEP: usize = dram_targets::PAGE;

/// What a model needs.
struct Needs<'a> {
    plan: &'a Plan<'a>,
    limits: Limits,
    /// Weights, and the tables of the vocabulary.
    fixed_bytes: usize,
}

/// A model in some memory.
struct Fit {
    /// As it is sold; `None` for what this machine has free.
    memory_mib: Option<u32>,
    usable_bytes: usize,
    /// The longest context that fits; `None` if none does.
    context: Option<usize>,
}

pub(crate) fn run(args: &args::Fit) -> Outcome {
    let root = Root::system();
    let (mut catalog, errors) = Catalog::load(&root);
    errors.iter().for_each(|error| eprintln!("dram: {error}"));
    let machine = Machine::read(&root, root.page_bytes());
    let address = hub::address(&args.model)?;
    let begin = address.as_deref().map(Beginning::fetch).transpose()?;
    let file = begin.as_ref().map(|begin| begin.path().to_string_lossy().into_owned());
    let model = file.as_ref().unwrap_or(&args.model);
    if args.all {
        let known = catalog.boards().iter().filter(|board| !board.is_generic());
        return on_all(args, model, &known.collect::<Vec<_>>());
    }
    let found = boards::select(&mut catalog, args.board.as_deref(), &machine.identity)?;
    let board = found.map(|found| found.board);
    with_plan(model, |gguf, plan| {
        let own = args.board.is_none().then_some(&machine);
        let needs = Needs::new(gguf, plan, args, threads(board, own))?;
        let fits = fits(&needs, board.filter(|_| own.is_none()), &machine)?;
        let speed = board.map(|board| Speed::predict(board, plan));
        let mut out = io::stdout().lock();
        match args.json {
            true => writeln!(out, "{:#}", to_json(&needs, board, &fits, speed.as_ref()))?,
            false => print(&mut out, &needs, board, &fits, speed.as_ref())?,
        }
        refuse(&needs, &fits)
    })
}

/// Tells of every board that is known, a line or an object each.
fn on_all(args: &args::Fit, model: &str, boards: &[&Board]) -> Outcome {
    with_plan(model, |gguf, plan| {
        let mut objects = Vec::new();
        let mut out = io::stdout().lock();
        for board in boards {
            let needs = Needs::new(gguf, plan, args, threads(Some(board), None))?;
            let sizes = board.memory_mib.iter();
            let fits = sizes.map(|&mib| needs.fit(Some(mib), Board::usable_bytes(mib)));
            let fits: Vec<Fit> = fits.collect::<Outcome<_>>()?;
            let speed = Speed::predict(board, plan);
            if args.json {
                objects.push(to_json(&needs, Some(board), &fits, Some(&speed)));
            } else {
                let least = least(&fits, needs.limits.context);
                writeln!(out, "{:30} {least}; {}", board.name, speed.line())?;
            }
        }
        if args.json {
            writeln!(out, "{:#}", Value::from(objects))?;
        }
        Ok(())
    })
}

/// The least memory that holds a context, or the longest context of the most memory.
fn least(fits: &[Fit], context: usize) -> String {
    let holds = |fit: &&Fit| fit.context.is_some_and(|longest| longest >= context);
    match (fits.iter().find(holds), fits.last()) {
        (Some(fit), _) => format!("fits {}", fit.name()),
        (None, Some(fit)) => format!("{} {}", fit.name(), fit.verdict(context)),
        (None, None) => "memory not known".into(),
    }
}

/// Lends a model's plan.
fn with_plan<T>(model: &str, f: impl FnOnce(&Gguf<'_>, &Plan<'_>) -> Outcome<T>) -> Outcome<T> {
    load::with_gguf(model, |path, gguf| {
        let about = load::about(path);
        let mut slots = vec![None; Plan::layers_in(gguf).map_err(&about)?];
        f(gguf, &Plan::new(gguf, &mut slots).map_err(&about)?)
    })
}

/// Threads that would run: scratch memory grows with them.
fn threads(board: Option<&Board>, own: Option<&Machine>) -> usize {
    let of_board = || board?.threads.map(|threads| threads.prefill as usize);
    let of_machine = |machine| {
        let threads = host::threads(machine, board);
        Some(threads.decode.max(threads.prefill) as usize)
    };
    own.map_or_else(of_board, of_machine).unwrap_or(1)
}

fn fits(needs: &Needs<'_>, board: Option<&Board>, machine: &Machine) -> Outcome<Vec<Fit>> {
    let sizes = board.map(|board| board.memory_mib.clone()).unwrap_or_default();
    if sizes.is_empty() {
        let usable = machine.memory.available_bytes().ok_or_else(|| {
            let message = "the system does not tell how much memory is free; take --board NAME";
            Failure::new(Code::Runtime, message)
        })?;
        return Ok(vec![needs.fit(None, usable)?]);
    }
    sizes.iter().map(|&mib| needs.fit(Some(mib), Board::usable_bytes(mib))).collect()
}

impl<'a> Needs<'a> {
    fn new(gguf: &Gguf<'_>, plan: &'a Plan<'a>, args: &args::Fit, threads: usize) -> Outcome<Self> {
        let weights: usize = gguf.tensors().map(|tensor| tensor.bytes().len()).sum();
        let default = Limits::default();
        let threads = args.threads.map_or(threads, NonZero::get);
        let context = args.ctx.map_or(default.context.min(plan.config.context), NonZero::get);
        let kv = load::kv_format(args.kv);
        let limits = Limits { context, threads, kv, ..default };
        Ok(Self { plan, limits, fixed_bytes: weights + Vocab::bytes(gguf)? })
    }

    /// Everything, with a context of so many positions.
    fn bytes(&self, context: usize) -> Outcome<usize> {
        let session = self.plan.bytes(&Limits { context, ..self.limits })?;
        Ok(self.fixed_bytes.saturating_add(session).saturating_add(PROGRAM_BYTES))
    }

    /// Finds the longest context, by halving the range of what is known to fit and not to.
    fn fit(&self, memory_mib: Option<u32>, usable: u64) -> Outcome<Fit> {
        let usable_bytes = usize::try_from(usable).unwrap_or(usize::MAX);
        let most = self.plan.config.context;
        let (mut fits, mut does_not) = (0, most.div_ceil(STEP) + 1);
        while does_not - fits > 1 {
            let middle = fits + (does_not - fits) / 2;
            match self.bytes((middle * STEP).min(most))? <= usable_bytes {
                true => fits = middle,
                false => does_not = middle,
            }
        }
        let context = (fits > 0).then_some((fits * STEP).min(most));
        Ok(Fit { memory_mib, usable_bytes, context })
    }
}

impl Fit {
    /// In words, for a context that is asked for.
    fn verdict(&self, asked: usize) -> String {
        match self.context {
            Some(context) if context >= asked => format!("fits; up to --ctx {context}"),
            Some(context) => format!("fits with --ctx {context}"),
            None => "does not fit".into(),
        }
    }

    fn name(&self) -> String {
        let size = |mib: u32| format!("{} GB", f64::from(mib) / 1024.0);
        self.memory_mib.map_or_else(|| "free now".into(), size)
    }
}

/// Fails if the model fits nowhere.
fn refuse(needs: &Needs<'_>, fits: &[Fit]) -> Outcome {
    if fits.iter().any(|fit| fit.context.is_some()) {
        return Ok(());
    }
    let least = megabytes(needs.bytes(STEP)?);
    let message = format!(
        "it needs at least {least}; take a smaller model, or the same with fewer bits a weight"
    );
    Err(Failure::new(Code::NoRoom, message))
}

fn to_json(needs: &Needs<'_>, board: Option<&Board>, fits: &[Fit], speed: Option<&Speed>) -> Value {
    let context = needs.limits.context;
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
        "prediction": speed.map(Speed::to_json),
    })
}

fn print(
    out: &mut impl Write,
    needs: &Needs<'_>,
    board: Option<&Board>,
    fits: &[Fit],
    speed: Option<&Speed>,
) -> Outcome {
    let context = needs.limits.context;
    let needed = needs.bytes(context)?;
    let rest = megabytes(needed - needs.fixed_bytes);
    let fixed = megabytes(needs.fixed_bytes);
    writeln!(out, "board      {}", board.map_or("unknown", |board| &board.name))?;
    writeln!(out, "needs      {} for --ctx {context}", megabytes(needed))?;
    writeln!(out, "           {fixed} of weights and vocabulary, {rest} for all else")?;
    for fit in fits {
        let (name, usable) = (fit.name(), megabytes(fit.usable_bytes));
        writeln!(out, "{name:10} {} ({usable} usable)", fit.verdict(context))?;
    }
    speed.map_or(Ok(()), |speed| speed.print(out))?;
    Ok(())
}
