//! From a model's file to a session: everything borrowed lives here, and is lent to a closure.

use crate::error::{Class, EngineError, Outcome};
use crate::host::Host;
use crate::oom;
use crate::options::{LoadOptions, Weights};
use crate::threads::both;
use crate::words::megabytes;
use dram_boards::Threads;
use dram_quant::Order;
use dram_runtime::model::{Gguf, Map, Padding, Plan, Room, Split, read_ahead};
use dram_runtime::text::Vocab;
use dram_runtime::threads::spawn;
use dram_runtime::{Error, Limits, Session, Tiling};
use dram_targets::Kernels;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A model that is ready, beside its session.
pub struct Model<'a> {
    /// The file, or the first of its parts.
    pub path: &'a Path,
    /// What the file says.
    pub gguf: &'a Gguf<'a>,
    /// Its tokens.
    pub vocab: &'a Vocab<'a>,
    /// Bytes of the weights' file in memory, mapped or read.
    pub weights_bytes: usize,
    /// Whether the weights are in tiles, or become tiles while they are used.
    pub in_tiles: bool,
    /// Whether they are used where the file is mapped, and take no memory of the program's own.
    pub is_mapped: bool,
    /// Bytes of everything else.
    pub session_bytes: usize,
    /// Threads to generate, and to read a prompt.
    pub threads: Threads,
    /// The kernels that compute.
    pub kernels: &'static Kernels,
}

impl Model<'_> {
    /// The name of the model's file, without `.gguf` and the number of a part.
    pub fn name(&self) -> String {
        let name = self.path.file_name().and_then(Split::of).map(|split| split.stem);
        name.or(self.path.file_stem()).unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// What tokenizing, choosing tokens and keeping an answer take, in many small allocations that
/// cannot fail one by one: there is room for all of them, or none is begun.
const ANSWER_BYTES: usize = 16 << 20;

/// Lends a checked view of a model's file.
///
/// # Errors
///
/// If there is no such file or it is damaged, and those of `f`.
pub(crate) fn with_gguf<T, E: From<EngineError>>(
    path: &Path,
    f: impl FnOnce(&Gguf<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let maps = Map::open_all(path).map_err(about(path))?;
    with_regular(path, &maps, |_| Ok(()), |gguf, _| f(gguf))
}

/// Lends a checked view of a model's file, or of its padded image if its lengths need that, and what
/// it is in; `check` is told how large such an image is.
fn with_regular<T, E: From<EngineError>>(
    path: &Path,
    maps: &[Map],
    check: impl FnOnce(usize) -> Outcome,
    f: impl FnOnce(&Gguf<'_>, &[Map]) -> Result<T, E>,
) -> Result<T, E> {
    view(path, maps, |gguf| {
        let Some(padding) = Padding::of(gguf).map_err(about(path))? else { return f(gguf, maps) };
        check(padding.bytes())?;
        let image = [padding.image().map_err(about(path))?];
        view(path, &image, |gguf| f(gguf, &image))
    })
}

/// Lends a session of a model on a host.
///
/// # Errors
///
/// If there is no such file, it is damaged, or it does not fit in memory, and those of `f`.
pub fn with_session<T, E: From<EngineError>>(
    host: &Host,
    path: &Path,
    options: &LoadOptions,
    kernels: &'static Kernels,
    f: impl FnOnce(&Model<'_>, &mut Session<'_>) -> Result<T, E>,
) -> Result<T, E> {
    oom::volunteer();
    let loading = Loading { host, path, options, kernels, threads: host.threads(options) };
    host.pin(options, loading.most_threads());
    loading.check_file()?;
    let maps = Map::open_all(path).map_err(about(path))?;
    with_regular(
        path,
        &maps,
        |bytes| loading.check_padded(bytes),
        |header, maps| {
            header.check_is_model().map_err(about(path))?;
            loading.check_fits(header, bytes(maps))?;
            let place = loading.place(header, maps)?;
            let tables = Vocab::bytes(header).map_err(about(path))?;
            let mut tables = Room::new("the vocabulary", tables).map_err(EngineError::from)?;
            let (vocab, images) = loading.read(header, place, &mut tables)?;
            let weights = images.as_deref().unwrap_or(maps);
            if options.mlock {
                weights.iter().try_for_each(Map::lock).map_err(about(path))?;
            }
            view(path, weights, |gguf| {
                let (vocab, weights_bytes) = (&vocab, bytes(weights));
                let release = |rows: &[u8]| maps.iter().for_each(|map| map.release(rows));
                let is_mapped = weights.iter().all(Map::is_mapped);
                let release = &release;
                loading.start(Loaded { gguf, vocab, weights_bytes, is_mapped, place, release }, f)
            })
        },
    )
}

/// What is loaded, and where.
struct Loading<'l> {
    host: &'l Host,
    path: &'l Path,
    options: &'l LoadOptions,
    kernels: &'static Kernels,
    threads: Threads,
}

/// Where the weights lie while the model runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the map of the file, as they are.
    Mapped,
    /// In memory, read into tiles before the session starts.
    Read,
    /// First in the map, then in memory: they become tiles while the first tokens come.
    Arranged,
}

/// A model whose weights are where they begin, and whose vocabulary is ready.
struct Loaded<'a> {
    gguf: &'a Gguf<'a>,
    vocab: &'a Vocab<'a>,
    weights_bytes: usize,
    /// Whether the file is mapped.
    is_mapped: bool,
    place: Place,
    /// Lets go of rows of the map that are in tiles now.
    release: &'a (dyn Fn(&[u8]) + Sync),
}

