//! Loads and stores: the only unsafe operations that formats need.

use core::arch::aarch64::{
    float32x4_t, int8x16_t, int8x16x4_t, int16x8_t, int32x4_t, uint8x16_t, uint16x8_t,
    vcvt_f32_f16, vcvt_high_f32_f16, vfmaq_n_f32, vget_low_f16, vld1q_f32, vld1q_s8, vld1q_s16,
    vld1q_u8, vld1q_u16, vld4q_dup_s8, vreinterpretq_f16_u16, vreinterpretq_s8_u8, vst1q_f32,
    vst1q_s16, vst1q_u8,
};
use core::arch::asm;

/// `N` bytes at `offset`; the check vanishes where both are constants.
#[inline]
pub(super) fn at<const N: usize>(bytes: &[u8], offset: usize) -> &[u8; N] {
    bytes[offset..].first_chunk().expect("blocks have their fields")
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn load(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: the array is 16 readable bytes; the load needs no alignment.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

/// Four weights of each of eight rows: 0 to 3, and 4 to 7.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn quad(bytes: &[u8; 32]) -> [uint8x16_t; 2] {
    [load(at(bytes, 0)), load(at(bytes, 16))]
}

/// In every lane the two bytes at `offset` of a block, whose address becomes what it does in
/// [`load_lane`].
///
/// # Safety
///
/// The two bytes must be readable.
#[inline]
#[target_feature(enable = "neon")]
pub(super) unsafe fn load_lanes<const B: usize>(
    block: &mut *const [u8; B],
    offset: usize,
) -> uint16x8_t {
    let (v, mut place);
    place = block.cast::<u8>().wrapping_add(offset);
    // SAFETY: the two bytes are readable, as the caller promises; the load needs no alignment.
    unsafe {
        asm!(
            "ld1r {{{v:v}.8h}}, [{place}], #2",
            v = lateout(vreg) v, place = inout(reg) place,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    *block = place.wrapping_sub(offset + 2).cast();
    v
}

/// `v` with lane `LANE` from the two bytes at `offset` of a block, whose address is afterwards one
/// computed from that behind them.
///
/// # Safety
///
/// The two bytes must be readable.
#[inline]
#[target_feature(enable = "neon")]
pub(super) unsafe fn load_lane<const LANE: usize, const B: usize>(
    v: uint16x8_t,
    block: &mut *const [u8; B],
    offset: usize,
) -> uint16x8_t {
    let (mut v, mut place) = (v, block.cast::<u8>().wrapping_add(offset));
    // SAFETY: the two bytes are readable, as the caller promises; the load needs no alignment.
    unsafe {
        asm!(
            "ld1 {{{v:v}.h}}[{lane}], [{place}], #2",
            v = inout(vreg) v, place = inout(reg) place, lane = const LANE,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    *block = place.wrapping_sub(offset + 2).cast();
    v
}

/// [`quad`] number `i`, signed.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn signed_quad(bytes: &[u8; 256], i: usize) -> [int8x16_t; 2] {
    quad(at(bytes, i * 32)).map(|q| vreinterpretq_s8_u8(q))
}

/// Four numbers, each in all lanes of a register; `place` is afterwards behind them.
///
/// # Safety
///
/// The four numbers must be readable.
#[allow(clippy::pointers_in_nomem_asm_block, reason = "the assembler reads nothing")]
#[inline]
#[target_feature(enable = "neon")]
pub(crate) unsafe fn load_spread(place: &mut *const i8) -> int8x16x4_t {
    // SAFETY: the four bytes are readable, as the caller promises; the load needs no alignment.
    let four = unsafe { vld4q_dup_s8(*place) };
    // Hidden from the compiler, which would compute every address from the first: now the load
    // itself moves this one on.
    let mut next = place.wrapping_add(4);
    // SAFETY: there is no instruction.
    unsafe { asm!("/* {0} */", inout(reg) next, options(pure, nomem, nostack, preserves_flags)) };
    *place = next;
    four
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn signed(bytes: &[i8; 16]) -> int8x16_t {
    // SAFETY: the array is 16 readable bytes; the load needs no alignment.
    unsafe { vld1q_s8(bytes.as_ptr()) }
}

/// The sums of the halves of four units.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn sums(sums: &[[i16; 2]; 4]) -> int16x8_t {
    // SAFETY: the array is 16 readable bytes; the load needs no alignment.
    unsafe { vld1q_s16(sums.as_ptr().cast()) }
}

/// Eight half floats, widened.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn halves(bytes: &[u8; 16]) -> [float32x4_t; 2] {
    // SAFETY: the array is 16 readable bytes; the load needs no alignment.
    widen(unsafe { vld1q_u16(bytes.as_ptr().cast()) })
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn widen(halves: uint16x8_t) -> [float32x4_t; 2] {
    let halves = vreinterpretq_f16_u16(halves);
    [vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)]
}

#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn floats(floats: &[f32; 8]) -> [float32x4_t; 2] {
    [0, 4].map(|first| {
        // SAFETY: `first` and the three after it are in the array; the load needs no alignment.
        unsafe { vld1q_f32(floats[first..first + 4].as_ptr()) }
    })
}

#[inline]
#[target_feature(enable = "neon")]
pub(super) fn four_floats(floats: &[f32; 4]) -> float32x4_t {
    // SAFETY: the array is 16 readable bytes; the load needs no alignment.
    unsafe { vld1q_f32(floats.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn eight(integers: &[i16; 8]) -> int16x8_t {
    // SAFETY: the array is 16 readable bytes; the load needs no alignment.
    unsafe { vld1q_s16(integers.as_ptr()) }
}

/// Writes the first 16 bytes of `to`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store(to: &mut [u8], v: uint8x16_t) {
    let to: &mut [u8; 16] = to.first_chunk_mut().expect("there is room for a register");
    // SAFETY: the array is 16 writable bytes; the store needs no alignment.
    unsafe { vst1q_u8(to.as_mut_ptr(), v) }
}

#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn store_floats(to: &mut [f32; 8], v: [float32x4_t; 2]) {
    for (to, v) in to.as_chunks_mut::<4>().0.iter_mut().zip(v) {
        // SAFETY: the array is 16 writable bytes; the store needs no alignment.
        unsafe { vst1q_f32(to.as_mut_ptr(), v) }
    }
}

/// `a * b + c`, rounded once.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn fma(a: f32, b: &[f32; 8], c: &[f32; 8]) -> [f32; 8] {
    let ([b0, b1], [c0, c1]) = (floats(b), floats(c));
    let mut sum = [0.0; 8];
    store_floats(&mut sum, [vfmaq_n_f32(c0, b0, a), vfmaq_n_f32(c1, b1, a)]);
    sum
}

/// Writes the first eight of 16 integers and the last.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store_factors(to: &mut [[i16; 2]; 8], factors: [int16x8_t; 2]) {
    for (to, factors) in to.as_flattened_mut().as_chunks_mut::<8>().0.iter_mut().zip(factors) {
        // SAFETY: the array is 16 writable bytes; the store needs no alignment.
        unsafe { vst1q_s16(to.as_mut_ptr(), factors) }
    }
}

/// Asks for the cache line `AHEAD` bytes after `bytes`, which may lie anywhere.
#[inline(always)]
pub(super) fn prefetch<const AHEAD: usize>(bytes: &[u8]) {
    // SAFETY: a hint reads nothing, whatever the address.
    unsafe {
        asm!("prfm pldl1keep, [{}, {}]", in(reg) bytes.as_ptr(), const AHEAD,
            options(nostack, preserves_flags, readonly));
    }
}

/// `v`, computed before anything after it is loaded: loads of much at once would be too much for
/// the registers.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn in_order(v: int32x4_t) -> int32x4_t {
    let mut v = v;
    // SAFETY: there is no instruction.
    unsafe { asm!("/* {0:v} */", inout(vreg) v, options(nostack, preserves_flags)) };
    v
}

