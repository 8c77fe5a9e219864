//! The runtime beside a naive transformer, on generated models.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod oracle;
mod tiny;

use dram_quant::{Matrix, f16_to_f32, f32_to_f16};
use dram_runtime::model::{Padding, Scaling};
use dram_runtime::{Gguf, KvFormat, Limits};
use oracle::{Oracle, Rounding};
use tiny::session::{limits, logits, start};
use tiny::{MIXES, Mix, Shape, Tensor, Tiny};

const POSITIONS: usize = 300;

/// What is promised of numbers: keys and values are kept as half floats, and a matrix of integers is
/// multiplied with activations rounded to 8 bits in blocks as long as its own.
struct Promised;

impl Rounding for Promised {
    fn multiply(&self, w: &Matrix<'_>, x: &[f64]) -> Vec<f64> {
        let x = if w.format().is_float() { x.to_vec() } else { rounded(x, w.format().weights()) };
        let (mut row, mut y) = (vec![0.0; w.len()], vec![0.0; x.len() / w.len() * w.rows()]);
        for r in 0..w.rows() {
            w.decode_row(r, &mut row);
            for (x, y) in x.chunks_exact(w.len()).zip(y.chunks_exact_mut(w.rows())) {
                y[r] = row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum();
            }
        }
        y
    }

    fn keep(&self, kv: Vec<f64>) -> Vec<f64> {
        kv.into_iter().map(|x| f16_to_f32(f32_to_f16(x as f32)).into()).collect()
    }
}

/// Activations as 8-bit integers times a scale for each block.
fn rounded(x: &[f64], block: usize) -> Vec<f64> {
    let mut y = Vec::with_capacity(x.len());
    for block in x.chunks(block) {
        let largest = block.iter().fold(0.0_f64, |largest, x| largest.max(x.abs())) as f32;
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let integer = |x: f64| (x as f32 * inverse).round_ties_even();
        y.extend(block.iter().map(|&x| f64::from(integer(x)) * f64::from(largest / 127.0)));
    }
    y
}

#[test]
fn qwen2() {
    MIXES.iter().for_each(|mix| agrees(&tiny::qwen2(*mix), *mix));
}

#[test]
fn llama() {
    MIXES.iter().for_each(|mix| agrees(&tiny::llama(*mix), *mix));
}

#[test]
fn qwen3() {
    MIXES.iter().for_each(|mix| agrees(&tiny::qwen3(*mix), *mix));
}

#[test]
fn every_bias_is_added() {
    for mix in [Mix::F32, Mix::Q4_0] {
        tiny::all(mix).into_iter().for_each(|model| agrees(&model.with_all_biases(), mix));
    }
}

#[test]
fn a_model_without_its_usual_biases_runs() {
    let mut model = tiny::qwen2(Mix::F32);
    model.tensors.retain(|tensor| !tensor.name.ends_with(".bias"));
    agrees(&model, Mix::F32);
}

#[test]
fn rope_is_scaled_as_the_file_says() {
    let yarn = Scaling::Yarn { factor: 8.0, original_context_length: 64 };
    for scaling in [Scaling::Linear(4.0), yarn] {
        for model in tiny::all(Mix::F32) {
            let shape = Shape { scaling, attn_factor: 1.1, ..model.shape };
            agrees(&Tiny::new(shape, Mix::F32), Mix::F32);
        }
    }
}

/// A factor is linear where no type is told, also by the key of old.
#[test]
fn a_factor_needs_no_type() {
    let model = tiny::llama(Mix::F32);
    let tokens = model.shape.tokens(POSITIONS);
    let typed = Shape { scaling: Scaling::Linear(4.0), ..model.shape.clone() };
    let logits_of = |file: &[u8]| {
        let limits = limits(POSITIONS, POSITIONS);
        start(file, dram_targets::best(), limits, |session| logits(session, &tokens))
    };
    let expected = logits_of(&Tiny::new(typed, Mix::F32).file());
    assert_ne!(expected, logits_of(&model.file()));
    for name in ["llama.rope.scaling.factor", "llama.rope.scale_linear"] {
        let file = model.build().key(name, build::F32, 4_f32.to_le_bytes()).bytes();
        assert!(logits_of(&file) == expected, "{name}");
    }
}

