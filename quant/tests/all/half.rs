//! Half precision against its definition, number by number.

use dram_quant::{Format, f16_to_f32, f32_to_f16};

const INFINITY: u16 = 0x7c00;
const SIGN: u16 = 0x8000;

/// The value of a finite number as IEEE 754 defines it, in f64 so that nothing is rounded.
fn value(half: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(half >> 10 & 31), f64::from(half & 0x3ff));
    let magnitude = match exponent {
        0 => mantissa / 1024.0 * 2f64.powi(-14),
        _ => (1.0 + mantissa / 1024.0) * 2f64.powi(exponent - 15),
    };
    if half & SIGN == 0 { magnitude } else { -magnitude }
}

fn next(x: f32) -> f32 {
    f32::from_bits(x.to_bits() + 1)
}

fn previous(x: f32) -> f32 {
    f32::from_bits(x.to_bits() - 1)
}

#[test]
fn every_finite_number_has_its_value_and_survives_both_ways() {
    for half in (0..INFINITY).flat_map(|half| [half, half | SIGN]) {
        let wide = f16_to_f32(half);
        assert_eq!(f64::from(wide).to_bits(), value(half).to_bits(), "{half:#06x}");
        assert_eq!(f32_to_f16(wide), half, "{half:#06x}");
    }
}

/// Between two neighbours everything below the middle is the lower and everything above it the
/// upper; rounding is monotonic, so the floats beside the middle stand for all others.
#[test]
fn rounds_to_the_nearest_and_ties_to_even() {
    for low in 0..INFINITY {
        let high = low + 1;
        let above = if high == INFINITY { 65536.0 } else { value(high) };
        let middle = ((value(low) + above) / 2.0) as f32;
        assert_eq!(f32_to_f16(previous(middle)), low, "below {middle:e}");
        assert_eq!(f32_to_f16(middle), if low % 2 == 0 { low } else { high }, "{middle:e}");
        assert_eq!(f32_to_f16(next(middle)), high, "above {middle:e}");
        assert_eq!(f32_to_f16(-next(middle)), high | SIGN, "below -{middle:e}");
    }
}

#[test]
fn infinities_stay_and_overflow_becomes_them() {
    assert_eq!(f16_to_f32(INFINITY), f32::INFINITY);
    assert_eq!(f16_to_f32(INFINITY | SIGN), f32::NEG_INFINITY);
    for x in [65520.0, 65536.0, 1e10, f32::MAX, f32::INFINITY] {
        assert_eq!(f32_to_f16(x), INFINITY, "{x}");
        assert_eq!(f32_to_f16(-x), INFINITY | SIGN, "{x}");
    }
}

#[test]
fn nans_keep_sign_and_payload_and_become_quiet() {
    for half in (INFINITY + 1..=0x7fff).flat_map(|half| [half, half | SIGN]) {
        let wide = f16_to_f32(half);
        let kept = u32::from(half & SIGN) << 16 | u32::from(half & 0x3ff) << 13;
        assert_eq!(wide.to_bits(), 0x7fc0_0000 | kept, "{half:#06x}");
        assert_eq!(f32_to_f16(wide), half | 0x200, "{half:#06x}");
    }
    assert_eq!(f32_to_f16(f32::from_bits(0x7f80_0001)), 0x7e00, "payload in the lost bits only");
}

#[test]
fn every_bf16_is_the_upper_half_of_a_float_and_survives_both_ways() {
    for half in 0..=u16::MAX {
        let (mut wide, mut back) = ([0.0], [0; 2]);
        Format::BF16.decode(&half.to_le_bytes(), &mut wide);
        assert_eq!(wide[0].to_bits(), u32::from(half) << 16, "{half:#06x}");
        Format::BF16.encode(&wide, &mut back);
        let quiet = if wide[0].is_nan() { 0x40 } else { 0 };
        assert_eq!(u16::from_le_bytes(back), half | quiet, "{half:#06x}");
    }
}
