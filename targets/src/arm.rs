//! What the tables of 64-bit ARM share: how the bytes of each format become registers, and the
//! product. Its instruction sets differ in how they multiply: [`crate::neon`], [`crate::dotprod`],
//! [`crate::i8mm`].
#![allow(
    clippy::extra_unused_type_parameters,
    reason = "what has a caller of its own has one call, and the compiler inlines it"
)]

pub(crate) mod any;
pub(crate) mod column;
pub(crate) mod lanes;
pub(crate) mod panel;
#[macro_use]
pub(crate) mod pass;
pub(crate) mod product;
pub(crate) mod q4_0;
pub(crate) mod q4_1;
pub(crate) mod q4_k;
pub(crate) mod q5_k;
pub(crate) mod q6_k;
pub(crate) mod q8_0;
pub(crate) mod source;
pub(crate) mod step;
pub(crate) mod tile;

use crate::attention::Lanes;
use crate::float::Widen;
use crate::kernels::Floats;
use core::arch::aarch64::vld1q_u16;

/// [`Widen`] in two instructions; a value proves that the CPU has "neon".
#[derive(Clone, Copy)]
pub(crate) struct Fcvtl(());

impl Fcvtl {
    /// # Safety
    ///
    /// The CPU must have "neon".
    #[inline(always)]
    const unsafe fn new() -> Self {
        Self(())
    }
}

impl Widen for Fcvtl {
    #[inline(always)]
    fn widen(self, halves: &[u16; 8]) -> [f32; 8] {
        // SAFETY: 8 halves are 16 readable bytes; the load needs no alignment.
        let halves = unsafe { vld1q_u16(halves.as_ptr()) };
        // SAFETY: the CPU has "neon", as `self` proves.
        let floats = unsafe { lanes::widen(halves) };
        // SAFETY: two vectors of 4 floats have the size and every valid state of the array.
        unsafe { core::mem::transmute(floats) }
    }
}

impl Lanes for Fcvtl {
    #[inline(always)]
    fn fma(self, a: f32, b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        // SAFETY: as for `widen`.
        unsafe { lanes::fma(a, &b, &c) }
    }
}

/// The float operations of all tables: none needs more than every core has.
// SAFETY: the functions of a table run where the CPU has its features, and every table of ARM has
// "neon".
pub(crate) const FLOATS: Floats = floats!(compile_floats!(["neon"] unsafe { Fcvtl::new() }));

/// The table of one instruction set: its name, features and [`product::Isa`].
macro_rules! arm {
    ($name:ident, $features:tt, $isa:ty) => {
        isa!(
            $name,
            is_aarch64_feature_detected,
            $features,
            arm::FLOATS,
            true,
            [
                Q4_0: arm::product::product::<$isa, arm::q4_0::Q4_0, _>,
                Q4_1: arm::product::product::<$isa, arm::q4_1::Q4_1, _>,
                Q8_0: arm::product::product::<$isa, arm::q8_0::Q8_0, _>,
                Q4_K: arm::product::product::<$isa, arm::q4_k::Q4_K, _>,
                Q5_K: arm::product::product::<$isa, arm::q5_k::Q5_K, _>,
                Q6_K: arm::product::product::<$isa, arm::q6_k::Q6_K, _>,
                _: arm::any::product::<$isa>,
            ]
        )
    };
}
