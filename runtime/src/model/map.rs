//! Files in memory. The only unsafe code between a path and a checked view.
#![allow(unsafe_code, reason = "mapping a file is unsafe: others may change it")]

use super::files::{open, parts, parts_there};
use super::room::Room;
use crate::error::{Error, PathFault};
use core::sync::atomic::{AtomicBool, Ordering};
use core::{fmt, hint, ops::Deref};
use memmap2::{Mmap, MmapOptions};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::vec::Vec;

/// A model's file in memory, read-only: mapped, or read and arranged in tiles.
///
/// A mapped file must not be changed while it is mapped. If another program *truncates* it, the
/// next read behind its new end kills this process (SIGBUS); if another program *writes into* it,
/// weights change while they are used. Replace a model's file by writing the new one under
/// another name and renaming it: the old one then stays whole until it is unmapped.
pub struct Map(Memory);

enum Memory {
    Mapped(Mmap),
    Read(Room),
}

impl Map {
    /// Maps one regular file, or reads it where the file system maps none.
    ///
    /// # Errors
    ///
    /// [`Error::Path`] at once for what is not a file that can be read, such as a directory, a
    /// pipe or a device; [`Error::Io`] if it can be neither mapped nor read, [`Error::NoRoom`] if
    /// there is no room to. An empty file maps to no bytes.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::of(&open(path)?)
    }

    /// Maps an open file.
    pub(crate) fn of(file: &File) -> Result<Self, Error> {
        let bytes = length(file)?;
        if bytes == 0 {
            return Room::new("the model", 0).map(Self::in_memory);
        }
        // SAFETY: the mapping is read-only and private; that nobody changes the file meanwhile is
        // the documented duty of whoever installs models, which no program can enforce.
        let map = unsafe { MmapOptions::new().map_copy_read_only(file) };
        map.map(|map| Self(Memory::Mapped(map))).or_else(|_| Self::read(file, bytes))
    }

    /// Reads an open file: some file systems on networks, in user space or in containers map none.
    fn read(file: &File, bytes: usize) -> Result<Self, Error> {
        let mut image = Room::new("the model", bytes)?;
        let done = file.read_exact_at(&mut image, 0);
        done.map_err(|error| Error::Io { doing: "read", reason: error.kind() })?;
        Ok(Self::in_memory(image))
    }

    /// Whether it is in the file's own pages, which the system drops and reads again as it likes.
    pub const fn is_mapped(&self) -> bool {
        matches!(self.0, Memory::Mapped(_))
    }

    /// What was read to memory instead of mapped.
    pub(crate) fn in_memory(image: Room) -> Self {
        Self(Memory::Read(image))
    }

    /// The path of a model's file, or those of all its parts that are there.
    pub fn paths_of(path: &Path) -> Vec<PathBuf> {
        parts_there(path)
    }

    /// Bytes of a model's file, or of all its parts.
    ///
    /// # Errors
    ///
    /// As [`Self::open_all`] for paths.
    pub fn bytes_of(path: &Path) -> Result<usize, Error> {
        let mut lengths = parts(path)?.into_iter().map(|path| length(&open(&path)?));
        lengths.try_fold(0, |sum: usize, length| Ok(sum.saturating_add(length?)))
    }

    /// Maps a file, and if its name is that of a part (`…-00001-of-00003.gguf`) all parts of that
    /// name, in order.
    ///
    /// # Errors
    ///
    /// As [`Self::open`], and [`PartsFault::Absent`](crate::PartsFault::Absent).
    pub fn open_all(path: &Path) -> Result<Vec<Self>, Error> {
        parts(path)?.iter().map(|path| Self::open(path)).collect()
    }

    /// Gives the memory back that `bytes` take, if they are mapped here, and what lies close to
    /// them; when any is read again, the system gets it from the file. Of what was read to memory
    /// nothing is given back.
    pub fn release(&self, bytes: &[u8]) {
        let Memory::Mapped(map) = &self.0 else { return };
        let Some(start) = bytes.as_ptr().addr().checked_sub(map.as_ptr().addr()) else { return };
        let end = (start + bytes.len()).next_multiple_of(AROUND).min(map.len());
        if let Some(bytes) = map.get(start - start % AROUND..end) {
            not_needed(bytes);
        }
    }

    /// Reads all of it into memory, if it is not there yet, and keeps it there: the system neither
    /// swaps it nor drops it for other files.
    ///
    /// # Errors
    ///
    /// [`Error::Lock`] if the system refuses, most often because of its limit.
    pub fn lock(&self) -> Result<(), Error> {
        let done = match &self.0 {
            Memory::Mapped(map) => map.lock(),
            Memory::Read(image) => image.lock(),
        };
        done.map_err(|error| Error::Lock { bytes: self.len(), reason: error.kind() })
    }
}

