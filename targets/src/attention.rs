//! Attention over pages of keys and values.
//!
//! Keys of a page lie transposed, `(head, 32 positions)`, so that eight lanes are eight positions
//! and no sum crosses lanes; values lie `(32 positions, head)`. In both products an output is one
//! chain of fused multiply-adds in the order of the head or of the positions.
//!
//! Queries come in blocks: the query heads that share a KV head, for one column or more.

use crate::PAGE;
use crate::float::{Portable, Widen, exp, fma, tree, widen};

/// What an instruction set does with eight lanes, where a compiler would not always.
pub(crate) trait Lanes: Widen {
    /// `a * b + c`, rounded once.
    #[inline(always)]
    fn fma(self, a: f32, b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        let mut sum = c;
        for l in 0..8 {
            sum[l] = fma(a, b[l], c[l]);
        }
        sum
    }

    /// Asks for the cache line `ahead` numbers after the first, wherever that is.
    #[inline(always)]
    fn prefetch<Number>(self, _numbers: &[Number], _ahead: usize) {}
}

impl Lanes for Portable {}

/// Whether a page of `len` keys or values has whole heads, which are a multiple of `unit` long.
pub(crate) const fn is_page(len: usize, unit: usize) -> bool {
    len > 0 && len.is_multiple_of(PAGE * unit)
}

/// Whether each of the queries in `q`, `page / 32` long, has `used` elements in `s`, those of a
/// query beginning `stride` after those of the one before.
pub(crate) const fn are_queries(
    q: &[f32],
    page: usize,
    s: &[f32],
    stride: usize,
    used: usize,
) -> bool {
    let (head, queries) = (page / PAGE, q.len() / (page / PAGE));
    let has_room =
        queries == 0 || s.len() >= (queries - 1).saturating_mul(stride).saturating_add(used);
    q.len().is_multiple_of(head) && used <= PAGE && used <= stride && has_room
}

/// Queries whose sums are held in registers at once.
const BLOCK: usize = 6;

/// Calls `$kernel::<_, N>` with every block of `N` queries, `$q` and `$y` being cut to the block:
/// `$q_len` and `$y_len` elements a query, the last of which may have fewer.
macro_rules! by_blocks {
    ($kernel:ident($cpu:ident; $q:ident / $q_len:expr, $($arg:expr),*; $y:ident / $y_len:expr)) => {
        for (q, y) in $q.chunks(BLOCK * $q_len).zip($y.chunks_mut(BLOCK * $y_len)) {
            match (q.len().div_ceil($q_len)).min(y.len().div_ceil($y_len)) {
                1 => $kernel::<_, 1>($cpu, q, $($arg,)* y),
                2 => $kernel::<_, 2>($cpu, q, $($arg,)* y),
                3 => $kernel::<_, 3>($cpu, q, $($arg,)* y),
                4 => $kernel::<_, 4>($cpu, q, $($arg,)* y),
                5 => $kernel::<_, 5>($cpu, q, $($arg,)* y),
                _ => $kernel::<_, BLOCK>($cpu, q, $($arg,)* y),
            }
        }
    };
}

/// `s[i][p] = scale * q[i] · k[p]` for every query `i` and position `p` of a page, half floats.
///
/// `q` is `(queries, head)`; `k` is `(head, 32)`; `s` is `(queries, stride)`, of which the first
/// 32 of each query are written.
#[inline(always)]
pub(crate) fn scores_f16<W: Lanes>(
    cpu: W,
    q: &[f32],
    k: &[u16],
    scale: f32,
    stride: usize,
    s: &mut [f32],
) {
    let head = k.len() / PAGE;
    by_blocks!(score_f16(cpu; q / head, k, scale, stride; s / stride));
}

#[inline(always)]
fn score_f16<W: Lanes, const N: usize>(
    cpu: W,
    q: &[f32],
    k: &[u16],
    scale: f32,
    stride: usize,
    s: &mut [f32],
) {
    let head = k.len() / PAGE;
    let q: [&[f32]; N] = core::array::from_fn(|i| &q[i * head..][..head]);
    let k = &k.as_chunks::<PAGE>().0[..head];
    for part in 0..PAGE / 16 {
        let mut acc = [[[0.0_f32; 8]; 2]; N];
        for j in 0..head {
            if part == 0 {
                // The next page, most often, lies behind this one.
                cpu.prefetch(&k[j], head * PAGE);
            }
            let k = k[j][part * 16..][..16].as_chunks::<8>().0;
            let k = [cpu.widen(&k[0]), cpu.widen(&k[1])];
            for i in 0..N {
                for h in 0..2 {
                    acc[i][h] = cpu.fma(q[i][j], k[h], acc[i][h]);
                }
            }
        }
        for i in 0..N {
            let s = &mut s[i * stride + part * 16..][..16];
            for (s, acc) in s.iter_mut().zip(acc[i].as_flattened()) {
                *s = acc * scale;
            }
        }
    }
}

