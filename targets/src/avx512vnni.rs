//! The dot product of AVX-512: server CPUs since Cascade Lake, Zen 4. Up to seven columns are
//! multiplied in registers of 256 bits, more in those of 512.
//!
//! ```text
//! weights of a quad    row 0: k k k k | row 1: k k k k | … row 7      unsigned bytes
//! activations                 k k k k |        k k k k | …            signed bytes
//! dpbusd               row 0          | row 1          | …            32 bits
//! ```
//!
//! Signed weights become unsigned by an offset of 128.

mod unit;
mod wide;

use crate::panel::Panel;
use crate::x86::column::{Block, Column, Integers, Run};
use crate::x86::lanes::{store_floats, word};
use crate::x86::panel::Unpacked;
use crate::x86::product::{Isa, Kind, Source, Unit, add_eight, add_one, columns};
use core::arch::asm;
use core::arch::x86_64::{
    __m256, __m256i, _mm256_add_epi32, _mm256_blend_epi16, _mm256_dpbusd_epi32, _mm256_mullo_epi16,
    _mm256_mullo_epi32, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_setzero_ps,
    _mm256_setzero_si256, _mm256_slli_epi32, _mm256_srai_epi32, _mm256_xor_si256,
};
use core::ops::Range;
use dram_quant::{EIGHT, Q8, UNIT};

/// Multiplication of four bytes to 32 bits.
pub(crate) struct Dpbusd;

impl Isa for Dpbusd {
    const COLUMNS: usize = 8;
    /// As many as three passes over pairs have.
    const FEW: usize = 24;
    const PAIRS_FROM: usize = 8;
    const TOGETHER: usize = unit::GROUPS;

    #[inline]
    #[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
    unsafe fn pass<S: Source, const N: usize>(
        w: &mut S,
        x: &Q8<'_>,
        first: usize,
        y: &mut [[f32; EIGHT]],
    ) {
        pass::<S, N>(w, x, first, y);
    }

    #[inline]
    #[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
    unsafe fn pair<S: Source>(w: &mut [S; 2], x: &Q8<'_>, y: &mut [[f32; EIGHT]]) {
        wide::pair(w, x, y);
    }

    #[inline]
    #[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
    unsafe fn panel<K: Kind>(panel: &Panel<'_>, x: &Q8<'_>, y: &mut [[f32; EIGHT]]) {
        if y.len() == Self::TOGETHER * x.count() {
            return wide::panel::<K>(panel, x, y);
        }
        // SAFETY: as the caller promises.
        unsafe { columns::<Self, _>(&mut Unpacked::<K>::new(panel), x, y) }
    }
}

pass!(Dpbusd, ["avx512bw", "avx512vl", "avx512vnni"]);

/// Adds the products of unit `i` of columns, without the offset.
///
/// Of `Caller` see the crate's documentation.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn products<S: Source, const N: usize, const R: usize, Caller>(
    sums: &mut [__m256i; N],
    w: &Unit,
    x: &[&Integers<R>; N],
    i: usize,
) {
    if S::Kind::BLOCK == 1 {
        return dot::<S, N, R, Caller>(sums, w, x, i, 0..8);
    }
    let halves = if S::Kind::HALVES { 2 } else { 1 };
    for half in 0..halves {
        let mut dots = [_mm256_setzero_si256(); N];
        let quads = 8 / halves;
        dot::<S, N, R, Caller>(&mut dots, w, x, i, half * quads..(half + 1) * quads);
        let s = if half == 0 { _mm256_slli_epi32::<16>(w.s) } else { w.s };
        let s = _mm256_srai_epi32::<16>(s);
        for c in 0..N {
            sums[c] = _mm256_add_epi32(sums[c], _mm256_mullo_epi32(dots[c], s));
        }
    }
}

/// Adds the products of some quads of unit `i`, without factors.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn dot<S: Source, const N: usize, const R: usize, Caller>(
    sums: &mut [__m256i; N],
    w: &Unit,
    x: &[&Integers<R>; N],
    i: usize,
    quads: Range<usize>,
) {
    let offset = _mm256_set1_epi8(if S::Kind::SIGNED { -128 } else { 0 });
    for g in quads {
        let w = _mm256_xor_si256(w.q[g], offset);
        for c in 0..N {
            let x = _mm256_set1_epi32(word(&x[c][i][g]));
            sums[c] = _mm256_dpbusd_epi32(sums[c], w, x);
        }
    }
}

/// How much larger integers are than the weights.
const fn offset<K: Kind>() -> i16 {
    if K::SIGNED { 128 } else { K::OFFSET }
}

/// Adds to each lane its pair of `w` times the pair `x`.
///
/// The compiler would make three instructions of the intrinsic.
#[inline]
#[target_feature(enable = "avx512bw,avx512vl,avx512vnni")]
fn add_pair(sums: __m256i, w: __m256i, x: &[i16; 2]) -> __m256i {
    let mut sums = sums;
    // SAFETY: it reads the pair; the CPU has the instruction because this function has its feature.
    unsafe {
        asm!(
            "vpdpwssd {sums}, {w}, dword ptr [{x}]{{1to8}}",
            sums = inout(ymm_reg) sums, w = in(ymm_reg) w, x = in(reg) x,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    sums
}
