//! Arranging the matrices of a file in tiles while it is read: to memory, or to another file.

use super::files;
use super::map::Map;
use super::room::Room;
use super::tensor::Info;
use super::{Gguf, part::Part};
use crate::error::Error;
use crate::threads::spawn;
use byteorder::{ByteOrder, LE};
use core::mem;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use dram_quant::{EIGHT, Format, Order, tile};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;
use std::vec::Vec;

/// Bytes that a thread reads at a time: enough for the system, and its second cache holds them.
const PIECE: usize = 1 << 19;

/// Eight rows larger than this are left in rows, so that scratch stays small.
const EIGHT_ROWS_MAX: usize = 1 << 24;

impl Map {
    /// Reads a model's file (all parts of a split one) with several threads, arranging matrices
    /// in tiles on the way: what comes out is the image of a packed file.
    ///
    /// A matrix that is only looked up row by row stays in rows. There is never a second copy of
    /// the weights in this process.
    ///
    /// # Errors
    ///
    /// As [`Self::open_all`] and [`Gguf::join`]; [`Error::NoRoom`] without memory for it.
    pub fn read_tiles(path: &Path, threads: usize) -> Result<Vec<Self>, Error> {
        with_sources(&files::parts(path)?, |sources| {
            sources.iter().map(|source| source.read(threads).map(Self::in_memory)).collect()
        })
    }
}

/// Lends the checked parts of a model.
pub(super) fn with_sources<T>(
    paths: &[PathBuf],
    f: impl FnOnce(&[Source<'_>]) -> Result<T, Error>,
) -> Result<T, Error> {
    let files = paths.iter().map(|path| files::open(path)).collect::<Result<Vec<_>, _>>()?;
    let maps = files.iter().map(Map::of).collect::<Result<Vec<_>, _>>()?;
    let parts: Vec<&[u8]> = maps.iter().map(|map| &**map).collect();
    let is_tied = Gguf::join(&parts)?.tensor("output.weight").is_none();
    let source = |(file, part)| Ok(Source { file, part: Part::parse(part)?, is_tied });
    let sources = files.iter().zip(parts).map(source).collect::<Result<Vec<_>, Error>>()?;
    f(&sources)
}

/// A part of a model, to be read.
pub(super) struct Source<'a> {
    file: &'a File,
    pub(super) part: Part<'a>,
    /// Whether the embedding is the head too, which is multiplied and not only looked up.
    is_tied: bool,
}

/// A piece of a file.
struct Piece {
    range: Range<usize>,
    /// Of rows that become tiles: their format, and the bytes of eight of them.
    tiles: Option<(Format, usize)>,
}

impl<'a> Source<'a> {
    fn read(&self, threads: usize) -> Result<Room, Error> {
        let mut image = Room::new("the model", self.part.bytes.len())?;
        let mut left = &mut *image;
        let with_room = |piece: Piece| {
            let (to, rest) = mem::take(&mut left).split_at_mut(piece.range.len());
            left = rest;
            (piece, to)
        };
        let pieces: Vec<_> = self.pieces().into_iter().map(with_room).collect();
        share(pieces, threads, |(piece, to), rows: &mut Vec<u8>| self.arrange(&piece, rows, to))?;
        for (at, id) in self.ids() {
            image[at..][..id.len()].copy_from_slice(&id);
        }
        Ok(image)
    }

    pub(super) fn copy(&self, output: &File, threads: usize) -> Result<(), Error> {
        self.copy_pieces(self.pieces(), output, threads, |at| at)?;
        self.ids().try_for_each(|(at, id)| write_at(output, &id, at))
    }

    /// Copies the data alone, to where it is to start.
    pub(super) fn copy_data(
        &self,
        output: &File,
        threads: usize,
        start: usize,
    ) -> Result<(), Error> {
        let data = self.part.data();
        let mut pieces = self.pieces();
        pieces.retain(|piece| data.contains(&piece.range.start));
        self.copy_pieces(pieces, output, threads, |at| at - data.start + start)
    }

    fn copy_pieces(
        &self,
        pieces: Vec<Piece>,
        output: &File,
        threads: usize,
        place: impl Fn(usize) -> usize + Sync,
    ) -> Result<(), Error> {
        share(pieces, threads, |piece, (rows, tiles): &mut (Vec<u8>, Vec<u8>)| {
            tiles.resize(piece.range.len(), 0);
            self.arrange(&piece, rows, tiles)?;
            write_at(output, tiles, place(piece.range.start))
        })
    }

    /// Every tensor's entry, with the type id that it will have.
    pub(super) fn infos(&self) -> impl Iterator<Item = (Info<'a>, u32)> {
        self.part.infos().map(|info| {
            let order = if self.becomes_tiles(&info) { Order::Tiles } else { info.order };
            (info, info.format.id(order))
        })
    }

    /// Whether a tensor becomes tiles: a matrix in rows, unless it is only looked up row by row.
    fn becomes_tiles(&self, info: &Info<'_>) -> bool {
        is_matrix(info) && (self.is_tied || info.name != "token_embd.weight")
    }

    /// The tensors that become tiles.
    fn tiled(&self) -> impl Iterator<Item = Info<'a>> {
        self.part.infos().filter(|info| self.becomes_tiles(info))
    }

    /// What becomes of their type ids, and where in the file these are.
    fn ids(&self) -> impl Iterator<Item = (usize, [u8; 4])> {
        self.tiled().map(|info| {
            let mut id = [0; 4];
            LE::write_u32(&mut id, info.format.id(Order::Tiles));
            (info.type_at, id)
        })
    }

    /// Cuts the file to pieces; a piece that becomes tiles is whole groups of eight rows.
    fn pieces(&self) -> Vec<Piece> {
        let (mut pieces, data) = (Vec::new(), self.part.data());
        cut(&mut pieces, data.start, PIECE, None);
        for info in self.tiled() {
            let eight_rows = info.bytes / info.dims[1] * EIGHT;
            let start = self.part.start(&info);
            cut(&mut pieces, start, PIECE, None);
            let piece = (PIECE / eight_rows).max(1) * eight_rows;
            let end = start + info.dims[1] / EIGHT * eight_rows;
            cut(&mut pieces, end, piece, Some((info.format, eight_rows)));
        }
        cut(&mut pieces, data.end, PIECE, None);
        cut(&mut pieces, self.part.bytes.len(), PIECE, None);
        pieces
    }

    /// Reads a piece to `to` in its new order, by way of `rows` if it becomes tiles.
    fn arrange(&self, piece: &Piece, rows: &mut Vec<u8>, to: &mut [u8]) -> Result<(), Error> {
        let Some((format, eight_rows)) = piece.tiles else {
            return read_at(self.file, to, piece.range.start);
        };
        rows.resize(to.len(), 0);
        read_at(self.file, rows, piece.range.start)?;
        for (rows, to) in rows.chunks_exact(eight_rows).zip(to.chunks_exact_mut(eight_rows)) {
            tile(format, rows, to);
        }
        Ok(())
    }
}

