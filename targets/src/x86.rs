//! What the tables of x86-64 share: how the bytes of each format become registers, and the
//! product. Its instruction sets differ in how they multiply: [`crate::avx2`],
//! [`crate::avx512vnni`].

pub(crate) mod any;
pub(crate) mod column;
pub(crate) mod iq4_nl;
pub(crate) mod iq4_xs;
pub(crate) mod lanes;
pub(crate) mod mxfp4;
pub(crate) mod panel;
#[macro_use]
pub(crate) mod pass;
pub(crate) mod product;
pub(crate) mod q2_k;
pub(crate) mod q3_k;
pub(crate) mod q4_0;
pub(crate) mod q4_1;
pub(crate) mod q4_k;
pub(crate) mod q5_0;
pub(crate) mod q5_1;
pub(crate) mod q5_k;
pub(crate) mod q6_k;
pub(crate) mod q8_0;
mod source;
mod tile;

use crate::attention::Lanes;
use crate::float::Widen;
use core::arch::x86_64::{
    _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm256_cvtepu16_epi32, _mm256_cvtph_ps,
    _mm256_slli_epi32,
};

/// [`Widen`] in one instruction; a value proves that the CPU has "avx2" and "f16c".
#[derive(Clone, Copy)]
pub(crate) struct F16c(());

impl F16c {
    /// # Safety
    ///
    /// The CPU must have "avx2" and "f16c".
    #[inline(always)]
    pub(crate) const unsafe fn new() -> Self {
        Self(())
    }
}

impl Widen for F16c {
    #[inline(always)]
    fn widen(self, halves: &[u16; 8]) -> [f32; 8] {
        // SAFETY: 8 halves are 16 readable bytes; the load needs no alignment.
        let halves = unsafe { _mm_loadu_si128(halves.as_ptr().cast()) };
        // SAFETY: the CPU has "f16c", as `self` proves.
        let floats = unsafe { _mm256_cvtph_ps(halves) };
        // SAFETY: a vector of 8 floats has the size and every valid state of the array.
        unsafe { core::mem::transmute(floats) }
    }

    #[inline(always)]
    fn widen_bf16(self, halves: &[u16; 8]) -> [f32; 8] {
        // SAFETY: 8 halves are 16 readable bytes; the load needs no alignment.
        let halves = unsafe { _mm_loadu_si128(halves.as_ptr().cast()) };
        // SAFETY: the CPU has "avx2", as `self` proves.
        let halves = unsafe { _mm256_cvtepu16_epi32(halves) };
        // SAFETY: as above.
        let bits = unsafe { _mm256_slli_epi32::<16>(halves) };
        // SAFETY: a vector of 8 integers has the size of the array, whose every state is valid.
        unsafe { core::mem::transmute(bits) }
    }
}

impl Lanes for F16c {
    #[inline(always)]
    fn prefetch<Number>(self, numbers: &[Number], ahead: usize) {
        let line = numbers.as_ptr().wrapping_add(ahead).cast();
        // SAFETY: a prefetch of any address is allowed, and every x86-64 CPU has the instruction.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line) }
    }
}

/// The table of one instruction set: its name, features and [`product::Isa`].
macro_rules! x86 {
    ($name:ident, $features:tt, $isa:ty) => {
        isa!(
            $name,
            is_x86_feature_detected,
            $features,
            // SAFETY: the functions of a table run where the CPU has its features, and every table of
            // x86 has "avx2" and "f16c".
            floats!(compile_floats!($features unsafe { x86::F16c::new() })),
            true,
            [
                Q4_0: x86::product::product::<$isa, x86::q4_0::Q4_0, _>,
                Q4_1: x86::product::product::<$isa, x86::q4_1::Q4_1, _>,
                Q5_0: x86::product::product::<$isa, x86::q5_0::Q5_0, _>,
                Q5_1: x86::product::product::<$isa, x86::q5_1::Q5_1, _>,
                Q8_0: x86::product::product::<$isa, x86::q8_0::Q8_0, _>,
                Q2_K: x86::product::product::<$isa, x86::q2_k::Q2_K, _>,
                Q3_K: x86::product::product::<$isa, x86::q3_k::Q3_K, _>,
                Q4_K: x86::product::product::<$isa, x86::q4_k::Q4_K, _>,
                Q5_K: x86::product::product::<$isa, x86::q5_k::Q5_K, _>,
                Q6_K: x86::product::product::<$isa, x86::q6_k::Q6_K, _>,
                IQ4_NL: x86::product::product::<$isa, x86::iq4_nl::IQ4_NL, _>,
                IQ4_XS: x86::product::product::<$isa, x86::iq4_xs::IQ4_XS, _>,
                MXFP4: x86::product::product::<$isa, x86::mxfp4::Mxfp4, _>,
                _: x86::any::product::<$isa>,
            ]
        )
    };
}
