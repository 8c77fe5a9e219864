//! Loads and stores: the only unsafe operations of the products.

use core::arch::asm;
use core::arch::x86_64::{
    __m128i, __m256, __m256i, _MM_HINT_T0, _mm_loadl_epi64, _mm_loadu_si128, _mm_prefetch,
    _mm_srli_si128, _mm_storeu_si128, _mm_unpacklo_epi8, _mm256_cvtepu8_epi16, _mm256_cvtph_ps,
    _mm256_loadu_ps, _mm256_loadu_si256, _mm256_storeu_ps, _mm256_storeu_si256,
};

/// `N` bytes at `offset`; the check vanishes where both are constants.
#[inline]
pub(super) fn at<const N: usize>(bytes: &[u8], offset: usize) -> &[u8; N] {
    bytes[offset..].first_chunk().expect("blocks have their fields")
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn load(bytes: &[u8; 32]) -> __m256i {
    // SAFETY: the array is 32 readable bytes; the load needs no alignment.
    unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn load16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the array is 16 readable bytes; the load needs no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

/// 8 bytes and 8 zeros.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn load8(bytes: &[u8; 8]) -> __m128i {
    // SAFETY: the array is 8 readable bytes; the load needs no alignment.
    unsafe { _mm_loadl_epi64(bytes.as_ptr().cast()) }
}

/// Eight half floats, widened.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn halves(bytes: &[u8; 16]) -> __m256 {
    _mm256_cvtph_ps(load16(bytes))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn floats(floats: &[f32; 8]) -> __m256 {
    // SAFETY: the array is 32 readable bytes; the load needs no alignment.
    unsafe { _mm256_loadu_ps(floats.as_ptr()) }
}

/// Eight pairs of 16-bit integers.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn pairs(pairs: &[[i16; 2]; 8]) -> __m256i {
    // SAFETY: the array is 32 readable bytes; the load needs no alignment.
    unsafe { _mm256_loadu_si256(pairs.as_ptr().cast()) }
}

/// Four bytes as a lane of 32 bits.
#[inline]
pub(crate) fn word(bytes: &[i8; 4]) -> i32 {
    // SAFETY: the array is 4 readable bytes and the read needs no alignment.
    unsafe { bytes.as_ptr().cast::<i32>().read_unaligned() }
}

/// A pair of 16-bit integers as a lane of 32 bits.
#[inline]
pub(crate) fn pair(pair: &[i16; 2]) -> i32 {
    // SAFETY: the array is 4 readable bytes and the read needs no alignment.
    unsafe { pair.as_ptr().cast::<i32>().read_unaligned() }
}

/// What the compiler knows nothing about, so that it does not look for it where it came from.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn kept(v: __m256i) -> __m256i {
    let mut v = v;
    // SAFETY: there is no instruction.
    unsafe { asm!("/* {0} */", inout(ymm_reg) v, options(pure, nomem, nostack, preserves_flags)) };
    v
}

/// Pairs of bytes `(i, i + 8)`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn zip(bytes: &[u8; 16]) -> __m128i {
    let bytes = load16(bytes);
    _mm_unpacklo_epi8(bytes, _mm_srli_si128::<8>(bytes))
}

/// Each byte, widened, twice.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn twice(bytes: &[u8; 8]) -> __m256i {
    let bytes = load8(bytes);
    _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(bytes, bytes))
}

/// Writes the first 32 bytes of `to`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn store(to: &mut [u8], v: __m256i) {
    let to: &mut [u8; 32] = to.first_chunk_mut().expect("there is room for a register");
    // SAFETY: the array is 32 writable bytes; the store needs no alignment.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), v) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn store16(to: &mut [u8; 16], v: __m128i) {
    // SAFETY: the array is 16 writable bytes; the store needs no alignment.
    unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), v) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn store_floats(to: &mut [f32; 8], v: __m256) {
    // SAFETY: the array is 32 writable bytes; the store needs no alignment.
    unsafe { _mm256_storeu_ps(to.as_mut_ptr(), v) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn store_pairs(to: &mut [[i16; 2]; 8], v: __m256i) {
    // SAFETY: the array is 32 writable bytes; the store needs no alignment.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), v) }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn store_integers(to: &mut [i32; 8], v: __m256i) {
    // SAFETY: the array is 32 writable bytes; the store needs no alignment.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), v) }
}

/// Asks for the cache line `ahead` bytes after `bytes`, which may lie anywhere.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn prefetch(bytes: &[u8], ahead: usize) {
    _mm_prefetch::<_MM_HINT_T0>(bytes.as_ptr().wrapping_add(ahead).cast());
}
