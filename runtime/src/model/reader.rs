//! Little-endian numbers and strings, one after the other.

use crate::error::{Error, FileFault};

/// Reads bytes from a place on; whatever the bytes say, it never reads outside them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    /// Where the next item starts.
    pub(crate) const fn at(&self) -> usize {
        self.at
    }

    /// The bytes not read yet.
    pub(crate) fn left(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Reads `count` bytes.
    pub(crate) fn take(&mut self, count: u64) -> Result<&'a [u8], Error> {
        let left = self.left();
        let taken = usize::try_from(count).ok().and_then(|count| left.get(..count));
        let taken = taken.ok_or_else(|| {
            Error::file(self.at, FileFault::Short { needed: count, left: left.len() })
        })?;
        self.at += taken.len();
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let left = self.left();
        let taken = left.first_chunk().ok_or_else(|| {
            Error::file(self.at, FileFault::Short { needed: N as u64, left: left.len() })
        })?;
        self.at += N;
        Ok(*taken)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    /// Reads a length and that many bytes.
    pub(crate) fn string(&mut self) -> Result<&'a [u8], Error> {
        let count = self.u64()?;
        self.take(count)
    }
}