/// LongRoPE has factors for sequences within the original context, and others beyond it.
#[test]
fn factors_are_those_of_the_context() {
    let mut model = tiny::llama(Mix::F32);
    let mut long = model.tensor("rope_freqs.weight").clone();
    long.bytes.rotate_left(4);
    model.tensors.push(Tensor { name: "rope_factors_long.weight".into(), ..long.clone() });
    model.tensor("rope_freqs.weight").name = "rope_factors_short.weight".into();
    let file = model.build().text("llama.rope.scaling.type", "longrope");
    let file = file.u32("llama.rope.scaling.original_context_length", 100).bytes();
    let of = |file: &[u8], context| {
        let tokens = model.shape.tokens(50);
        start(file, dram_targets::best(), limits(context, 50), |session| logits(session, &tokens))
    };
    let mut plain = tiny::llama(Mix::F32);
    assert!(of(&file, 100) == of(&plain.file(), 100), "short factors");
    plain.tensor("rope_freqs.weight").bytes = long.bytes;
    assert!(of(&file, 101) == of(&plain.file(), 101), "long factors");
}

/// Lengths that are no multiples of what kernels take, each alone and all together.
#[test]
fn lengths_of_any_size() {
    let mix = Mix::F32;
    let shapes = tiny::all(mix).map(|model| Shape { eps: 1e-6, ..model.shape });
    for shape in shapes {
        let odd = [
            Shape { embedding_length: 250, ..shape.clone() },
            Shape { feed_forward_length: 173, ..shape.clone() },
            Shape { head_len: 36, ..shape.clone() },
            Shape { head_len: 22, heads: 6, kv_heads: 3, ..shape.clone() },
            Shape { embedding_length: 66, feed_forward_length: 77, head_len: 10, ..shape },
        ];
        for shape in odd {
            let model = Tiny::new(shape, mix);
            let tokens = model.shape.tokens(POSITIONS);
            let [long, short] = [POSITIONS, 3].map(|length| compare(&model, &tokens, length));
            assert!(long.mean < 1e-3 && short.median < 1e-5, "{long:?}, at first {short:?}");
        }
    }
}

#[test]
fn what_is_padded_must_have_the_lengths_that_the_file_says() {
    let regular = tiny::llama(Mix::Q4_0).file();
    assert!(Padding::of(&Gguf::parse(&regular).unwrap()).unwrap().is_none());
    let shape = Shape { feed_forward_length: 173, ..tiny::llama(Mix::F32).shape };
    let mut model = Tiny::new(shape, Mix::F32);
    let down = model.tensor("blk.1.ffn_down.weight");
    (down.len, down.rows) = (down.rows.unwrap(), Some(down.len));
    let file = model.file();
    let error = Padding::of(&Gguf::parse(&file).unwrap()).err().unwrap().to_string();
    assert!(error.contains("blk.1.ffn_down.weight"), "{error}");
}

#[test]
fn keys_and_values_in_8_bits() {
    for model in tiny::all(Mix::F32) {
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
    let file = model.file();
    let gguf = Gguf::parse(&file).unwrap();
    let image = Padding::of(&gguf).unwrap().map(|padding| padding.image().unwrap());
    let regular = image.as_deref().unwrap_or(&file);
    let ours = start(regular, dram_targets::best(), limits(length, 32), |session| {
        tokens.chunks(length).flat_map(|tokens| logits(session, tokens)).collect::<Vec<_>>()
    });
    let oracle = Oracle::new(&gguf, Promised).unwrap();
    let naive = tokens.chunks(length).flat_map(|tokens| {
        let logits = oracle.logits(tokens, 0).unwrap();
        logits.chunks_exact(model.shape.vocab()).map(<[f64]>::to_vec).collect::<Vec<_>>()
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