/// Whether a tensor is a matrix in rows that can be in tiles.
fn is_matrix(info: &Info<'_>) -> bool {
    let eight_rows = info.bytes / info.dims[1] * EIGHT;
    info.dimensions == 2
        && info.order == Order::Rows
        && !info.format.is_float()
        && eight_rows <= EIGHT_ROWS_MAX
}

/// Adds pieces of at most `bytes` up to `end`.
fn cut(pieces: &mut Vec<Piece>, end: usize, bytes: usize, tiles: Option<(Format, usize)>) {
    let mut start = pieces.last().map_or(0, |piece| piece.range.end);
    while start < end {
        let range = start..end.min(start + bytes);
        start = range.end;
        pieces.push(Piece { range, tiles });
    }
}

/// Does all jobs on `threads` threads, or as many as the system gives, each with scratch of its own;
/// the first failure stops every thread.
fn share<J: Send, S: Default>(
    jobs: Vec<J>,
    threads: usize,
    work: impl Fn(J, &mut S) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let (queue, failed) = (Mutex::new(jobs.into_iter()), AtomicBool::new(false));
    let next = || queue.lock().expect("taking a job does not panic").next();
    let drain = || {
        let mut scratch = S::default();
        while let Some(job) = next().filter(|_| !failed.load(Ordering::Relaxed)) {
            work(job, &mut scratch).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map_while(|_| spawn(scope, drain)).collect();
        let mine = drain();
        others
            .into_iter()
            .map(|other| other.join().expect("reading does not panic"))
            .fold(mine, Result::and)
    })
}

fn read_at(file: &File, to: &mut [u8], start: usize) -> Result<(), Error> {
    let done = file.read_exact_at(to, start as u64);
    done.map_err(|error| Error::Io { doing: "read", reason: error.kind() })
}

pub(super) fn write_at(file: &File, from: &[u8], start: usize) -> Result<(), Error> {
    let done = file.write_all_at(from, start as u64);
    done.map_err(|error| Error::Output { reason: error.kind() })
}
