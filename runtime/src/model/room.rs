//! Memory for what is large.

use crate::error::Error;
use core::fmt;
use core::ops::{Deref, DerefMut};
use memmap2::MmapMut;

/// Memory that is zero, in huge pages where the system has them: what is read in long walks then
/// costs few looks at page tables.
///
/// The system gives pages when they are first written to, so room that is never used costs none.
pub struct Room(MmapMut);

impl Room {
    /// Takes `bytes` of memory for `what` (`"a session"`), which an error names.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`] if the system has no such memory.
    pub fn new(what: &'static str, bytes: usize) -> Result<Self, Error> {
        let no_room = Error::NoRoom { what, needed: bytes, available: None };
        let region = MmapMut::map_anon(bytes).map_err(|_| no_room)?;
        // Advice may be refused, by an older kernel for one; the memory is as good, only slower.
        #[cfg(target_os = "linux")]
        let _ = region.advise(memmap2::Advice::HugePage);
        Ok(Self(region))
    }

    /// Keeps it in memory.
    pub(crate) fn lock(&self) -> std::io::Result<()> {
        self.0.lock()
    }
}

impl Deref for Room {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Room {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Room({} bytes)", self.len())
    }
}
