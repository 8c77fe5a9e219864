//! What models and sessions refuse, and the words they say it with.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod tiny;

use core::sync::atomic::AtomicBool;
use dram_quant::Format;
use dram_runtime::{Column, Gguf, KvFormat, Limits, Plan, Session};
use tiny::session::{limits, start};
use tiny::{Mix, Tiny};

/// The message a model's file is refused with.
fn refusal(model: &Tiny) -> String {
    let file = model.file();
    let gguf = Gguf::parse(&file).unwrap();
    let mut slots = vec![None; model.shape.layers];
    Plan::new(&gguf, &mut slots).unwrap_err().to_string()
}

fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

#[test]
fn every_missing_tensor_is_named() {
    for model in tiny::all(Mix::F32) {
        for tensor in &model.tensors {
            // Without these a model is whole: a tied head, plain rotary frequencies.
            if ["output.weight", "rope_freqs.weight"].contains(&&*tensor.name) {
                continue;
            }
            let mut model = model.clone();
            model.tensors.retain(|other| other.name != tensor.name);
            assert_says(&refusal(&model), &[&tensor.name, "missing"]);
        }
    }
}

#[test]
fn every_misshapen_tensor_is_named() {
    for model in tiny::all(Mix::F32) {
        for i in 0..model.tensors.len() {
            let mut model = model.clone();
            let tensor = &mut model.tensors[i];
            tensor.len += 32;
            tensor.bytes.resize(tensor.rows.unwrap_or(1) * tensor.len * 4, 0);
            let (name, found) = (tensor.name.clone(), tensor.len.to_string());
            assert_says(&refusal(&model), &[&name, &found]);
        }
    }
}

/// A file that is like a model of another architecture, with a tensor that would be left out.
#[test]
fn a_tensor_that_the_architecture_has_not_is_named() {
    let bias = tiny::qwen2(Mix::F32).tensor("blk.1.attn_k.bias").clone();
    let norm = tiny::qwen3(Mix::F32).tensor("blk.1.attn_q_norm.weight").clone();
    for (mut model, foreign) in [
        (tiny::qwen3(Mix::F32), bias),
        (tiny::llama(Mix::F32), norm.clone()),
        (tiny::qwen2(Mix::F32), norm),
    ] {
        model.tensors.push(foreign.clone());
        assert_says(
            &refusal(&model),
            &[&foreign.name, "is no part of a", model.shape.architecture],
        );
    }
}

#[test]
fn an_architecture_that_is_not_supported() {
    let mut model = tiny::qwen2(Mix::F32);
    model.shape.architecture = "mamba";
    assert_says(&refusal(&model), &["\"mamba\"", "llama, qwen2 and qwen3 models are"]);
}

#[test]
fn a_norm_in_another_format_is_named() {
    let mut model = tiny::llama(Mix::Q8_0);
    let norm = model.tensor("blk.1.ffn_norm.weight");
    norm.format = Format::F16;
    norm.bytes.truncate(norm.len * 2);
    assert_says(&refusal(&model), &["blk.1.ffn_norm.weight", "F16", "F32"]);
}

#[test]
fn a_full_context_refuses_and_stays_as_it_was() {
    let model = tiny::qwen2(Mix::Q8_0);
    let tokens = model.shape.tokens(40);
    start(&model.file(), dram_targets::best(), limits(40, 40), |session| {
        let sequence = session.open().unwrap();
        session.prompt(sequence, &tokens[..39]).unwrap();
        let error = session.prompt(sequence, &tokens[..2]).unwrap_err().to_string();
        assert_says(&error, &["2", "1", "context"]);
        let column = Column { sequence, token: tokens[39], wants_logits: true };
        let error =
            session.forward(&[column, column], &AtomicBool::new(false)).unwrap_err().to_string();
        assert_says(&error, &["40", "context"]);
        assert_eq!(session.position(sequence).unwrap(), 39);
        session.forward(&[column], &AtomicBool::new(false)).unwrap();
        let expected = session.logits(0).to_vec();
        session.rewind(sequence, 0).unwrap();
        session.prompt(sequence, &tokens).unwrap();
        assert_eq!(session.logits(0), expected);
    });
}

#[test]
fn limits_beyond_the_model() {
    let model = tiny::qwen2(Mix::F32);
    let file = model.file();
    let gguf = Gguf::parse(&file).unwrap();
    let mut slots = vec![None; model.shape.layers];
    let plan = Plan::new(&gguf, &mut slots).unwrap();
    let error = Session::bytes(&plan, &limits(513, 32)).unwrap_err().to_string();
    assert_says(&error, &["513", "512", "context"]);
}

#[test]
fn heads_too_short_for_8_bit_keys() {
    let mut shape = tiny::qwen2(Mix::F32).shape;
    shape.heads = 16;
    shape.kv_heads = 4;
    shape.head_len = 16;
    let model = Tiny::new(shape, Mix::F32);
    let file = model.file();
    let gguf = Gguf::parse(&file).unwrap();
    let mut slots = vec![None; model.shape.layers];
    let plan = Plan::new(&gguf, &mut slots).unwrap();
    let limits = Limits { kv: KvFormat::Q8_0, ..limits(64, 32) };
    assert_says(&Session::bytes(&plan, &limits).unwrap_err().to_string(), &["16", "32", "f16"]);
}

#[test]
fn columns_beyond_the_limits() {
    let model = tiny::qwen2(Mix::Q8_0);
    let limits = Limits { logits: 1, ..limits(64, 4) };
    start(&model.file(), dram_targets::best(), limits, |session| {
        let sequence = session.open().unwrap();
        let column = |token| Column { sequence, token, wants_logits: false };
        let error =
            session.forward(&[column(1); 5], &AtomicBool::new(false)).unwrap_err().to_string();
        assert_says(&error, &["5", "4"]);
        let error = session
            .forward(&[column(1), column(5000)], &AtomicBool::new(false))
            .unwrap_err()
            .to_string();
        assert_says(&error, &["5000", &model.shape.vocab().to_string()]);
        let asking = Column { wants_logits: true, ..column(1) };
        let error = session.forward(&[asking; 2], &AtomicBool::new(false)).unwrap_err().to_string();
        assert_says(&error, &["logits", "1"]);
        let error = session.open().unwrap_err().to_string();
        assert_says(&error, &["1"]);
        session.close(sequence).unwrap();
        assert!(
            session.forward(&[column(1)], &AtomicBool::new(false)).is_err(),
            "the sequence is closed"
        );
        assert!(session.close(sequence).is_err(), "it is closed already");
    });
}
