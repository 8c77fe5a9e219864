//! Float operations, written once over eight lanes and compiled for every instruction set.
//!
//! Nothing here may be reordered: sums run over eight lanes (element `j` in lane `j % 8`) which
//! [`tree`] adds in a fixed order; everything else is element by element. All functions are
//! inlined into a function that enables an instruction set's features ([`mod@crate::isa`]), where
//! [`fma`] is one instruction.

use dram_quant::Q8Mut;

/// How an instruction set turns half floats into floats; exact, so every way gives equal bits.
///
/// A value of a type that does it in instructions of its own proves that the CPU has them.
pub(crate) trait Widen: Copy {
    fn widen(self, halves: &[u16; 8]) -> [f32; 8];

    /// The same of the upper halves of floats.
    #[inline(always)]
    fn widen_bf16(self, halves: &[u16; 8]) -> [f32; 8] {
        halves.map(|half| f32::from_bits(u32::from(half) << 16))
    }
}

/// [`Widen`] in integer operations, for any CPU.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

impl Widen for Portable {
    #[inline(always)]
    fn widen(self, halves: &[u16; 8]) -> [f32; 8] {
        halves.map(widen)
    }
}

/// A half float as a float.
#[inline(always)]
pub(crate) fn widen(half: u16) -> f32 {
    dram_quant::f16_to_f32(half)
}

/// `a * b + c`, rounded once.
#[inline(always)]
pub(crate) fn fma(a: f32, b: f32, c: f32) -> f32 {
    #[cfg(feature = "std")]
    return a.mul_add(b, c);
    #[cfg(not(feature = "std"))]
    libm::fmaf(a, b, c)
}

/// The one order in which eight lanes are added.
#[inline(always)]
pub(crate) fn tree(v: [f32; 8]) -> f32 {
    ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
}

/// 1.5 · 2^23: adding it rounds a number below 2^22 to the nearest integer, ties to even, and
/// leaves that integer in the low bits.
const ROUND: f32 = 12_582_912.0;

/// The nearest integer, ties to even, of a number below 2^22.
#[inline(always)]
fn round(x: f32) -> i32 {
    ((x + ROUND).to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32)
}

/// e^x with an error below 2 units in the last place for −87 ≤ x ≤ 88; outside it stays at the
/// value of that bound. NaN gives NaN.
///
/// Cephes' `expf`: x = n ln 2 + r, a polynomial for e^r, and n added to the exponent.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let n = x * core::f32::consts::LOG2_E + ROUND;
    let power = (n.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let n = n - ROUND;
    let r = fma(n, -0.693_359_4, x);
    let r = fma(n, 2.121_944_4e-4, r);
    let p = fma(1.987_569_1e-4, r, 1.398_2e-3);
    let p = fma(p, r, 8.333_452e-3);
    let p = fma(p, r, 4.166_579_6e-2);
    let p = fma(p, r, 1.666_666_5e-1);
    let p = fma(p, r, 0.5);
    let p = fma(p, r * r, r) + 1.0;
    p * f32::from_bits((power.wrapping_add(127) as u32) << 23)
}

/// Quantises one column in blocks of `block` numbers, a multiple of 32, the last of which may be
/// shorter: `d = max|x| / 127`, `q = x / d` to the nearest, ties to even. A block whose largest
/// number is below 10^−30 becomes zeros; NaN gives a NaN scale.
#[inline(always)]
pub(crate) fn quantize<W>(_: W, x: &[f32], block: usize, y: Q8Mut<'_>) {
    let units = block / 32;
    let scales = y.d.chunks_mut(units).zip(y.ds.chunks_mut(units)).zip(y.sums.chunks_mut(units));
    let numbers = x.chunks(block).zip(y.q.chunks_mut(block));
    for ((x, q), ((d, ds), sums)) in numbers.zip(scales) {
        quantize_block(x, Q8Mut { q, d, ds, sums });
    }
}

/// One block, of one scale.
#[inline(always)]
fn quantize_block(x: &[f32], y: Q8Mut<'_>) {
    let x = x.as_chunks::<32>().0;
    let mut max = 0.0;
    // Not `fold`: that is a function of its own, without the features of the instruction set.
    for x in x {
        max = larger(max, magnitude(x));
    }
    let (inverse, d) = if max < 1e-30 { (0.0, 0.0) } else { (127.0 / max, max / 127.0) };
    y.d.fill(d);
    let units = x.iter().zip(y.q.as_chunks_mut::<32>().0);
    for ((x, q), (ds, sums)) in units.zip(y.ds.iter_mut().zip(y.sums)) {
        let halves = quantize_unit(x, inverse, q);
        *sums = halves.map(|half| half as i16);
        *ds = (halves[0] + halves[1]) as f32 * d;
    }
}