/// The first `N` bits of each byte of `high`, then those of `low`. Of the intrinsic for it the
/// compiler makes more instructions.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn shift_in<const N: i32>(high: uint8x16_t, low: uint8x16_t) -> uint8x16_t {
    let mut both = high;
    // SAFETY: an operation on registers, which the CPU has because this function has its feature.
    unsafe {
        asm!(
            "sri {both:v}.16b, {low:v}.16b, {n}",
            both = inout(vreg) both, low = in(vreg) low, n = const N,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    both
}

/// What the compiler knows nothing about, so that it keeps the instructions as they are written.
#[inline]
#[target_feature(enable = "neon")]
pub(crate) fn opaque(v: int32x4_t) -> int32x4_t {
    let mut v = v;
    // SAFETY: there is no instruction.
    unsafe { asm!("/* {0:v} */", inout(vreg) v, options(pure, nomem, nostack, preserves_flags)) };
    v
}

/// `bytes`, their address in a register of its own: one instruction loads two registers up to 1008
/// bytes after an address, no farther.
#[allow(clippy::pointers_in_nomem_asm_block, reason = "the assembler reads nothing")]
#[inline(always)]
pub(super) fn near<const N: usize>(bytes: &[u8; N]) -> &[u8; N] {
    let mut near = bytes.as_ptr();
    // SAFETY: there is no instruction.
    unsafe { asm!("/* {0} */", inout(reg) near, options(pure, nomem, nostack, preserves_flags)) };
    // SAFETY: `near` is the array's own address, for its lifetime.
    unsafe { &*near.cast() }
}
