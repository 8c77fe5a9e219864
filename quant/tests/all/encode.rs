//! How near encoded weights are to the originals.

use crate::noise::{self, bits};
use dram_quant::Format;

/// 64 blocks of weights in -1..1, each block scaled by a power of two of its own.
fn weights() -> Vec<f32> {
    let noise = noise::bytes(2 * 64 * 32, 1);
    let fraction = |pair: &[u8]| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32768.0;
    let scale = |i: usize| 2f32.powi((i / 32 % 12) as i32 - 6);
    noise.chunks_exact(2).enumerate().map(|(i, pair)| fraction(pair) * scale(i)).collect()
}

fn round_trip(format: Format, weights: &[f32]) -> Vec<f32> {
    let mut row = vec![0; format.row_bytes(weights.len()).unwrap()];
    let mut decoded = vec![f32::NAN; weights.len()];
    format.encode(weights, &mut row);
    format.decode(&row, &mut decoded);
    decoded
}

/// Checks every error against `bound(least weight, greatest weight)` of its block.
fn within(format: Format, bound: impl Fn(f32, f32) -> f32) {
    let weights = weights();
    let decoded = round_trip(format, &weights);
    for (x, y) in weights.chunks_exact(32).zip(decoded.chunks_exact(32)) {
        let least = x.iter().copied().fold(f32::MAX, f32::min);
        let greatest = x.iter().copied().fold(f32::MIN, f32::max);
        let error = x.iter().zip(y).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        let bound = bound(least, greatest);
        assert!(error <= bound, "{}: {error} > {bound}", format.name());
    }
}

/// What rounding a scale to half precision can move the largest weight by, relative to it.
const HALF: f32 = 1.0 / 2048.0;

#[test]
fn integers_are_within_half_a_step() {
    within(Format::Q8_0, |a, b| b.max(-a) * (0.5 / 127.0 + HALF));
    within(Format::Q4_1, |a, b| (b - a) * (0.5 / 15.0 + HALF) + a.abs() * HALF);
}

/// Eight steps down but only seven up: the largest of the other sign may lose a whole step.
#[test]
fn q4_0_is_within_a_step() {
    within(Format::Q4_0, |a, b| b.max(-a) * (1.0 / 8.0 + HALF));
}

#[test]
fn floats_keep_their_mantissa() {
    let weights = weights();
    assert_eq!(bits(&round_trip(Format::F32, &weights)), bits(&weights));
    for (format, relative) in [(Format::F16, 1.0 / 2048.0), (Format::BF16, 1.0 / 256.0)] {
        for (x, y) in weights.iter().zip(round_trip(format, &weights)) {
            assert!((x - y).abs() <= x.abs() * relative, "{}: {x} {y}", format.name());
        }
    }
}

#[test]
fn bf16_rounds_ties_to_even() {
    let cases = [
        (0x3f80_8000, 0x3f80_0000),
        (0x3f81_8000, 0x3f82_0000),
        (0x3f80_8001, 0x3f81_0000),
        (0x3f80_7fff, 0x3f80_0000),
        (0xbf81_8000, 0xbf82_0000),
        (0x7f7f_8000, 0x7f80_0000),
        (0xff80_0000, 0xff80_0000),
        (0x7f80_0001, 0x7fc0_0000),
    ];
    for (from, to) in cases {
        let decoded = round_trip(Format::BF16, &[f32::from_bits(from)]);
        assert_eq!(bits(&decoded), [to], "{from:#x}");
    }
}

#[test]
#[should_panic(expected = "only some formats are encoded")]
fn some_formats_are_only_read() {
    Format::Q6_K.encode(&[0.0; 256], &mut [0; 210]);
}
