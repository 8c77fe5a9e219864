//! The runtime beside a naive transformer, on generated models.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod oracle;
mod tiny;

use dram_runtime::{KvFormat, Limits};
use oracle::Oracle;
use tiny::session::{limits, logits, start};
use tiny::{MIXES, Mix, Tiny};

const POSITIONS: usize = 300;

#[test]
fn qwen2() {
    MIXES.iter().for_each(|mix| agrees(&tiny::qwen2(*mix), *mix));
}

#[test]
fn llama() {
    MIXES.iter().for_each(|mix| agrees(&tiny::llama(*mix), *mix));
}

#[test]
fn keys_and_values_in_8_bits() {
    for model in [tiny::qwen2(Mix::F32), tiny::llama(Mix::F32)] {
        let tokens = model.shape.tokens(POSITIONS);
        let half = limits(POSITIONS, POSITIONS);
        let small = Limits { kv: KvFormat::Q8_0, ..half };
        let [half, small] = [half, small].map(|limits| {
            start(&model.file(), dram_targets::best(), limits, |session| logits(session, &tokens))
        });
        let difference = Difference::of(&small, &half);
        // 8 bits round 16 times as coarsely as the 11 of a half float.
        assert!(difference.mean > 1e-3, "8 bits must differ from 16: {difference:?}");
        assert!(difference.mean < 0.03, "{} {difference:?}", model.shape.architecture);
    }
}

/// Floats differ by the last bits of half-float keys and values, which round the other way now
/// and then. So do 8-bit activations, and there one step is a hundredth of the whole: what a
/// rounding changes makes later ones fall the other way too, until after some positions all logits
/// differ by about what 8 bits are worth. So those are compared closely where a sequence begins,
/// most of whose positions no such rounding has reached.
fn agrees(model: &Tiny, mix: Mix) {
    let tokens = model.shape.tokens(POSITIONS);
    let long = compare(model, &tokens, POSITIONS);
    let (mean, largest) = if matches!(mix, Mix::F32) { (1e-4, 1e-3) } else { (0.03, 0.25) };
    assert!(long.mean < mean && long.largest < largest, "{mix:?} {long:?}");
    let short = compare(model, &tokens, 3);
    assert!(short.median < 1e-5, "{mix:?} where sequences begin: {short:?}");
}

/// Cuts `tokens` to sequences of a length and compares the logits at every position.
fn compare(model: &Tiny, tokens: &[u32], length: usize) -> Difference {
    let ours = start(&model.file(), dram_targets::best(), limits(length, 32), |session| {
        tokens.chunks(length).flat_map(|tokens| logits(session, tokens)).collect::<Vec<_>>()
    });
    let naive = tokens.chunks(length).flat_map(|tokens| {
        let mut oracle = Oracle::new(model);
        tokens.iter().map(|&token| oracle.forward(token)).collect::<Vec<_>>()
    });
    Difference::of(&ours, &naive.collect::<Vec<_>>())
}

/// How far logits are from others, in units of the others' standard deviation.
#[derive(Debug)]
struct Difference {
    /// The root of the mean square.
    mean: f64,
    largest: f64,
    /// The largest at a position, in the middle of all positions.
    median: f64,
}

impl Difference {
    fn of<T: Copy + Into<f64>>(a: &[Vec<f32>], b: &[Vec<T>]) -> Self {
        assert_eq!(a.len(), b.len());
        let deviation = root_mean_square(b.iter().flatten().map(|&b| b.into()));
        let differences = a.iter().zip(b).map(|(a, b)| {
            assert_eq!(a.len(), b.len());
            let differences = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - b.into()) / deviation);
            differences.collect::<Vec<_>>()
        });
        let differences: Vec<Vec<f64>> = differences.collect();
        let largest = |differences: &Vec<f64>| differences.iter().map(|d| d.abs()).reduce(f64::max);
        let mut largest: Vec<f64> = differences.iter().filter_map(largest).collect();
        largest.sort_by(f64::total_cmp);
        Self {
            mean: root_mean_square(differences.into_iter().flatten()),
            largest: largest[largest.len() - 1],
            median: largest[largest.len() / 2],
        }
    }
}

fn root_mean_square(numbers: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = numbers.fold((0.0, 0.0), |(sum, count), x| (sum + x * x, count + 1.0));
    (sum / count).sqrt()
}
