//! AVX2, with FMA and half-float conversion: every x86-64 CPU since Haswell and Zen.

pub(crate) mod any;
mod lanes;
mod product;
pub(crate) mod q4_0;
pub(crate) mod q4_1;
pub(crate) mod q4_k;
pub(crate) mod q5_k;
pub(crate) mod q6_k;
pub(crate) mod q8_0;
mod tile;

use crate::float::Widen;
use core::arch::x86_64::{_mm_loadu_si128, _mm256_cvtph_ps};

/// [`Widen`] in one instruction.
pub(crate) struct F16c;

impl Widen for F16c {
    #[inline(always)]
    fn widen(halves: &[u16; 8]) -> [f32; 8] {
        // SAFETY: 8 halves are 16 readable bytes; the load needs no alignment.
        let halves = unsafe { _mm_loadu_si128(halves.as_ptr().cast()) };
        // SAFETY: only functions compiled with "f16c" name this type, in the `isa!` line of avx2.
        let floats = unsafe { _mm256_cvtph_ps(halves) };
        // SAFETY: a vector of 8 floats has the size and every valid state of the array.
        unsafe { core::mem::transmute(floats) }
    }
}
