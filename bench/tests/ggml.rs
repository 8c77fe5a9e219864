//! Logits beside llama.cpp's on generated models.
//!
//! llama.cpp keeps keys and values in F32 here and computes attention without its fused kernel,
//! whose half-float sums are coarser than what is compared; ours are half floats as always.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../runtime/tests/build/mod.rs"]
mod build;
#[path = "../../runtime/tests/tiny/mod.rs"]
mod tiny;

use llama_cpp_2::context::params::{KvCacheType, LlamaContextParams};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use std::num::NonZeroU32;
use std::path::Path;
use tiny::session::{limits, logits, start};
use tiny::{MIXES, Mix, Tiny};

const POSITIONS: usize = 300;

/// How far logits may be from llama.cpp's in the root of the mean square, in units of the logits'
/// own deviation.
///
/// Of F32 weights only our half-float keys and values make a difference. Integer weights meet
/// activations of 8 bits on both sides, but scaled otherwise: llama.cpp rounds the scale to a half
/// float and, for K-quants, has one for 256 numbers instead of 32. Either is then about as far
/// from the exact result as from the other. A wrong part of a model is as far as the logits are
/// large.
const fn tolerance(mix: Mix) -> f64 {
    match mix {
        Mix::F32 => 0.002,
        Mix::Q8_0 | Mix::Q4_0 => 0.05,
        Mix::Q4_K_M => 0.1,
    }
}

#[test]
fn logits_are_those_of_llama_cpp() {
    let mut backend = LlamaBackend::init().unwrap();
    backend.void_logs();
    for mix in MIXES {
        for model in tiny::all(mix) {
            compare(&backend, &model, mix);
        }
    }
}

fn compare(backend: &LlamaBackend, model: &Tiny, mix: Mix) {
    let (tokens, file) = (model.shape.tokens(POSITIONS), model.file());
    let path = std::env::temp_dir().join(format!("dram-ggml-{}.gguf", std::process::id()));
    std::fs::write(&path, &file).unwrap();
    let theirs = theirs(backend, &path, &tokens);
    std::fs::remove_file(&path).unwrap();
    let best = dram_targets::best();
    let ours = start(&file, best, limits(POSITIONS, 32), |session| logits(session, &tokens));
    let ours = ours.concat();
    assert_eq!(ours.len(), theirs.len());
    let differences = ours.iter().zip(&theirs).map(|(a, b)| a - b);
    let difference = root_mean_square(differences) / root_mean_square(theirs.iter().copied());
    println!("{} {mix:?}: {difference:.2e}", model.shape.architecture);
    assert!(difference < tolerance(mix), "{} {mix:?}: {difference}", model.shape.architecture);
}

fn root_mean_square(numbers: impl ExactSizeIterator<Item = f32>) -> f64 {
    let count = numbers.len() as f64;
    (numbers.map(|x| f64::from(x).powi(2)).sum::<f64>() / count).sqrt()
}

/// llama.cpp's logits at every position, one after the other.
fn theirs(backend: &LlamaBackend, path: &Path, tokens: &[u32]) -> Vec<f32> {
    let model = LlamaModel::load_from_file(backend, path, &LlamaModelParams::default()).unwrap();
    let parameters = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(512))
        .with_n_batch(tokens.len() as u32)
        .with_n_threads(1)
        .with_n_threads_batch(1)
        .with_flash_attention_policy(llama_cpp_sys_2::LLAMA_FLASH_ATTN_TYPE_DISABLED)
        .with_type_k(KvCacheType::F32)
        .with_type_v(KvCacheType::F32);
    let mut context = model.new_context(backend, parameters).unwrap();
    let mut batch = LlamaBatch::new(tokens.len(), 1);
    for (position, token) in tokens.iter().enumerate() {
        batch.add(LlamaToken(*token as i32), position as i32, &[0], true).unwrap();
    }
    context.decode(&mut batch).unwrap();
    (0..tokens.len()).flat_map(|i| context.get_logits_ith(i as i32).to_vec()).collect()
}
