//! What kernels may rely on in every unpacked unit.

use crate::noise::{bits, rows};
use dram_quant::{Format, Unpacked};

fn integers() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|format| !format.is_float())
}

/// Every unit of random rows, and of rows that are all one byte.
fn each_unit(format: Format, mut check: impl FnMut(&Unpacked)) {
    let mut bytes = rows(format, 64, format.weights());
    for byte in [0x00, 0x7f, 0x80, 0xff] {
        bytes.extend(std::iter::repeat_n(byte, format.bytes()));
    }
    let mut unit = Unpacked::ZERO;
    for i in 0..bytes.len() / format.bytes() * format.weights() / 32 {
        format.unpack(&bytes, i, &mut unit);
        check(&unit);
    }
}

/// The integers that each format can hold.
#[test]
fn integers_span_their_range() {
    let ranges = [
        (Format::Q4_0, -8..=7),
        (Format::Q4_1, 0..=15),
        (Format::Q5_0, -16..=15),
        (Format::Q5_1, 0..=31),
        (Format::Q8_0, -128..=127),
        (Format::Q2_K, 0..=3),
        (Format::Q3_K, -4..=3),
        (Format::Q4_K, 0..=15),
        (Format::Q5_K, 0..=31),
        (Format::Q6_K, -32..=31),
        (Format::IQ4_NL, -127..=113),
        (Format::IQ4_XS, -127..=113),
        (Format::MXFP4, -12..=12),
    ];
    assert_eq!(ranges.len(), integers().count());
    for (format, range) in ranges {
        let (mut least, mut greatest) = (i8::MAX, i8::MIN);
        each_unit(format, |unit| {
            least = unit.q.into_iter().fold(least, i8::min);
            greatest = unit.q.into_iter().fold(greatest, i8::max);
        });
        assert_eq!(least..=greatest, range, "{}", format.name());
    }
}

/// The largest product of a block with activations in -127..=127 is an i32, and converts to f32
/// exactly where a block is one unit; that with a minimum always does.
#[test]
fn products_of_blocks_stay_in_their_range() {
    for format in integers() {
        let (mut q, mut s, mut n) = (0, 0, 0);
        let largest = |x: &[i8], so_far| x.iter().map(|x| x.unsigned_abs()).fold(so_far, u8::max);
        each_unit(format, |unit| {
            (q, s, n) = (largest(&unit.q, q), largest(&unit.s, s), largest(&unit.n, n));
        });
        let sum = format.weights() as u64 * 127;
        let product = sum * u64::from(q) * u64::from(s);
        let limit = if format.weights() == 32 { 1 << 24 } else { 1 << 31 };
        assert!(product < limit, "{}: {q} {s}", format.name());
        assert!(sum * u64::from(n) < 1 << 24, "{}: {n}", format.name());
    }
}

#[test]
fn factors_and_minima_are_one_and_zero_where_a_format_has_none() {
    for format in integers() {
        let blocks = format.weights() > 32;
        each_unit(format, |unit| {
            assert!(blocks || unit.s == [1; 2], "{}", format.name());
            assert!(blocks && format.has_min() || unit.n == [1; 2], "{}", format.name());
            assert!(format.has_min() || unit.m.to_bits() == 0, "{}", format.name());
        });
    }
}

/// Both halves of a unit have one scale where a format has one for every 32.
#[test]
fn halves_differ_only_where_scales_are_for_sixteen() {
    for format in integers() {
        let sixteens = matches!(format, Format::Q2_K | Format::Q3_K | Format::Q6_K);
        each_unit(format, |unit| {
            assert!(sixteens || unit.s[0] == unit.s[1], "{}", format.name());
            assert!(format == Format::Q2_K || unit.n[0] == unit.n[1], "{}", format.name());
        });
    }
}

#[test]
fn nothing_of_an_earlier_unit_remains() {
    let dirty = Unpacked { q: [99; 32], d: 9.0, s: [7; 2], m: 5.0, n: [3; 2] };
    for format in integers() {
        let block = rows(format, 1, format.weights());
        for i in 0..format.weights() / 32 {
            let (mut a, mut b) = (Unpacked::ZERO, dirty);
            format.unpack(&block, i, &mut a);
            format.unpack(&block, i, &mut b);
            assert_eq!((a.q, a.s, a.n), (b.q, b.s, b.n), "{}", format.name());
            assert_eq!(bits(&[a.d, a.m]), bits(&[b.d, b.m]), "{}", format.name());
        }
    }
}

#[test]
#[should_panic(expected = "only integer formats are unpacked")]
fn floats_have_no_integers() {
    Format::F16.unpack(&[0; 64], 0, &mut { Unpacked::ZERO });
}
