//! The caller's memory, cut in typed slices.

use crate::Error;
use bytemuck::Pod;

/// Slices start at the beginning of a cache line.
const LINE: usize = 64;

/// Hands out slices of one block of memory, or only measures how much they would take.
pub(crate) struct Arena<'a> {
    rest: Option<&'a mut [u8]>,
    used: usize,
}

impl<'a> Arena<'a> {
    /// Hands out pieces of `memory`.
    pub(crate) fn new(memory: &'a mut [u8]) -> Self {
        Self { rest: Some(memory), used: 0 }
    }

    /// Hands out empty slices and counts what full ones would take.
    pub(crate) fn measuring() -> Self {
        Self { rest: None, used: 0 }
    }

    /// Bytes of everything taken so far, wherever in memory the block starts.
    pub(crate) fn bytes(&self) -> usize {
        self.used.saturating_add(LINE)
    }

    /// A slice of `count` elements, as the memory was; empty while measuring.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`] where the memory does not hold it.
    pub(crate) fn take<T: Pod>(&mut self, count: usize) -> Result<&'a mut [T], Error> {
        let bytes =
            count.checked_mul(size_of::<T>()).and_then(|b| b.checked_next_multiple_of(LINE));
        let used = bytes.and_then(|bytes| self.used.checked_add(bytes));
        let (Some(bytes), Some(used)) = (bytes, used) else { return Err(no_room(usize::MAX)) };
        self.used = used;
        let Some(rest) = self.rest.take() else { return Ok(&mut []) };
        let skip = rest.as_ptr().align_offset(LINE);
        if rest.len() < skip.saturating_add(bytes) {
            return Err(no_room(used));
        }
        let (piece, rest) = rest[skip..].split_at_mut(bytes);
        self.rest = Some(rest);
        Ok(bytemuck::cast_slice_mut(&mut piece[..count * size_of::<T>()]))
    }
}

fn no_room(needed: usize) -> Error {
    Error::NoRoom { what: "a session", needed, available: None }
}
