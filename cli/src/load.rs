//! From a model's name to a session: everything borrowed lives here, and is lent to a closure.

use crate::args::{self, Kv, Weights};
use crate::exit::{Code, Failure, Outcome};
use crate::host::Host;
use crate::{models, oom};
use dram_boards::Threads;
use dram_quant::Order;
use dram_runtime::model::{Gguf, Map, Plan, Room, read_ahead};
use dram_runtime::text::Vocab;
use dram_runtime::{Error, KvFormat, Limits, Session, Tiling};
use dram_targets::Kernels;
use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A model that is ready, beside its session.
pub(crate) struct Model<'a> {
    pub path: &'a Path,
    pub gguf: &'a Gguf<'a>,
    pub vocab: &'a Vocab<'a>,
    /// Bytes of the weights' file in memory, mapped or read.
    pub weights_bytes: usize,
    /// Whether the weights are in tiles, or become tiles while they are used.
    pub in_tiles: bool,
    /// Bytes of everything else.
    pub session_bytes: usize,
    /// Threads to generate, and to read a prompt.
    pub threads: Threads,
}

impl Model<'_> {
    /// The name of the model's file, without `.gguf`.
    pub(crate) fn name(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Lends a checked view of a model's file.
pub(crate) fn with_gguf<T>(
    model: &str,
    f: impl FnOnce(&Path, &Gguf<'_>) -> Outcome<T>,
) -> Outcome<T> {
    let path = models::find(model)?;
    let maps = Map::open_all(&path).map_err(about(&path))?;
    view(&path, &maps, |gguf| f(&path, gguf))
}

/// Lends a session of a model on a host.
///
/// # Errors
///
/// If there is no such model, it is damaged, or it does not fit in memory.
pub(crate) fn with_session<T>(
    host: &Host,
    path: &Path,
    load: &args::Load,
    kernels: &'static Kernels,
    f: impl FnOnce(&Model<'_>, &mut Session<'_>) -> Outcome<T>,
) -> Outcome<T> {
    oom::volunteer();
    let each = host.threads(load);
    let threads = each.decode.max(each.prefill) as usize;
    host.pin(load, threads);
    let maps = Map::open_all(path).map_err(about(path))?;
    view(path, &maps, |header| {
        let about = about(path);
        if !load.force {
            check_model(host, header, load, threads, bytes(&maps))
                .map_err(|f| f.about(path.display()))?;
        }
        let in_tiles = into_tiles(host, load.weights, header, &maps, kernels)?;
        // What is to be locked must be there; else the first answer need not wait for tiles.
        let is_read = in_tiles && load.mlock;
        let mut tables = vec![0; Vocab::bytes(header).map_err(&about)?];
        // Neither waits for the other: one computes, and the other often waits for the disk.
        let (vocab, images) = thread::scope(|scope| {
            let vocab = scope.spawn(|| Vocab::new(header, &mut tables));
            let images = is_read.then(|| Map::read_tiles(path, threads)).transpose();
            (vocab.join().expect("no file makes the vocabulary panic"), images)
        });
        let images = images.map_err(&about)?;
        let weights = images.as_deref().unwrap_or(&maps);
        if load.mlock {
            weights.iter().try_for_each(Map::lock).map_err(&about)?;
        }
        view(path, weights, |gguf| {
            let mut slots = vec![None; Plan::layers_in(gguf).map_err(&about)?];
            let plan = Plan::new(gguf, &mut slots).map_err(&about)?;
            let vocab = &vocab.map_err(&about)?;
            let limits = limits(load, threads, plan.config.context);
            let session_bytes = plan.bytes(&limits)?;
            check_room(host, "a session", session_bytes, "take a smaller --ctx, or --kv q8_0")?;
            let mut memory = Room::new("a session", session_bytes)?;
            let tile_bytes = if in_tiles && !is_read { plan.tile_bytes()? } else { 0 };
            let mut room = Room::new("the model in tiles", tile_bytes)?;
            let mut layers = vec![None; plan.config.layers];
            let release = |rows: &[u8]| maps.iter().for_each(|map| map.release(rows));
            let mut session = Session::new(&plan, kernels, limits, &mut memory)?;
            if tile_bytes > 0 {
                let (room, layers) = (&mut *room, &mut *layers);
                session.arrange_in(Tiling { room, layers, release: &release })?;
            }
            session.set_threads(each.decode as usize, each.prefill as usize);
            let weights_bytes = bytes(weights);
            let threads = each.at_most(session.limits().threads as u32);
            let model =
                Model { path, gguf, vocab, weights_bytes, in_tiles, session_bytes, threads };
            reading_ahead(&plan, || f(&model, &mut session))
        })
    })
}

/// Runs `f` while the weights it will use are read from the disk, if they are not in memory.
fn reading_ahead<T>(plan: &Plan<'_>, f: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| read_ahead(plan.weights(), &stop));
        let outcome = f();
        stop.store(true, Ordering::Relaxed);
        outcome
    })
}

