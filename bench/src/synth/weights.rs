//! Random weights, written as blocks of their format directly.

use super::shape::{Shape, Tensor};
use crate::random::Random;
use dram_quant::{Format, f32_to_f16};

/// The standard deviation of the weights of matrices: that of trained models, about, so that
/// activations stay moderate.
const DEVIATION: f32 = 0.03;

/// Bytes of a tensor that have a seed of their own, at most.
const PIECE: usize = 1 << 20;

/// A stretch of a tensor.
#[derive(Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub tensor: &'a Tensor,
    /// Where in the tensor's data it starts.
    pub start: usize,
    pub bytes: usize,
}

/// A tensor in pieces of whole blocks.
pub(crate) fn pieces(tensor: &Tensor) -> impl Iterator<Item = Piece<'_>> {
    let (all, block) = (tensor.bytes(), tensor.format.bytes());
    let most = PIECE / block * block;
    let starts = (0..all).step_by(most);
    starts.map(move |start| Piece { tensor, start, bytes: most.min(all - start) })
}

/// Writes the weights of a piece, always the same for a tensor's name.
pub(crate) fn fill(shape: &Shape, piece: Piece<'_>, out: &mut [u8]) {
    let Tensor { name, format, .. } = piece.tensor;
    let mut random = Random::new(name, piece.start);
    if *format != Format::F32 {
        return blocks(*format, &mut random, out);
    }
    let values: Vec<f32> = match name.as_str() {
        "rope_freqs.weight" => shape.rope_factors(),
        _ => {
            let mean = if name.ends_with("norm.weight") { 1.0 } else { 0.0 };
            (0..out.len() / 4).map(|_| mean + 0.1 * random.symmetric()).collect()
        }
    };
    let values = values.iter().flat_map(|value| value.to_le_bytes());
    out.iter_mut().zip(values).for_each(|(out, byte)| *out = byte);
}

/// Blocks of random bytes whose half floats give weights of mean 0 and [`DEVIATION`].
fn blocks(format: Format, random: &mut Random, out: &mut [u8]) {
    random.fill(out);
    let (deviation, minimum) = integers(format);
    let scales = scales(DEVIATION / deviation, minimum.is_none());
    let minima = scales.map(|d| d * minimum.unwrap_or(0.0));
    let [scales, minima] = [scales, minima].map(|d| d.map(|d| f32_to_f16(d).to_le_bytes()));
    let mut start = 0;
    let halves = format.fields().iter().filter_map(|field| {
        let at = start;
        start += field.unit * field.count;
        (field.unit == 2).then_some(at)
    });
    let halves: Vec<usize> = halves.collect();
    for block in out.chunks_exact_mut(format.bytes()) {
        let choice = usize::from(block[halves[0]]) % scales.len();
        for (&at, scales) in halves.iter().zip([&scales, &minima]) {
            block[at..at + 2].copy_from_slice(&scales[choice]);
        }
    }
}

/// Of a format: the deviation of weights whose bytes are random where the scale is 1, and the
/// scale of the minima that takes their mean to 0, if it has minima.
const fn integers(format: Format) -> (f32, Option<f32>) {
    match format {
        Format::Q4_0 => (4.64, None),
        Format::Q8_0 => (73.9, None),
        Format::IQ4_NL => (67.4, None),
        Format::Q6_K => (18.5 * 73.9, None),
        Format::Q4_K => (258.0, Some(7.5)),
        Format::Q5_K => (527.0, Some(15.5)),
        _ => panic!("no mix has this format"),
    }
}

/// Scales within a quarter of `d`. Both signs where the integers have a small mean of their own,
/// which would add up over a row.
fn scales(d: f32, signed: bool) -> [f32; 16] {
    std::array::from_fn(|i| {
        let sign = if signed && i % 2 == 1 { -1.0 } else { 1.0 };
        sign * d * (0.75 + 0.5 * (i / 2) as f32 / 7.0)
    })
}

#[cfg(test)]
mod tests {
    use super::{DEVIATION, Random, blocks};
    use dram_quant::Format;

    #[test]
    fn weights_have_the_deviation_and_no_mean() {
        use Format::{IQ4_NL, Q4_0, Q4_K, Q5_K, Q6_K, Q8_0};
        for format in [Q4_0, Q8_0, IQ4_NL, Q4_K, Q5_K, Q6_K] {
            let mut weights = vec![0.0; 1 << 20];
            let mut bytes = vec![0; format.row_bytes(weights.len()).unwrap()];
            blocks(format, &mut Random::new("blk.0.ffn_up.weight", 0), &mut bytes);
            format.decode(&bytes, &mut weights);
            let moment = |power| {
                let sum: f64 = weights.iter().map(|&w| f64::from(w).powi(power)).sum();
                sum / weights.len() as f64
            };
            let deviation = moment(2).sqrt() as f32 / DEVIATION;
            assert!((0.97..1.06).contains(&deviation), "{format:?} {deviation}");
            assert!(moment(1).abs() < 0.01 * f64::from(DEVIATION), "{format:?}");
        }
    }
}
