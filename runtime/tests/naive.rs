//! The runtime beside a naive transformer, on generated models.

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
        println!("kv {difference:?}");
    }
}

fn agrees(model: &Tiny, mix: Mix) {
    let tokens = model.shape.tokens(POSITIONS);
    let ours = start(&model.file(), dram_targets::best(), limits(POSITIONS, 32), |session| {
        logits(session, &tokens)
    });
    let mut oracle = Oracle::new(model);
    let naive: Vec<Vec<f64>> = tokens.iter().map(|&token| oracle.forward(token)).collect();
    let difference = Difference::of(&ours, &naive);
    println!("{mix:?} {difference:?}");
}

/// How far logits are from others, in units of the others' standard deviation.
#[derive(Debug)]
struct Difference {
    /// The root of the mean square.
    mean: f64,
    largest: f64,
    /// The largest at the position where it is in the middle of all positions.
    median: f64,
}

impl Difference {
    fn of<T: Copy + Into<f64>>(a: &[Vec<f32>], b: &[Vec<T>]) -> Self {
        assert_eq!(a.len(), b.len());
        let largest = |(a, b): (&Vec<f32>, &Vec<T>)| {
            assert_eq!(a.len(), b.len());
            let differences = a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - b.into()).abs());
            differences.fold(0.0, |most: f64, d| if d <= most { most } else { d })
        };
        let mut largest: Vec<f64> = a.iter().zip(b).map(largest).collect();
        largest.sort_by(f64::total_cmp);
        let all = b.iter().flatten().map(|&b| b.into());
        let count = all.clone().count() as f64;
        let deviation = (all.map(|b| b * b).sum::<f64>() / count).sqrt();
        let squares = a.iter().flatten().zip(b.iter().flatten()).map(|(&a, &b)| (f64::from(a) - b.into()).powi(2));
        Self {
            mean: (squares.sum::<f64>() / count).sqrt() / deviation,
            largest: largest[largest.len() - 1] / deviation,
            median: largest[largest.len() / 2] / deviation,
        }
    }
}