fn view<T>(path: &Path, maps: &[Map], f: impl FnOnce(&Gguf<'_>) -> Outcome<T>) -> Outcome<T> {
    let parts: Vec<&[u8]> = maps.iter().map(|map| &**map).collect();
    f(&Gguf::join(&parts).map_err(about(path))?)
}

fn limits(load: &args::Load, threads: usize, trained: usize) -> Limits {
    let (kv, default) = (kv_format(load.kv), Limits::default());
    let context = load.ctx.map_or(default.context.min(trained), NonZero::get);
    let sequences = load.sequences.map_or(default.sequences, NonZero::get);
    Limits { context, sequences, logits: sequences, threads, kv, ..default }
}

/// How a session keeps keys and values.
pub(crate) fn kv_format(kv: Kv) -> KvFormat {
    match kv {
        Kv::F16 => KvFormat::F16,
        Kv::Q8_0 => KvFormat::Q8_0,
    }
}

/// Whether to arrange the weights in tiles instead of mapping the file as it is.
///
/// Left to choose, it does where this CPU gains by it and half of the memory is enough.
fn into_tiles(
    host: &Host,
    weights: Weights,
    gguf: &Gguf<'_>,
    maps: &[Map],
    kernels: &Kernels,
) -> Outcome<bool> {
    let is_packed = gguf.tensors().any(|tensor| tensor.order() == Order::Tiles);
    match weights {
        Weights::Rows => Ok(false),
        _ if is_packed => Ok(false),
        Weights::Auto => {
            let fits = host.available_bytes().is_some_and(|available| bytes(maps) <= available / 2);
            Ok(kernels.tiles_pay() && fits)
        }
        Weights::Tiles => {
            let remedy = "take --weights rows";
            check_room(host, "the model in tiles", bytes(maps), remedy).map(|()| true)
        }
    }
}

fn bytes(maps: &[Map]) -> usize {
    maps.iter().map(|map| map.len()).sum()
}

/// Refuses a model whose weights would have to come from the disk again and again.
fn check_model(
    host: &Host,
    gguf: &Gguf<'_>,
    load: &args::Load,
    threads: usize,
    weights: usize,
) -> Outcome {
    let mut slots = vec![None; Plan::layers_in(gguf)?];
    let plan = Plan::new(gguf, &mut slots)?;
    let session = plan.bytes(&limits(load, threads, plan.config.context))?;
    let remedy =
        "take a smaller --ctx, --kv q8_0 or a smaller model, as `dram fit` tells, or --force";
    check_room(host, "the model with its session", weights.saturating_add(session), remedy)
}

/// Refuses what would make the system swap or end programs.
fn check_room(host: &Host, what: &str, needed: usize, remedy: &str) -> Outcome {
    match host.available_bytes() {
        Some(available) if needed > available => {
            let (needed, available) = (megabytes(needed), megabytes(available));
            let message = format!("{what} needs {needed}, {available} are available; {remedy}");
            Err(Failure::new(Code::NoRoom, message))
        }
        _ => Ok(()),
    }
}

/// Says which file an error is about.
pub(crate) fn about(path: &Path) -> impl Fn(Error) -> Failure {
    move |error| Failure::from(error).about(path.display())
}

/// A size for people.
pub(crate) fn megabytes(bytes: usize) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Threads for people.
pub(crate) fn threads_in_words(threads: Threads) -> String {
    match threads {
        Threads { decode, prefill } if decode == prefill => format!("{decode} threads"),
        Threads { decode, prefill } => {
            format!("{decode} threads to generate and {prefill} to read the prompt")
        }
    }
}
