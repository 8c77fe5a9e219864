//! Attention over pages of keys and values.
//!
//! Keys of a page lie transposed, `(head, 32 positions)`, so that eight lanes are eight positions
//! and no sum crosses lanes; values lie `(32 positions, head)`. In both products an output is one
//! chain of fused multiply-adds in the order of the head or of the positions.
//!
//! Queries come in blocks: the query heads that share a KV head, for one column or more.

#![allow(clippy::extra_unused_type_parameters, reason = "`isa!` names one for every operation")]

use crate::PAGE;
use crate::float::{Widen, exp, fma, tree};

/// Queries whose sums are held in registers at once.
const BLOCK: usize = 6;

/// `s[i][p] = scale * q[i] · k[p]` for every query `i` and position `p` of a page, half floats.
///
/// `q` is `(queries, head)`; `k` is `(head, 32)`; `s` is `(queries, stride)`, of which the first
/// 32 of each query are written.
#[inline(always)]
pub(crate) fn scores_f16<W: Widen>(q: &[f32], k: &[u16], scale: f32, stride: usize, s: &mut [f32]) {
    let head = k.len() / PAGE;
    let queries = q.chunks(BLOCK * head).zip(s.chunks_mut(BLOCK * stride));
    for (q, s) in queries {
        match q.len() / head {
            1 => score_f16::<W, 1>(q, k, scale, stride, s),
            2 => score_f16::<W, 2>(q, k, scale, stride, s),
            3 => score_f16::<W, 3>(q, k, scale, stride, s),
            4 => score_f16::<W, 4>(q, k, scale, stride, s),
            5 => score_f16::<W, 5>(q, k, scale, stride, s),
            _ => score_f16::<W, 6>(q, k, scale, stride, s),
        }
    }
}