/// [`scores_f16`] for keys in 8-bit integers `(head, 32)` with a scale for each 32 elements of
/// the head at each position, `d` being `(head / 32, 32)` half floats.
#[inline(always)]
pub(crate) fn scores_q8<W: Lanes>(
    cpu: W,
    q: &[f32],
    k: &[i8],
    d: &[u16],
    scale: f32,
    stride: usize,
    s: &mut [f32],
) {
    let head = k.len() / PAGE;
    by_blocks!(score_q8(cpu; q / head, k, d, scale, stride; s / stride));
}

#[inline(always)]
fn score_q8<W: Lanes, const N: usize>(
    cpu: W,
    q: &[f32],
    k: &[i8],
    d: &[u16],
    scale: f32,
    stride: usize,
    s: &mut [f32],
) {
    let head = k.len() / PAGE;
    let q: [&[f32]; N] = core::array::from_fn(|i| &q[i * head..][..head]);
    for part in 0..PAGE / 8 {
        let mut total = [[0.0_f32; 8]; N];
        let units = k.as_chunks::<PAGE>().0.as_chunks::<32>().0.iter();
        for (u, (k, d)) in units.zip(d.as_chunks::<PAGE>().0).enumerate() {
            let mut acc = [[0.0_f32; 8]; N];
            let q: [&[f32; 32]; N] = core::array::from_fn(|i| &q[i].as_chunks().0[u]);
            for (j, k) in k.iter().enumerate() {
                let k = floats(&k.as_chunks::<8>().0[part]);
                for i in 0..N {
                    acc[i] = cpu.fma(q[i][j], k, acc[i]);
                }
            }
            let d = cpu.widen(&d.as_chunks::<8>().0[part]);
            for i in 0..N {
                for l in 0..8 {
                    total[i][l] = fma(acc[i][l], d[l], total[i][l]);
                }
            }
        }
        for i in 0..N {
            for (s, total) in s[i * stride + part * 8..][..8].iter_mut().zip(total[i]) {
                *s = total * scale;
            }
        }
    }
}

/// Turns scores into weights: `s = e^(s − max s)`. Returns the maximum and the sum of the weights.
#[inline(always)]
pub(crate) fn softmax_weights<W>(_: W, s: &mut [f32]) -> (f32, f32) {
    let max = maximum(s);
    for s in s.iter_mut() {
        *s = exp(*s - max);
    }
    let mut sum = [0.0; 8];
    let (eights, rest) = s.as_chunks::<8>();
    for s in eights {
        for l in 0..8 {
            sum[l] += s[l];
        }
    }
    for (sum, s) in sum.iter_mut().zip(rest) {
        *sum += s;
    }
    (max, tree(sum))
}

/// The largest number; NaN is passed over.
#[inline(always)]
fn maximum(s: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut max = [f32::NEG_INFINITY; 8];
    let (eights, rest) = s.as_chunks::<8>();
    for s in eights {
        for l in 0..8 {
            max[l] = larger(max[l], s[l]);
        }
    }
    max.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| larger(a, *b))
}

/// `y[i] += Σ p[i][p] * v[p]` over the first `positions` of a page, half floats.
///
/// `p` is `(queries, stride)`, `v` is `(32, head)`, `y` is `(queries, head)`.
#[inline(always)]
pub(crate) fn weighted_sum_f16<W: Lanes>(
    cpu: W,
    p: &[f32],
    stride: usize,
    v: &[u16],
    positions: usize,
    y: &mut [f32],
) {
    let head = v.len() / PAGE;
    by_blocks!(block_f16(cpu; p / stride, stride, v, positions; y / head));
}

#[inline(always)]
fn block_f16<W: Lanes, const N: usize>(
    cpu: W,
    p: &[f32],
    stride: usize,
    v: &[u16],
    positions: usize,
    y: &mut [f32],
) {
    let head = v.len() / PAGE;
    let p: [&[f32]; N] = core::array::from_fn(|i| &p[i * stride..][..positions]);
    let v = &Halves(v, cpu);
    for part in (0..head / 8).step_by(2) {
        for line in 0..PAGE / 2 {
            cpu.prefetch(v.0, head * PAGE + (part * PAGE / 4 + line) * 32);
        }
        if part + 1 < head / 8 {
            weighted_parts::<_, N, 2>(cpu, p, positions, head, part, v, y);
        } else {
            weighted_parts::<_, N, 1>(cpu, p, positions, head, part, v, y);
        }
    }
}

