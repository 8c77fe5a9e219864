//! IQ4_NL: a scale, and nibbles that stand for unevenly spaced bytes.
//!
//! ```text
//! byte of a tile  0        16                            144
//!                 | 8 x d   | 4 quads: nibbles of k and k + 16 |
//! ```

use super::lanes::{at, halves, load16};
use super::product::{Kind, Scales, Tile, Unit};
use super::q4_0::nibbles;
use core::arch::x86_64::{
    __m256i, _mm256_broadcastsi128_si256, _mm256_setzero_ps, _mm256_shuffle_epi8,
};
use dram_quant::{EIGHT, Format, IQ4_VALUES};

/// Signed bytes, as in Q8_0.
#[allow(non_camel_case_types, reason = "the format's own name")]
pub(crate) struct IQ4_NL;

impl Kind for IQ4_NL {
    const DEPTH: usize = 1;
    const SIGNED: bool = true;
}

impl Tile<18> for IQ4_NL {
    const FORMAT: Format = Format::IQ4_NL;
    const CHEAP: bool = true;
    const NEW: Self = Self;

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, tile: &[[u8; 18]; EIGHT], _: usize) -> Unit {
        let tile = tile.as_flattened();
        Unit::new(values(&tile[16..]))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin(&mut self, tile: &[[u8; 18]; EIGHT]) -> Scales {
        let tile = tile.as_flattened();
        Scales { d: halves(at(tile, 0)), m: _mm256_setzero_ps() }
    }
}

/// What the nibbles of four quads stand for.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn values(quads: &[u8]) -> [__m256i; 8] {
    const VALUES: [u8; 16] = bytes(IQ4_VALUES);
    let table = _mm256_broadcastsi128_si256(load16(&VALUES));
    let mut q = nibbles(quads);
    for q in &mut q {
        *q = _mm256_shuffle_epi8(table, *q);
    }
    q
}

/// The same bits.
const fn bytes(signed: [i8; 16]) -> [u8; 16] {
    let (mut bytes, mut i) = ([0; 16], 0);
    while i < 16 {
        bytes[i] = signed[i].cast_unsigned();
        i += 1;
    }
    bytes
}