#[inline(always)]
fn score_f16<W: Widen, const N: usize>(
    q: &[f32],
    k: &[u16],
    scale: f32,
    stride: usize,
    s: &mut [f32],
) {
    let head = k.len() / PAGE;
    let q: [&[f32]; N] = core::array::from_fn(|i| &q[i * head..][..head]);
    for part in 0..PAGE / 16 {
        let mut acc = [[[0.0_f32; 8]; 2]; N];
        for (j, k) in k.as_chunks::<PAGE>().0.iter().enumerate() {
            let k = k[part * 16..][..16].as_chunks::<8>().0;
            let k = [W::widen(&k[0]), W::widen(&k[1])];
            for i in 0..N {
                for h in 0..2 {
                    for l in 0..8 {
                        acc[i][h][l] = fma(q[i][j], k[h][l], acc[i][h][l]);
                    }
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
pub(crate) fn scores_q8<W: Widen>(
    q: &[f32],
    k: &[i8],
    d: &[u16],
    scale: f32,
    stride: usize,
    s: &mut [f32],
) {
    let head = k.len() / PAGE;
    for (q, s) in q.chunks(head).zip(s.chunks_mut(stride)) {
        for part in 0..PAGE / 8 {
            let mut total = [0.0_f32; 8];
            let units = q.chunks(32).zip(k.chunks(32 * PAGE)).zip(d.as_chunks::<PAGE>().0);
            for ((q, k), d) in units {
                let mut acc = [0.0_f32; 8];
                for (q, k) in q.iter().zip(k.as_chunks::<PAGE>().0) {
                    for l in 0..8 {
                        acc[l] = fma(*q, f32::from(k[part * 8 + l]), acc[l]);
                    }
                }
                let d = W::widen(&d.as_chunks::<8>().0[part]);
                for l in 0..8 {
                    total[l] = fma(acc[l], d[l], total[l]);
                }
            }
            for (s, total) in s[part * 8..][..8].iter_mut().zip(total) {
                *s = total * scale;
            }
        }
    }
}

/// Turns scores into weights: `s = e^(s − max s)`. Returns the maximum and the sum of the weights.
#[inline(always)]
pub(crate) fn soften<W>(s: &mut [f32]) -> (f32, f32) {
    let mut max = [f32::NEG_INFINITY; 8];
    for s in s.chunks(8) {
        for (max, s) in max.iter_mut().zip(s) {
            *max = if *s > *max { *s } else { *max };
        }
    }
    let max = max.iter().fold(f32::NEG_INFINITY, |a, b| if *b > a { *b } else { a });
    let mut sum = [0.0; 8];
    for s in s.chunks_mut(8) {
        for (sum, s) in sum.iter_mut().zip(s) {
            *s = exp(*s - max);
            *sum += *s;
        }
    }
    (max, tree(sum))
}

/// `y[i] += Σ p[i][p] * v[p]` over the first `positions` of a page, half floats.
///
/// `p` is `(queries, stride)`, `v` is `(32, head)`, `y` is `(queries, head)`.
#[inline(always)]
pub(crate) fn mix_f16<W: Widen>(
    p: &[f32],
    stride: usize,
    v: &[u16],
    positions: usize,
    y: &mut [f32],
) {
    let head = v.len() / PAGE;
    let queries = p.chunks(BLOCK * stride).zip(y.chunks_mut(BLOCK * head));
    for (p, y) in queries {
        match y.len() / head {
            1 => mixed_f16::<W, 1>(p, stride, v, positions, y),
            2 => mixed_f16::<W, 2>(p, stride, v, positions, y),
            3 => mixed_f16::<W, 3>(p, stride, v, positions, y),
            4 => mixed_f16::<W, 4>(p, stride, v, positions, y),
            5 => mixed_f16::<W, 5>(p, stride, v, positions, y),
            _ => mixed_f16::<W, 6>(p, stride, v, positions, y),
        }
    }
}

#[inline(always)]
fn mixed_f16<W: Widen, const N: usize>(
    p: &[f32],
    stride: usize,
    v: &[u16],
    positions: usize,
    y: &mut [f32],
) {
    let head = v.len() / PAGE;
    let p: [&[f32]; N] = core::array::from_fn(|i| &p[i * stride..][..positions]);
    for part in 0..head / 8 {
        let mut acc: [[f32; 8]; N] =
            core::array::from_fn(|i| core::array::from_fn(|l| y[i * head + part * 8 + l]));
        for (j, v) in v.chunks_exact(head).take(positions).enumerate() {
            let v = W::widen(&v.as_chunks::<8>().0[part]);
            for i in 0..N {
                for l in 0..8 {
                    acc[i][l] = fma(p[i][j], v[l], acc[i][l]);
                }
            }
        }
        for (i, acc) in acc.iter().enumerate() {
            y[i * head + part * 8..][..8].copy_from_slice(acc);
        }
    }
}

/// [`mix_f16`] for values in 8-bit integers `(32, head)` with a scale for each 32 elements,
/// `d` being `(32, head / 32)` half floats.
#[inline(always)]
pub(crate) fn mix_q8<W: Widen>(
    p: &[f32],
    stride: usize,
    v: &[i8],
    d: &[u16],
    positions: usize,
    y: &mut [f32],
) {
    let head = v.len() / PAGE;
    for (p, y) in p.chunks(stride).zip(y.chunks_mut(head)) {
        let rows = v.chunks_exact(head).zip(d.chunks_exact(head / 32)).zip(&p[..positions]);
        for ((v, d), p) in rows {
            for ((y, v), d) in y.chunks_mut(32).zip(v.chunks(32)).zip(d) {
                let weight = p * crate::float::widen(*d);
                for (y, v) in y.iter_mut().zip(v) {
                    *y = fma(weight, f32::from(*v), *y);
                }
            }
        }
    }
}

/// `y = y * a + x * b`: joins the results of two runs of positions.
#[inline(always)]
pub(crate) fn blend<W>(x: &[f32], a: f32, b: f32, y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = fma(*x, b, *y * a);
    }
}
