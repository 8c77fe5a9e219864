//! Random weights, written as blocks of each format directly.

use crate::build::Random;
use dram_quant::{Format, f32_to_f16};

/// `count` weights around zero with about the given standard deviation; the same for a name.
pub(crate) fn random(name: &str, format: Format, count: usize, deviation: f32) -> Vec<u8> {
    let mut random = Random::named(name);
    if format == Format::F32 {
        return floats(&mut random, count, 0.0, deviation);
    }
    let mut bytes = vec![0; count / format.weights() * format.bytes()];
    for block in bytes.chunks_exact_mut(format.bytes()) {
        block.fill_with(|| (random.next() >> 32) as u8);
        let d = deviation * (1.0 + 0.25 * normal(&mut random).clamp(-2.0, 2.0));
        put_scales(format, block, d);
    }
    bytes
}

/// `count` F32 weights.
pub(crate) fn random_floats(name: &str, count: usize, mean: f32, deviation: f32) -> Vec<u8> {
    floats(&mut Random::named(name), count, mean, deviation)
}

fn floats(random: &mut Random, count: usize, mean: f32, deviation: f32) -> Vec<u8> {
    (0..count).flat_map(|_| (mean + deviation * normal(random)).to_le_bytes()).collect()
}

/// Turns a block of random bytes into weights of standard deviation `d`; the divisors are that of
/// the format's integers.
fn put_scales(format: Format, block: &mut [u8], d: f32) {
    let half = |d: f32| f32_to_f16(d).to_le_bytes();
    match format {
        Format::Q8_0 => block[..2].copy_from_slice(&half(d / 74.0)),
        Format::Q4_0 => {
            block[..2].copy_from_slice(&half(d / 4.3));
            // Without -8 the mean is zero.
            block[2..].iter_mut().for_each(|byte| *byte = without_zero(*byte));
        }
        Format::Q4_K => {
            // Sub-scales average 32, and the minimum takes off what nibbles average.
            block[..2].copy_from_slice(&half(d / 4.6 / 32.0));
            block[2..4].copy_from_slice(&half(d / 4.6 / 32.0 * 7.5));
            // Equal low bits in scales and minima keep each unit near a mean of zero.
            block.copy_within(4..8, 8);
            for byte in &mut block[12..16] {
                *byte = (*byte & 15) * 17;
            }
        }
        Format::Q6_K => {
            block[208..210].copy_from_slice(&half(d / 18.5 / 74.0));
        }
        _ => panic!("no random blocks of {}", format.name()),
    }
}

/// Two nibbles, each 8 if it was 0.
fn without_zero(byte: u8) -> u8 {
    let nibble = |nibble: u8| if nibble == 0 { 8 } else { nibble };
    nibble(byte & 15) | nibble(byte >> 4) << 4
}

/// Nearly normal: the sum of twelve uniform numbers has a deviation of one.
fn normal(random: &mut Random) -> f32 {
    (0..12).map(|_| (random.next() >> 40) as f32 / (1 << 24) as f32).sum::<f32>() - 6.0
}