impl Loading<'_> {
    fn most_threads(&self) -> usize {
        self.threads.decode.max(self.threads.prefill) as usize
    }

    /// Refuses a file that the free memory does not hold, before anything is read: where it cannot
    /// be mapped, opening it takes memory for all of it.
    fn check_file(&self) -> Outcome {
        if self.options.force {
            return Ok(());
        }
        let needed = Map::bytes_of(self.path).map_err(about(self.path))?;
        let remedy = "take a smaller model, as `dram fit` tells, or --force";
        check_room(self.host, "the model", needed, remedy)
            .map_err(|error| error.about(self.path.display()))
    }

    /// Refuses to pad a model that the free memory does not hold then.
    fn check_padded(&self, bytes: usize) -> Outcome {
        if self.options.force {
            return Ok(());
        }
        check_room(self.host, "the padded model", bytes, "take a smaller model, or --force")
            .map_err(|error| error.about(self.path.display()))
    }

    /// Refuses a model whose weights would have to come from the disk again and again.
    fn check_fits(&self, header: &Gguf<'_>, weights_bytes: usize) -> Outcome {
        if self.options.force {
            return Ok(());
        }
        let about = about(self.path);
        let mut slots = vec![None; Plan::layers_in(header).map_err(&about)?];
        let plan = Plan::new(header, &mut slots).map_err(&about)?;
        let session = Session::bytes(&plan, &self.limits(&plan)).map_err(&about)?;
        let remedy =
            "take a smaller --ctx, --kv q8_0 or a smaller model, as `dram fit` tells, or --force";
        let needed = weights_bytes.saturating_add(session);
        check_room(self.host, "the model with its session", needed, remedy)
            .map_err(|error| error.about(self.path.display()))
    }

    /// Where the weights are to lie.
    ///
    /// Left to choose, they become tiles where this CPU gains by it and half of the memory is enough.
    /// What could only be read and not mapped stays in rows: tiles would be a second copy.
    fn place(&self, header: &Gguf<'_>, maps: &[Map]) -> Outcome<Place> {
        let weights_bytes = bytes(maps);
        let is_packed = header.tensors().any(|tensor| tensor.order() == Order::Tiles);
        let is_read = !maps.iter().all(Map::is_mapped);
        let in_tiles = match self.options.weights {
            Weights::Rows => false,
            _ if is_packed => false,
            Weights::Auto if is_read => false,
            Weights::Tiles if is_read => {
                let message = "the weights are in memory already, so that tiles would be a second \
                               copy of them; take --weights rows, or a packed file";
                return Err(EngineError::new(Class::NoRoom, message).about(self.path.display()));
            }
            Weights::Auto => {
                let available = self.host.available_bytes();
                let fits = available.is_some_and(|available| weights_bytes <= available / 2);
                self.kernels.tiles_pay() && fits
            }
            Weights::Tiles => {
                let remedy = "take --weights rows";
                check_room(self.host, "the model in tiles", weights_bytes, remedy)?;
                true
            }
        };
        Ok(match (in_tiles, self.options.mlock) {
            (false, _) => Place::Mapped,
            // What is to be locked must be there; else the first answer need not wait for tiles.
            (true, true) => Place::Read,
            (true, false) => Place::Arranged,
        })
    }

    /// Makes the vocabulary, and reads the weights if they are not to stay in the map.
    ///
    /// Neither waits for the other: one computes, and the other often waits for the disk.
    fn read<'v>(
        &self,
        header: &'v Gguf<'v>,
        place: Place,
        tables: &'v mut [u8],
    ) -> Outcome<(Vocab<'v>, Option<Vec<Map>>)> {
        let read = || Map::read_tiles(self.path, self.most_threads());
        let (vocab, images) =
            both(|| Vocab::new(header, tables), || (place == Place::Read).then(read).transpose());
        let images = images.map_err(about(self.path))?;
        Ok((vocab.map_err(about(self.path))?, images))
    }

    /// Takes memory, starts the session in it, and lends both.
    fn start<T, E: From<EngineError>>(
        &self,
        loaded: Loaded<'_>,
        f: impl FnOnce(&Model<'_>, &mut Session<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let Loaded { gguf, vocab, weights_bytes, is_mapped, place, release } = loaded;
        let mut slots = vec![None; Plan::layers_in(gguf).map_err(about(self.path))?];
        let plan = Plan::new(gguf, &mut slots).map_err(about(self.path))?;
        let limits = self.limits(&plan);
        let session_bytes = Session::bytes(&plan, &limits).map_err(EngineError::from)?;
        let remedy = "take a smaller --ctx, or --kv q8_0";
        check_room(self.host, "a session", session_bytes, remedy)?;
        let mut memory = Room::new("a session", session_bytes).map_err(EngineError::from)?;
        let mut room = self.tile_room(&plan, place).map_err(EngineError::from)?;
        let (place, tile_bytes) = match (place, room.len()) {
            (Place::Arranged, 0) => (Place::Mapped, 0),
            (place, tile_bytes) => (place, tile_bytes),
        };
        let mut layers = vec![None; plan.config.layers];
        drop(Room::new("an answer", ANSWER_BYTES).map_err(EngineError::from)?);
        let mut session =
            Session::new(&plan, self.kernels, limits, &mut memory).map_err(EngineError::from)?;
        if tile_bytes > 0 {
            let tiling = Tiling { room: &mut room, layers: &mut layers, release };
            session.arrange_in(tiling).map_err(EngineError::from)?;
        }
        session.set_threads(self.threads.decode as usize, self.threads.prefill as usize);
        let model = Model {
            path: self.path,
            gguf,
            vocab,
            weights_bytes,
            in_tiles: place != Place::Mapped,
            is_mapped: place == Place::Mapped && is_mapped,
            session_bytes,
            threads: self.threads.at_most(session.limits().threads as u32),
            kernels: self.kernels,
        };
        reading_ahead(&plan, || f(&model, &mut session))
    }

    /// Room for weights that become tiles. Where the system has none, and nobody asked for tiles,
    /// they stay in rows.
    fn tile_room(&self, plan: &Plan<'_>, place: Place) -> Result<Room, Error> {
        let is_arranged = place == Place::Arranged;
        let bytes = if is_arranged { Tiling::bytes(plan)? } else { 0 };
        let what = "the model in tiles";
        match Room::new(what, bytes) {
            Err(_) if self.options.weights == Weights::Auto => Room::new(what, 0),
            room => room,
        }
    }

    fn limits(&self, plan: &Plan<'_>) -> Limits {
        let default = Limits::default();
        let context = self.options.context_of(plan.config.context_length);
        let sequences = self.options.sequences.unwrap_or(default.sequences);
        let (threads, kv) = (self.most_threads(), self.options.kv);
        let pages = self.options.pages.unwrap_or(default.pages);
        Limits { context, sequences, pages, logits: sequences, threads, kv, ..default }
    }
}

