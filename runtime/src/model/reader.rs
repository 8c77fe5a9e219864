//! Little-endian numbers and strings, one after the other.

use crate::error::{Error, FileFault};
use byteorder::{ByteOrder, LE};

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

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        self.take(4).map(LE::read_u32)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        self.take(8).map(LE::read_u64)
    }

    /// Reads a length and that many bytes.
    pub(crate) fn string(&mut self) -> Result<&'a [u8], Error> {
        let count = self.u64()?;
        self.take(count)
    }
}

/// The bytes as text without NUL.
pub(crate) fn plain(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}
