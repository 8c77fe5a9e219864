//! Files whose header is right and whose weights are not: an answer or an error, never a panic.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod tiny;

use build::Random;
use core::sync::atomic::AtomicBool;
use dram_quant::{Format, f32_to_f16};
use dram_runtime::model::Scaling;
use dram_runtime::{
    Column, Constraints, Error, KvFormat, Limits, Sampler, Sampling, Scratch, Sequence,
    SessionFault,
};
use dram_targets::best;
use std::ops::Range;
use tiny::session::start;
use tiny::{Mix, Shape, Tensor, Tiny};

const MUTATIONS: usize = 20_000;
const TOKENS: usize = 4;

/// What is chosen with where nothing else is asked for.
const DEFAULTS: [Sampling; 3] = [Sampling::GREEDY, Sampling::R1, Sampling::COMMON];

/// The least that has every part of a layer and rows of whole blocks in every format.
const SHAPE: Shape = Shape {
    architecture: "qwen2",
    context_length: 64,
    embedding_length: 256,
    feed_forward_length: 256,
    layers: 1,
    heads: 4,
    kv_heads: 2,
    head_len: 64,
    rope_base: 1e4,
    scaling: Scaling::NONE,
    attn_factor: 1.0,
    eps: 1e-4,
    tied: true,
};

#[test]
fn any_weights_give_an_answer_or_an_error() {
    let answers: usize = std::thread::scope(|scope| {
        let formats = Format::ALL.map(|format| scope.spawn(move || answers(format)));
        formats.into_iter().map(|answers| answers.join().unwrap()).sum()
    });
    // Files that are all refused, or all read as if nothing were, would test nothing.
    assert!((MUTATIONS / 10..MUTATIONS / 10 * 9).contains(&answers), "{answers} files answer");
}

/// How many of a format's damaged files answer; all others are refused.
fn answers(format: Format) -> usize {
    let (model, mut random) = (model(format), Random::new(1 + format as u64));
    let answers = (0..MUTATIONS / Format::COUNT).filter(|number| {
        let mut damaged = model.clone();
        // Some files are damaged in many places.
        for _ in 0..=random.below(3) * random.below(3) {
            damage(&mut damaged, &mut random);
        }
        let kv = [KvFormat::F16, KvFormat::Q8_0][number % 2];
        match speak(&damaged.file(), kv) {
            Ok(()) => true,
            Err(Error::Session(SessionFault::NotANumber)) => false,
            Err(error) => panic!("{} {number}: {error}", format.name()),
        }
    });
    answers.count()
}

/// Has the model of a file speak with every default sampling at once.
fn speak(file: &[u8], kv: KvFormat) -> Result<(), Error> {
    let sequences = DEFAULTS.len();
    let limits = Limits {
        context: 32,
        sequences,
        batch: 8,
        logits: sequences,
        threads: 1,
        kv,
        ..Limits::default()
    };
    start(file, best(), limits, |session| {
        let mut memory = vec![0; Scratch::bytes(SHAPE.vocab())];
        let mut scratch = Scratch::new(SHAPE.vocab(), &mut memory)?;
        let mut replies =
            DEFAULTS.map(|sampling| (session.open().unwrap(), Sampler::new(sampling), 7));
        for _ in 0..TOKENS {
            let column = |(sequence, _, token): &(Sequence, Sampler, u32)| Column {
                sequence: *sequence,
                token: *token,
                wants_logits: true,
            };
            session.forward(&replies.each_ref().map(column), &AtomicBool::new(false))?;
            for (i, (_, sampler, token)) in replies.iter_mut().enumerate() {
                let (kernels, logits) = (session.kernels(), session.logits(i));
                *token = sampler.choose(&mut scratch, kernels, logits, &Constraints::default())?;
                assert!((*token as usize) < SHAPE.vocab() && logits[*token as usize].is_finite());
            }
        }
        Ok(())
    })
}

/// A sound model with all matrices in one format.
fn model(format: Format) -> Tiny {
    let mut model = Tiny::new(SHAPE, Mix::F32);
    let mut random = Random::new(99);
    for tensor in model.tensors.iter_mut().filter(|tensor| tensor.rows.is_some()) {
        let blocks = tensor.bytes.len() / 4 / format.weights();
        tensor.format = format;
        tensor.bytes = (0..blocks).flat_map(|_| block(format, &mut random)).collect();
    }
    model
}

/// A block of small weights: its scales are small, its other numbers any.
fn block(format: Format, random: &mut Random) -> Vec<u8> {
    let mut block: Vec<u8> = (0..format.bytes()).map(|_| random.next() as u8).collect();
    for scale in scales(format) {
        let small = (random.below(64) as f32 - 32.0) / 1e5;
        match format {
            Format::F32 => block.copy_from_slice(&(1e2 * small).to_le_bytes()),
            Format::BF16 => block.copy_from_slice(&(1e2 * small).to_le_bytes()[2..]),
            // An exponent.
            Format::MXFP4 => block[0] = 120,
            _ => block[scale].copy_from_slice(&f32_to_f16(small).to_le_bytes()),
        }
    }
    block
}

/// Where the floats of a block lie, or the exponent that stands for one.
fn scales(format: Format) -> Vec<Range<usize>> {
    let mut start = 0;
    let mut scales = Vec::new();
    for field in format.fields() {
        let size = field.unit * field.count;
        if field.unit == 2 && field.count == 1
            || format.is_float()
            || format == Format::MXFP4 && start == 0
        {
            scales.push(start..start + size);
        }
        start += size;
    }
    scales
}

/// Changes one thing somewhere in the weights.
fn damage(model: &mut Tiny, random: &mut Random) {
    let which = random.below(model.tensors.len());
    let tensor = &mut model.tensors[which];
    match random.below(4) {
        0 => numbers(tensor, random),
        _ => scale(tensor, random),
    }
}

/// Sets some bytes in a row, or all behind a place, to one value or to any.
fn numbers(tensor: &mut Tensor, random: &mut Random) {
    let start = random.below(tensor.bytes.len());
    let most = [1, 16, tensor.bytes.len()][random.below(3)];
    let value = [Some(0x00), Some(0x7f), Some(0x80), Some(0xff), None][random.below(5)];
    for byte in tensor.bytes[start..].iter_mut().take(most) {
        *byte = value.unwrap_or(random.next() as u8);
    }
}

/// Sets one kind of scale of one block, of a row, or of all, to what a float can be at worst.
fn scale(tensor: &mut Tensor, random: &mut Random) {
    let scales = scales(tensor.format);
    let place = scales[random.below(scales.len())].clone();
    let worst =
        [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN, f32::MIN_POSITIVE, 0.0];
    let worst = worst[random.below(worst.len())];
    // The largest half float where the largest float would be an infinity.
    let half = f32_to_f16(if worst.is_finite() { worst.clamp(-65504.0, 65504.0) } else { worst });
    let bytes = match place.len() {
        1 => vec![[0, 1, 254, 255][random.below(4)]],
        4 => worst.to_le_bytes().to_vec(),
        _ if tensor.format == Format::BF16 => worst.to_le_bytes()[2..].to_vec(),
        _ => half.to_le_bytes().to_vec(),
    };
    let block = tensor.format.bytes();
    let row = tensor.len / tensor.format.weights();
    let blocks = tensor.bytes.len() / block;
    let count = [1, row, blocks][random.below(3)].min(blocks);
    let first = random.below(blocks / count) * count;
    for block in tensor.bytes.chunks_exact_mut(block).skip(first).take(count) {
        block[place.clone()].copy_from_slice(&bytes);
    }
}
