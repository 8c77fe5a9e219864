//! Open-addressing tables.

/// No symbol, no token, no merge; a free slot.
pub(crate) const NONE: u32 = u32::MAX;

/// The slots where a key may be, at most 256: a file made to collide is refused, not slow.
pub(crate) fn probe(hash: u64, slots: usize) -> impl Iterator<Item = usize> {
    (0..slots.min(256)).map(move |step| (hash as usize).wrapping_add(step) & (slots - 1))
}

/// Slots for a table of `entries`: a power of two with a third or more free.
pub(crate) fn slots(entries: usize) -> Option<usize> {
    entries.checked_mul(3)?.checked_div(2)?.checked_add(1)?.checked_next_power_of_two()
}
