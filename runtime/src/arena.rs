//! The caller's memory, cut in typed slices.

use crate::Error;
use bytemuck::Pod;

/// Slices start at the beginning of a cache line.
const LINE: usize = 64;

/// Hands out slices of one block of memory, or only measures how much they would take.
pub(crate) struct Arena<'a> {
    /// Who takes the slices; errors name it.
    what: &'static str,
    rest: Option<&'a mut [u8]>,
    used: usize,
}

impl<'a> Arena<'a> {
    /// Bytes that a block has beside its slices, because it may start anywhere.
    pub(crate) const SLACK: usize = LINE;

    /// Hands out pieces of `memory` to `what` (`"a session"`), which needs so many bytes of it.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`] if there are fewer.
    pub(crate) fn new(
        what: &'static str,
        memory: &'a mut [u8],
        needed: usize,
    ) -> Result<Self, Error> {
        if memory.len() < needed {
            return Err(Error::NoRoom { what, needed, available: Some(memory.len()) });
        }
        Ok(Self { what, rest: Some(memory), used: 0 })
    }

    /// Hands out empty slices and counts what full ones would take.
    pub(crate) fn measuring(what: &'static str) -> Self {
        Self { what, rest: None, used: 0 }
    }

    /// Bytes of everything taken so far, wherever in memory the block starts.
    pub(crate) fn bytes(&self) -> usize {
        self.used.saturating_add(Self::SLACK)
    }

    /// A slice of `count` elements, as the memory was; empty while measuring.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`] where the memory does not hold it, or no machine could address it.
    pub(crate) fn take<T: Pod>(&mut self, count: usize) -> Result<&'a mut [T], Error> {
        let bytes =
            count.checked_mul(size_of::<T>()).and_then(|b| b.checked_next_multiple_of(LINE));
        let used = bytes.and_then(|bytes| self.used.checked_add(bytes));
        let (Some(bytes), Some(used)) = (bytes, used) else { return Err(self.full(usize::MAX)) };
        self.used = used;
        let Some(rest) = self.rest.take() else { return Ok(&mut []) };
        let rest = aligned(rest);
        if rest.len() < bytes {
            return Err(self.full(used));
        }
        let (piece, rest) = rest.split_at_mut(bytes);
        self.rest = Some(rest);
        Ok(bytemuck::cast_slice_mut(&mut piece[..count * size_of::<T>()]))
    }

    /// All that is left, in whole elements: for who works with as much as there is.
    pub(crate) fn rest<T: Pod>(self) -> &'a mut [T] {
        let rest = aligned(self.rest.unwrap_or_default());
        let whole = rest.len() / size_of::<T>() * size_of::<T>();
        bytemuck::cast_slice_mut(&mut rest[..whole])
    }

    fn full(&self, needed: usize) -> Error {
        Error::NoRoom { what: self.what, needed, available: None }
    }
}

/// What is left from the next cache line on.
fn aligned(rest: &mut [u8]) -> &mut [u8] {
    let skip = rest.as_ptr().align_offset(LINE).min(rest.len());
    &mut rest[skip..]
}

#[cfg(test)]
mod tests {
    use super::{Arena, LINE};
    use crate::Error;
    use std::vec;

    #[test]
    fn what_was_measured_is_enough_wherever_the_block_starts() {
        let mut measuring = Arena::measuring("a test");
        measuring.take::<u32>(5).unwrap();
        measuring.take::<u64>(9).unwrap();
        let needed = measuring.bytes();
        let mut memory = vec![0; needed + LINE];
        for start in 0..LINE {
            let mut arena = Arena::new("a test", &mut memory[start..][..needed], needed).unwrap();
            assert_eq!(arena.take::<u32>(5).unwrap().len(), 5);
            assert_eq!(arena.take::<u64>(9).unwrap().len(), 9);
            assert!(arena.rest::<u64>().len() <= LINE / 8);
        }
    }

    #[test]
    fn too_little_memory_names_who_asked() {
        let (what, needed, available) = ("a test", 100, Some(99));
        let refused = Arena::new(what, &mut [0; 99], needed).err();
        assert_eq!(refused, Some(Error::NoRoom { what, needed, available }));
        let huge = Arena::measuring(what).take::<u64>(usize::MAX).err();
        let (needed, available) = (usize::MAX, None);
        assert_eq!(huge, Some(Error::NoRoom { what, needed, available }));
    }
}
