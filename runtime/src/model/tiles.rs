//! Reading a file into memory with its matrices arranged in tiles.

use super::map::{self, Map};
use super::tensor::Info;
use super::{Gguf, part::Part};
use crate::error::Error;
use core::mem;
use core::sync::atomic::{AtomicBool, Ordering};
use dram_quant::{EIGHT, Format, Order, tile};
use memmap2::MmapMut;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Mutex;
use std::vec::Vec;
use std::{thread, vec};

/// Bytes that a thread reads at a time: enough for the system, and its second cache holds them.
const PIECE: usize = 1 << 19;

/// Eight rows larger than this are left in rows, so that scratch stays small.
const EIGHT_ROWS_MAX: usize = 1 << 24;

/// Reads the parts of a model with `threads` threads to one region of memory each.
pub(crate) fn read(paths: &[PathBuf], threads: usize) -> Result<Vec<MmapMut>, Error> {
    let files = paths.iter().map(|path| map::open(path)).collect::<Result<Vec<_>, _>>()?;
    let maps = files.iter().map(Map::of).collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<&[u8]> = maps.iter().map(|map| &**map).collect();
    let untied = Gguf::join(&parts)?.tensor("output.weight").is_some();
    let looked_up = |info: &Info<'_>| untied && info.name == "token_embd.weight";
    let tiled = |info: &Info<'_>| tiles(info) && !looked_up(info);
    files.iter().zip(parts).map(|(file, part)| read_part(file, part, tiled, threads)).collect()
}

fn read_part(
    file: &File,
    header: &[u8],
    tiled: impl Fn(&Info<'_>) -> bool,
    threads: usize,
) -> Result<MmapMut, Error> {
    let part = Part::parse(header)?;
    let mut image = region(header.len())?;
    fill(file, pieces(&part, &mut image, &tiled), threads)?;
    for info in part.infos().filter(tiled) {
        let id = info.format.id(Order::Tiles).to_le_bytes();
        image[info.type_at..][..id.len()].copy_from_slice(&id);
    }
    Ok(image)
}

/// Whether a tensor is a matrix in rows that can be in tiles.
fn tiles(info: &Info<'_>) -> bool {
    let eight_rows = info.bytes / info.dims[1] * EIGHT;
    info.dimensions == 2
        && info.order == Order::Rows
        && !info.format.is_float()
        && eight_rows <= EIGHT_ROWS_MAX
}

/// Memory that is zero, in huge pages where the system has them.
fn region(bytes: usize) -> Result<MmapMut, Error> {
    let no_room = Error::NoRoom { what: "the model", needed: bytes, available: None };
    let region = MmapMut::map_anon(bytes).map_err(|_| no_room)?;
    // Advice may be refused, by an older kernel for one; the memory is as good, only slower.
    #[cfg(target_os = "linux")]
    let _ = region.advise(memmap2::Advice::HugePage);
    Ok(region)
}

/// A piece of a file, and where it goes.
struct Piece<'a> {
    /// Where in the file it starts.
    start: usize,
    to: &'a mut [u8],
    /// Of rows that become tiles: their format, and the bytes of eight of them.
    tiles: Option<(Format, usize)>,
}

/// Cuts a file to pieces; a piece that becomes tiles is whole groups of eight rows.
fn pieces<'a>(
    part: &Part<'_>,
    image: &'a mut [u8],
    tiled: impl Fn(&Info<'_>) -> bool,
) -> Vec<Piece<'a>> {
    let mut cutter = Cutter { start: 0, left: image, pieces: Vec::new() };
    for info in part.infos().filter(tiled) {
        let eight_rows = info.bytes / info.dims[1] * EIGHT;
        cutter.cut(part.start(&info), PIECE, None);
        let end = part.start(&info) + info.dims[1] / EIGHT * eight_rows;
        let piece = (PIECE / eight_rows).max(1) * eight_rows;
        cutter.cut(end, piece, Some((info.format, eight_rows)));
    }
    cutter.cut(part.bytes.len(), PIECE, None);
    cutter.pieces
}

struct Cutter<'a> {
    start: usize,
    left: &'a mut [u8],
    pieces: Vec<Piece<'a>>,
}

impl Cutter<'_> {
    /// Cuts everything up to `end` to pieces of at most `bytes`.
    fn cut(&mut self, end: usize, bytes: usize, tiles: Option<(Format, usize)>) {
        while self.start < end {
            let (to, left) = mem::take(&mut self.left).split_at_mut(bytes.min(end - self.start));
            let start = self.start;
            (self.start, self.left) = (start + to.len(), left);
            self.pieces.push(Piece { start, to, tiles });
        }
    }
}

/// Reads all pieces; the first failure stops every thread.
fn fill(file: &File, pieces: Vec<Piece<'_>>, threads: usize) -> Result<(), Error> {
    let (queue, failed) = (Mutex::new(pieces.into_iter()), AtomicBool::new(false));
    let work = || {
        let done = drain(file, &queue, &failed);
        failed.fetch_or(done.is_err(), Ordering::Relaxed);
        done
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mine = work();
        others
            .into_iter()
            .map(|other| other.join().expect("reading does not panic"))
            .fold(mine, Result::and)
    })
}

fn drain(
    file: &File,
    queue: &Mutex<vec::IntoIter<Piece<'_>>>,
    failed: &AtomicBool,
) -> Result<(), Error> {
    let mut rows = Vec::new();
    while !failed.load(Ordering::Relaxed) {
        let next = queue.lock().expect("taking a piece does not panic").next();
        let Some(Piece { start, to, tiles }) = next else { break };
        let Some((format, eight_rows)) = tiles else {
            read_at(file, to, start)?;
            continue;
        };
        rows.resize(to.len(), 0);
        read_at(file, &mut rows, start)?;
        for (rows, to) in rows.chunks_exact(eight_rows).zip(to.chunks_exact_mut(eight_rows)) {
            tile(format, rows, to);
        }
    }
    Ok(())
}

fn read_at(file: &File, to: &mut [u8], start: usize) -> Result<(), Error> {
    #[cfg(unix)]
    let done = std::os::unix::fs::FileExt::read_exact_at(file, to, start as u64);
    #[cfg(windows)]
    let done = read_exact_seek(file, to, start as u64);
    done.map_err(|error| Error::Io { doing: "read", reason: error.kind() })
}

/// `seek_read` takes its place with it, so threads do not disturb each other.
#[cfg(windows)]
fn read_exact_seek(file: &File, mut to: &mut [u8], mut start: u64) -> std::io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !to.is_empty() {
        match file.seek_read(to, start)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            count => (start, to) = (start + count as u64, &mut to[count..]),
        }
    }
    Ok(())
}