/// Runs `f` while the weights it will use are read from the disk, if they are not in memory.
fn reading_ahead<T>(plan: &Plan<'_>, f: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        // Without a thread they are read when they are used.
        let _ = spawn(scope, || read_ahead(plan.weights(), &stop));
        let outcome = f();
        stop.store(true, Ordering::Relaxed);
        outcome
    })
}

/// Lends a checked view of a file's parts.
fn view<T, E: From<EngineError>>(
    path: &Path,
    maps: &[Map],
    f: impl FnOnce(&Gguf<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let parts: Vec<&[u8]> = maps.iter().map(|map| &**map).collect();
    f(&Gguf::join(&parts).map_err(about(path))?)
}

fn bytes(maps: &[Map]) -> usize {
    maps.iter().map(|map| map.len()).sum()
}

/// Refuses what would make the system swap or end programs.
fn check_room(host: &Host, what: &str, needed: usize, remedy: &str) -> Outcome {
    match host.available_bytes() {
        Some(available) if needed > available => {
            let (needed, available) = (megabytes(needed), megabytes(available));
            let message = format!("{what} needs {needed}, {available} are available; {remedy}");
            Err(EngineError::new(Class::NoRoom, message))
        }
        _ => Ok(()),
    }
}

/// Says which file an error is about.
pub(crate) fn about(path: &Path) -> impl Fn(Error) -> EngineError {
    move |error| EngineError::from(error).about(path.display())
}