/// [`weighted_sum_f16`] for values in 8-bit integers `(32, head)` with a scale for each 32 elements,
/// `d` being `(32, head / 32)` half floats.
#[inline(always)]
pub(crate) fn weighted_sum_q8<W: Lanes>(
    cpu: W,
    p: &[f32],
    stride: usize,
    v: &[i8],
    d: &[u16],
    positions: usize,
    y: &mut [f32],
) {
    let head = v.len() / PAGE;
    by_blocks!(block_q8(cpu; p / stride, stride, v, d, positions; y / head));
}

#[inline(always)]
fn block_q8<W: Lanes, const N: usize>(
    cpu: W,
    p: &[f32],
    stride: usize,
    v: &[i8],
    d: &[u16],
    positions: usize,
    y: &mut [f32],
) {
    let head = v.len() / PAGE;
    let p: [&[f32]; N] = core::array::from_fn(|i| &p[i * stride..][..positions]);
    let units = head / 32;
    for unit in 0..units {
        let mut scales = [0.0; PAGE];
        for (scale, d) in scales.iter_mut().zip(d.chunks_exact(units)) {
            *scale = widen(d[unit]);
        }
        let v = &Bytes { v, scales: &scales };
        for part in [0, 2] {
            weighted_parts::<_, N, 2>(cpu, p, positions, head, unit * 4 + part, v, y);
        }
    }
}

/// Values of a page, `(32, head)`.
///
/// Not a closure: where one is not inlined, the instruction set it names is called, not used.
trait Values {
    /// A value as it is stored.
    type Number;

    /// All values.
    fn numbers(&self) -> &[Self::Number];

    /// Eight values of position `j`.
    fn widen(&self, j: usize, numbers: &[Self::Number; 8]) -> [f32; 8];
}

/// Half floats that `W` widens.
struct Halves<'v, W>(&'v [u16], W);

impl<W: Lanes> Values for Halves<'_, W> {
    type Number = u16;

    #[inline(always)]
    fn numbers(&self) -> &[u16] {
        self.0
    }

    #[inline(always)]
    fn widen(&self, _j: usize, numbers: &[u16; 8]) -> [f32; 8] {
        self.1.widen(numbers)
    }
}

/// 8-bit integers of one unit, with a scale a position.
struct Bytes<'v> {
    v: &'v [i8],
    scales: &'v [f32; PAGE],
}

impl Values for Bytes<'_> {
    type Number = i8;

    #[inline(always)]
    fn numbers(&self) -> &[i8] {
        self.v
    }

    #[inline(always)]
    fn widen(&self, j: usize, numbers: &[i8; 8]) -> [f32; 8] {
        let mut v = floats(numbers);
        v.iter_mut().for_each(|v| *v *= self.scales[j]);
        v
    }
}

#[inline(always)]
fn floats(numbers: &[i8; 8]) -> [f32; 8] {
    let mut floats = [0.0; 8];
    for (float, number) in floats.iter_mut().zip(numbers) {
        *float = f32::from(*number);
    }
    floats
}

/// Adds the weighted values of the first positions to elements `8 * part..8 * (part + H)` of `y`.
#[inline(always)]
fn weighted_parts<W: Lanes, const N: usize, const H: usize>(
    cpu: W,
    p: [&[f32]; N],
    positions: usize,
    head: usize,
    part: usize,
    values: &impl Values,
    y: &mut [f32],
) {
    let mut acc = [[[0.0; 8]; H]; N];
    for i in 0..N {
        acc[i].as_flattened_mut().copy_from_slice(&y[i * head + part * 8..][..H * 8]);
    }
    let rows = values.numbers().chunks_exact(head).take(positions.min(PAGE));
    for (j, row) in rows.enumerate() {
        let row = row[part * 8..][..H * 8].as_chunks::<8>().0;
        let mut v = [[0.0; 8]; H];
        for h in 0..H {
            v[h] = values.widen(j, &row[h]);
        }
        for i in 0..N {
            for h in 0..H {
                acc[i][h] = cpu.fma(p[i][j], v[h], acc[i][h]);
            }
        }
    }
    for i in 0..N {
        y[i * head + part * 8..][..H * 8].copy_from_slice(acc[i].as_flattened());
    }
}

/// `y = y * a + x * b`: joins the results of two runs of positions.
#[inline(always)]
pub(crate) fn rescale_add<W>(_: W, x: &[f32], a: f32, b: f32, y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = fma(*x, b, *y * a);
    }
}
