//! Q4_K: nibbles, and a 6-bit scale and minimum for every 32.
//!
//! ```text
//! byte of a tile  0        16          32               128         1152
//!                 | 8 x d   | 8 x dmin  | 12 x 8 scales  | 32 quads  |
//! ```
//!
//! Two units share eight quads, one the low nibbles and one the high.

use super::lanes::{at, halves, load, store, twice};
use super::product::{Kind, Scales, Tile, Unit};
use core::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_or_si256, _mm256_set1_epi8, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setzero_si256, _mm256_srli_epi16, _mm256_srlv_epi32, _mm256_xor_ps,
};
use dram_quant::{EIGHT, Format};

/// Nibbles, as in Q4_0.
#[allow(non_camel_case_types, reason = "the format's own name")]
pub(crate) struct Q4_K(Factors);

impl Kind for Q4_K {
    const BLOCK: usize = 8;
    const SHARE: usize = 2;
    const DEPTH: usize = 8;
    const MIN: bool = true;
}

impl Tile<144> for Q4_K {
    const FORMAT: Format = Format::Q4_K;
    const CHEAP: bool = true;
    const NEW: Self = Self(Factors::ZERO);

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn unit<Caller>(&self, tile: &[[u8; 144]; EIGHT], i: usize) -> Unit {
        let tile = tile.as_flattened();
        self.0.unit(nibbles(at(tile, 128), i), i)
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    unsafe fn begin(&mut self, tile: &[[u8; 144]; EIGHT]) -> Scales {
        let tile = tile.as_flattened();
        self.0.read(at(tile, 32));
        scales(at(tile, 0))
    }
}

/// The nibbles of unit `i`, from 32 quads.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn nibbles(quads: &[u8; 1024], i: usize) -> [__m256i; 8] {
    let shift = _mm256_set1_epi32(i as i32 % 2 * 4);
    let mut q = [_mm256_setzero_si256(); 8];
    for (g, q) in q.iter_mut().enumerate() {
        let both = load(at(quads, i / 2 * 256 + g * 32));
        *q = _mm256_and_si256(_mm256_srlv_epi32(both, shift), _mm256_set1_epi8(15));
    }
    q
}

/// `d` and `-dmin`, the start of a tile that Q4_K and Q5_K share.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn scales(head: &[u8; 32]) -> Scales {
    let minima = halves(at(head, 16));
    Scales { d: halves(at(head, 0)), m: _mm256_xor_ps(minima, _mm256_set1_ps(-0.0)) }
}

/// The 6-bit factors of a tile, which Q4_K and Q5_K share, taken apart.
pub(super) struct Factors {
    /// `(units, rows)`
    scales: [[u8; EIGHT]; 8],
    /// `(units, rows)`
    minima: [[u8; EIGHT]; 8],
}

impl Factors {
    pub(super) const ZERO: Self = Self { scales: [[0; 8]; 8], minima: [[0; 8]; 8] };

    /// Reads those of a tile. A register holds four bytes, each of eight rows.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn read(&mut self, bytes: &[u8; 96]) {
        let [a, b, c] = [load(at(bytes, 0)), load(at(bytes, 32)), load(at(bytes, 64))];
        let low = |v| _mm256_and_si256(v, _mm256_set1_epi8(63));
        let high = |four, two| {
            let two = _mm256_and_si256(two, _mm256_set1_epi8(-64));
            let four = _mm256_and_si256(four, _mm256_set1_epi8(15));
            _mm256_or_si256(four, _mm256_srli_epi16::<2>(two))
        };
        let (first, second) = self.scales.split_at_mut(4);
        store(first.as_flattened_mut(), low(a));
        store(second.as_flattened_mut(), high(c, a));
        let (first, second) = self.minima.split_at_mut(4);
        store(first.as_flattened_mut(), low(b));
        store(second.as_flattened_mut(), high(_mm256_srli_epi16::<4>(c), b));
    }

    /// Unit `i`, whose integers are `q`.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn unit(&self, q: [__m256i; 8], i: usize) -> Unit {
        Unit { q, s: twice(&self.scales[i]), n: twice(&self.minima[i]) }
    }
}
