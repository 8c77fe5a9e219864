//! Random bytes, the same in every run.

use dram_quant::Format;

/// `count` bytes of an xorshift generator (Marsaglia 2003).
pub(crate) fn bytes(count: usize, seed: u64) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// Random rows of `len` weights, one after the other.
pub(crate) fn rows(format: Format, rows: usize, len: usize) -> Vec<u8> {
    bytes(rows * format.row_bytes(len).unwrap(), (rows * 1000 + len) as u64)
}

/// The bits of every weight: NaNs compare, zeros of different sign differ.
pub(crate) fn bits(weights: &[f32]) -> Vec<u32> {
    weights.iter().map(|w| w.to_bits()).collect()
}
