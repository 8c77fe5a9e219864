//! Inputs of products: matrices, columns, ordinary and extreme.

use crate::noise::{EXTREMES, Noise};
use dram_quant::{EIGHT, Format, Order, Q8, tile};
use dram_targets::Columns;

/// What the bytes of a matrix are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bytes {
    /// Random integers with scales of ordinary size.
    Ordinary,
    /// Random integers with scales that are zero, subnormal, or the largest there are.
    ExtremeScales,
    /// Random bytes everywhere: most rows meet a NaN or an infinity.
    Random,
    /// One byte everywhere, and scales of ordinary size.
    All(u8),
}

/// Rows of a matrix in [`Order::Rows`].
pub(crate) fn rows(format: Format, rows: usize, len: usize, kind: Bytes) -> Vec<u8> {
    let mut noise = Noise::new((rows * 1000 + len) as u64);
    let mut bytes = noise.bytes(rows * format.row_bytes(len).unwrap());
    if let Bytes::All(byte) = kind {
        bytes.fill(byte);
    }
    if matches!(kind, Bytes::Random) {
        return bytes;
    }
    for block in bytes.chunks_exact_mut(format.bytes()) {
        scale(format, block, |half| match kind {
            Bytes::ExtremeScales => noise.pick(&[0, 0x8000, 1, 0x83ff, 0x3ff, 0x7bff, 0xfbff]),
            _ => half & 0x83ff | 0x3000,
        });
    }
    bytes
}

/// Changes every half float of a block, and the exponent of MXFP4.
fn scale(format: Format, block: &mut [u8], mut change: impl FnMut(u16) -> u16) {
    if format == Format::MXFP4 {
        block[0] = 96 + change(u16::from(block[0])) as u8 % 64;
    }
    let mut start = 0;
    for field in format.fields() {
        if field.unit == 2 {
            let half = u16::from_le_bytes([block[start], block[start + 1]]);
            block[start..start + 2].copy_from_slice(&change(half).to_le_bytes());
        }
        start += field.unit * field.count;
    }
}

/// Rows in another order; those that fill no tile stay as they are.
pub(crate) fn ordered(format: Format, order: Order, rows: &[u8], count: usize) -> Vec<u8> {
    let mut bytes = rows.to_vec();
    if order == Order::Tiles {
        let eight = rows.len() / count * EIGHT;
        for (from, to) in rows.chunks_exact(eight).zip(bytes.chunks_exact_mut(eight)) {
            tile(format, from, to);
        }
    }
    bytes
}

/// What activations are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Activations {
    /// Random integers with scales of ordinary size.
    Ordinary,
    /// One integer everywhere.
    All(i8),
    /// The largest integers with random signs, and extreme scales.
    Extreme,
}

/// Columns of activations, owned.
pub(crate) struct Input {
    len: usize,
    x: Vec<f32>,
    q: Vec<i8>,
    d: Vec<f32>,
    ds: Vec<f32>,
    sums: Vec<[i16; 2]>,
}

impl Input {
    pub(crate) fn new(len: usize, columns: usize, kind: Activations) -> Self {
        let mut noise = Noise::new((len * 100 + columns) as u64);
        let count = len * columns;
        let q: Vec<i8> = (0..count / 32 * 32).map(|_| integer(&mut noise, kind)).collect();
        let d: Vec<f32> = (0..q.len() / 32).map(|_| scale_of(&mut noise, kind)).collect();
        let half = |q: &[i8]| q.iter().map(|q| i16::from(*q)).sum::<i16>();
        let sums: Vec<_> = q.chunks(32).map(|q| [half(&q[..16]), half(&q[16..])]).collect();
        let ds = sums.iter().zip(&d).map(|([a, b], d)| f32::from(a + b) * d).collect();
        let x = match kind {
            Activations::Extreme => noise.extreme_floats(count),
            _ => noise.floats(count),
        };
        Self { len, x, q, d, ds, sums }
    }

    /// The first `count` columns.
    pub(crate) fn columns(&self, count: usize) -> Columns<'_> {
        let all = Q8 { len: self.len, q: &self.q, d: &self.d, ds: &self.ds, sums: &self.sums };
        let q8 = if self.len.is_multiple_of(32) { all.columns(0, count) } else { all };
        Columns { x: &self.x[..self.len * count], q8 }
    }
}

fn integer(noise: &mut Noise, kind: Activations) -> i8 {
    match kind {
        Activations::Ordinary => ((noise.next() % 255) as i16 - 127) as i8,
        Activations::All(q) => q,
        Activations::Extreme => noise.pick(&[-127, 127]),
    }
}

fn scale_of(noise: &mut Noise, kind: Activations) -> f32 {
    match kind {
        Activations::Extreme => noise.pick(&EXTREMES).abs(),
        _ => noise.floats(1)[0].abs(),
    }
}