/// Writes 32 numbers divided by their scale; returns the sums of both halves.
#[inline(always)]
fn quantize_unit(x: &[f32; 32], inverse: f32, q: &mut [i8; 32]) -> [i32; 2] {
    one_unit_at_a_time();
    let (x, q) = (x.as_chunks::<8>().0, q.as_chunks_mut::<8>().0);
    let lanes = [0, 1, 2, 3].map(|g| quantize_eight(&x[g], inverse, &mut q[g]));
    let mut sums = [[0; 8]; 2];
    for l in 0..8 {
        sums[0][l] = lanes[0][l] + lanes[1][l];
        sums[1][l] = lanes[2][l] + lanes[3][l];
    }
    sums.map(|lanes| lanes.into_iter().sum())
}

/// Writes eight numbers divided by their scale, and returns them.
#[inline(always)]
fn quantize_eight(x: &[f32; 8], inverse: f32, q: &mut [i8; 8]) -> [i32; 8] {
    let mut lanes = [0; 8];
    for l in 0..8 {
        let x = x[l] * inverse;
        // Where a number or the scale is not finite, x may be NaN; q stays in its range.
        lanes[l] = round(if x > -127.0 { x } else { -127.0 });
    }
    for l in 0..8 {
        q[l] = lanes[l] as i8;
    }
    lanes
}

/// The largest magnitude of a unit; that of NaN is NaN, for compared as integers it is above
/// infinity.
#[inline(always)]
fn magnitude(x: &[f32; 32]) -> f32 {
    one_unit_at_a_time();
    let bits = x.map(|x| x.to_bits() & 0x7fff_ffff);
    f32::from_bits(bits.into_iter().fold(0, u32::max))
}

/// The larger of two magnitudes; NaN if one is.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    f32::from_bits(a.to_bits().max(b.to_bits()))
}

/// Keeps the compiler from working on many units at once, whose numbers it would gather from
/// memory one by one.
#[inline(always)]
fn one_unit_at_a_time() {
    core::hint::black_box(());
}

/// Root-mean-square norm: `y = x / sqrt(mean(x²) + eps) * w`.
#[inline(always)]
pub(crate) fn rms_norm<W>(_: W, x: &[f32], w: &[f32], eps: f32, y: &mut [f32]) {
    let mut lanes = [0.0; 8];
    let (eights, rest) = x.as_chunks::<8>();
    for x in eights {
        for l in 0..8 {
            lanes[l] = fma(x[l], x[l], lanes[l]);
        }
    }
    for (lane, x) in lanes.iter_mut().zip(rest) {
        *lane = fma(*x, *x, *lane);
    }
    let scale = 1.0 / libm::sqrtf(tree(lanes) / x.len() as f32 + eps);
    for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
        *y = (x * scale) * w;
    }
}

/// `y += x`.
#[inline(always)]
pub(crate) fn add<W>(_: W, x: &[f32], y: &mut [f32]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += x;
    }
}

/// `y = silu(gate) * up`, with `silu(g) = g / (1 + e^−g)`.
#[inline(always)]
pub(crate) fn swiglu<W>(_: W, gate: &[f32], up: &[f32], y: &mut [f32]) {
    for ((y, g), u) in y.iter_mut().zip(gate).zip(up) {
        *y = *g / (1.0 + exp(-*g)) * u;
    }
}

/// Rotary position embedding: rotates the pairs of one head by the angles of its position.
///
/// `cos` and `sin` have one element a pair. Pair `i` is elements `2i` and `2i + 1` if `adjacent`
/// (llama's layout in GGUF), else `i` and `i + pairs` (qwen2's). Elements past the pairs stay.
#[inline(always)]
pub(crate) fn rope<W>(_: W, cos: &[f32], sin: &[f32], adjacent: bool, x: &mut [f32]) {
    let pairs = cos.len();
    if adjacent {
        for ((x, cos), sin) in x.as_chunks_mut::<2>().0.iter_mut().zip(cos).zip(sin) {
            *x = [x[0] * cos - x[1] * sin, x[0] * sin + x[1] * cos];
        }
        return;
    }
    let (a, b) = x.split_at_mut(pairs);
    for (((a, b), cos), sin) in a.iter_mut().zip(b).zip(cos).zip(sin) {
        (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
    }
}