/// Reads mapped `weights` to memory in this order, ahead of their use; returns when all are there or
/// on their way, or soon after `stop` is set.
///
/// Requests are large, as slow disks want them, and go out while others compute; few are on their
/// way at a time, so that nobody who needs a page at once waits for long. What is in memory already
/// costs one look a megabyte. Where the system does not tell what is in memory, for one of another
/// user's file, nothing is asked for: weights are then read when they are used.
pub fn read_ahead<'a>(weights: impl Iterator<Item = &'a [u8]>, stop: &AtomicBool) {
    let pieces = weights.flat_map(|weights| weights.chunks(AHEAD));
    let mut before: &[u8] = &[];
    for piece in pieces.take_while(|_| !stop.load(Ordering::Relaxed)) {
        if !is_there(piece) {
            will_need(piece);
            // Waits until the page is read.
            hint::black_box(before.last().copied());
            before = piece;
        }
    }
}

/// Systems map so many bytes around one that is read.
const AROUND: usize = 1 << 16;

/// Bytes that are asked for at once; systems cut longer requests off.
const AHEAD: usize = 1 << 20;

/// Whether the first page of a mapping is in memory, or the system does not tell.
#[cfg(target_os = "linux")]
fn is_there(bytes: &[u8]) -> bool {
    let (start, _) = pages(bytes);
    let mut is_there = 1;
    // SAFETY: the range is the page of the first byte, and one number is written for one page.
    unsafe { libc::mincore(start, 1, &raw mut is_there) };
    is_there & 1 == 1
}

/// Asks for the pages of a mapping. A system that refuses reads them when they are used.
#[cfg(target_os = "linux")]
fn will_need(bytes: &[u8]) {
    let (start, len) = pages(bytes);
    // SAFETY: the pages are those of `bytes`; this advice changes none of them.
    unsafe { libc::madvise(start, len, libc::MADV_WILLNEED) };
}

/// Takes the pages of a mapping out of memory.
#[cfg(target_os = "linux")]
fn not_needed(bytes: &[u8]) {
    let (start, len) = pages(bytes);
    // SAFETY: the pages are of a file, mapped and never written to: they come back as they were.
    unsafe { libc::madvise(start, len, libc::MADV_DONTNEED) };
}

/// Where the pages that hold `bytes` start, and how long they are up to the last byte.
#[cfg(target_os = "linux")]
fn pages(bytes: &[u8]) -> (*mut libc::c_void, usize) {
    // SAFETY: asks for a number, and touches no memory.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let into_page = bytes.as_ptr().addr() % usize::try_from(page).unwrap_or(4096).max(1);
    (bytes.as_ptr().wrapping_sub(into_page).cast_mut().cast(), into_page + bytes.len())
}

#[cfg(not(target_os = "linux"))]
fn is_there(_: &[u8]) -> bool {
    true
}

#[cfg(not(target_os = "linux"))]
fn will_need(_: &[u8]) {}

#[cfg(not(target_os = "linux"))]
fn not_needed(_: &[u8]) {}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Memory::Mapped(map) => map,
            Memory::Read(image) => image,
        }
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Map({} bytes)", self.len())
    }
}

fn length(file: &File) -> Result<usize, Error> {
    let about = file.metadata().map_err(|error| Error::Path(PathFault::Refused(error.kind())))?;
    usize::try_from(about.len())
        .map_err(|_| Error::Io { doing: "map", reason: ErrorKind::FileTooLarge })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::Map;
    use std::fs::File;
    use std::path::Path;

    #[test]
    fn a_file_that_is_read_has_the_bytes_of_one_that_is_mapped() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/model/map.rs"));
        let (file, mapped) = (File::open(path).unwrap(), Map::open(path).unwrap());
        let read = Map::read(&file, mapped.len()).unwrap();
        assert_eq!(read[..], mapped[..]);
        assert!(mapped.is_mapped() && !read.is_mapped());
        read.release(&read);
        assert_eq!(read[..], mapped[..], "nothing is given back of what was read");
        assert_eq!(Map::bytes_of(path), Ok(mapped.len()));
        assert!(Map::read(&file, mapped.len() + 1).is_err(), "a file that became shorter");
    }
}
