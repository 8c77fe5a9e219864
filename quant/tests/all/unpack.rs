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

/// The largest product of a unit with activations in -127..=127 converts to f32 exactly.
#[test]
fn products_stay_below_two_to_the_24() {
    for format in integers() {
        let (mut q, mut s) = (0, 0);
        each_unit(format, |unit| {
            q = unit.q.map(i8::unsigned_abs).into_iter().fold(q, u8::max);
            s = unit.s.map(i8::unsigned_abs).into_iter().fold(s, u8::max);
        });
        assert!(32 * 127 * u32::from(q) * u32::from(s) < 1 << 24, "{}: {q} {s}", format.name());
    }
}

#[test]
fn scales_and_minima_are_one_and_zero_where_a_format_has_none() {
    for format in integers() {
        let two = matches!(format, Format::Q2_K | Format::Q3_K | Format::Q6_K);
        each_unit(format, |unit| {
            assert!(two || unit.s == [1; 2], "{}", format.name());
            assert!(format == Format::Q2_K || unit.n == [1; 2], "{}", format.name());
            assert!(format.has_min() || unit.m.to_bits() == 0, "{}", format.name());
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
