//! What models and sessions refuse, and the words they say it with.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod tiny;

use build::{BOOL, F32, I32, U32, string};
use core::sync::atomic::AtomicBool;
use dram_quant::Format;
use dram_runtime::model::{Config, Scaling};
use dram_runtime::{Column, Gguf, KvFormat, Limits, Plan, Session};
use tiny::session::{limits, start};
use tiny::{Mix, Tensor, Tiny};

/// The message a model's file is refused with.
fn refusal(model: &Tiny) -> String {
    plan(&model.file()).unwrap_err()
}

/// The sizes of the model in a file, or why it is refused.
fn plan(file: &[u8]) -> Result<Config, String> {
    let gguf = Gguf::parse(file).unwrap();
    let mut slots = vec![None; 8];
    Plan::new(&gguf, &mut slots).map(|plan| plan.config).map_err(|error| error.to_string())
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
            // Without these a model is whole: a tied head, plain rotary frequencies, no biases.
            let optional = ["output.weight", "rope_freqs.weight"];
            if optional.contains(&&*tensor.name) || tensor.name.ends_with(".bias") {
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
    let norm = tiny::qwen3(Mix::F32).tensor("blk.1.attn_q_norm.weight").clone();
    for mut model in [tiny::llama(Mix::F32), tiny::qwen2(Mix::F32)] {
        model.tensors.push(norm.clone());
        assert_says(&refusal(&model), &[&norm.name, "is no part of a", model.shape.architecture]);
    }
    for name in [
        "blk.0.attn_qkv.bias",
        "blk.0.attn_norm.bias",
        "blk.0.ffn_gate_exps.weight",
        "blk.8.attn_q.bias",
        "blk.x.attn_q.bias",
        "blk.0.attn_q.scale",
        "cls.output.weight",
        "token_types.weight",
        "position_embd.weight",
    ] {
        let mut model = tiny::llama(Mix::F32);
        model.tensors.push(Tensor { name: name.into(), ..norm.clone() });
        assert_says(&refusal(&model), &[name, "is no part of a llama model"]);
    }
}

#[test]
fn tensors_that_nothing_reads_are_harmless() {
    let mut model = tiny::llama(Mix::F32);
    let factors = model.tensor("rope_freqs.weight").clone();
    for name in ["blk.0.attn_rot_embd", "blk.1.attn.rotary_emb.inv_freq"] {
        model.tensors.push(Tensor { name: name.into(), ..factors.clone() });
    }
    assert_eq!(plan(&model.file()).map(|config| config.layers), Ok(model.shape.layers));
}

#[test]
fn a_key_that_asks_for_what_is_not_computed_is_named() {
    let model = tiny::llama(Mix::F32);
    for (name, float) in [
        ("attention.scale", 0.5),
        ("attention.clamp_kqv", 8.0),
        ("logit_scale", 0.25),
        ("residual_scale", 0.2),
        ("final_logit_softcapping", 30.0),
        ("rope.scaling.yarn_beta_fast", 8.0),
        ("rope.scaling.factor", -2.0),
        ("rope.scaling.factor", f32::NAN),
        ("some_new_scale", 1.0),
    ] {
        let name = format!("llama.{name}");
        let file = model.build().key(&name, F32, float.to_le_bytes()).bytes();
        assert_says(&plan(&file).unwrap_err(), &[&name, "must be"]);
    }
    for (name, number) in
        [("expert_count", 8), ("expert_used_count", 2), ("nextn_predict_layers", 1)]
    {
        let name = format!("llama.{name}");
        assert_says(&plan(&model.build().u32(&name, number).bytes()).unwrap_err(), &[&name, "0"]);
    }
    let causal = model.build().key("llama.attention.causal", BOOL, [0]).bytes();
    assert_says(&plan(&causal).unwrap_err(), &["llama.attention.causal", "true"]);
    let scaling = model.build().text("llama.rope.scaling.type", "dynamic").bytes();
    assert_says(&plan(&scaling).unwrap_err(), &["llama.rope.scaling.type", "linear, yarn"]);
}

#[test]
fn keys_that_ask_for_nothing_are_harmless() {
    let model = tiny::llama(Mix::F32);
    let usual = 1.0 / (model.shape.head_len as f32).sqrt();
    let file = model.build().u32("llama.expert_count", 0).u32("llama.vocab_size", 99);
    let file = file.key("llama.attention.causal", BOOL, [1]);
    let file = file.key("llama.attention.scale", F32, usual.to_le_bytes());
    let file = file.key("llama.rope.scaling.factor", F32, 0_f32.to_le_bytes());
    let file = file.text("llama.tensor_data_layout", "Meta AI original pth");
    let file = file.u32("qwen2.expert_count", 60).u32("general.quantization_version", 2);
    let config = plan(&file.bytes()).unwrap();
    assert_eq!(config.rope.scaling, Scaling::NONE);
}

#[test]
fn a_window_is_the_context() {
    let model = tiny::llama(Mix::F32);
    let context = |window| {
        let file = model.build().u32("llama.attention.sliding_window", window).bytes();
        plan(&file).map(|config| config.context_length)
    };
    let whole = model.shape.context_length;
    assert_eq!([0, 64, 4096].map(context), [Ok(whole), Ok(64), Ok(whole)]);
}

#[test]
fn numbers_of_each_layer_must_be_equal() {
    let model = tiny::llama(Mix::F32);
    let of = |name: &str, id, numbers: &[u32]| {
        let mut file = model.build();
        file.keys.retain(|key| !key.starts_with(&string(name)));
        let bytes: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
        plan(&file.array(name, id, numbers.len() as u64, bytes).bytes())
    };
    let usual = plan(&model.file()).unwrap();
    for (name, number) in [
        ("llama.feed_forward_length", usual.feed_forward_length as u32),
        ("llama.attention.head_count", usual.heads as u32),
        ("llama.attention.head_count_kv", usual.kv_heads as u32),
    ] {
        for id in [U32, I32] {
            assert_eq!(of(name, id, &[number; 3]), Ok(usual), "{name}");
        }
        let error = of(name, U32, &[number, number / 2, number]).unwrap_err();
        assert_says(&error, &[name, "differs between layers"]);
        assert_says(&of(name, U32, &[]).unwrap_err(), &[name, "must be"]);
        assert_says(&of(name, I32, &[u32::MAX; 3]).unwrap_err(), &[name, "must be"]);
        assert_says(&of(name, F32, &[0; 3]).unwrap_err(), &[name, "must be"]);
    }
}

#[test]
fn more_tokens_than_rows_are_refused() {
    let mut model = tiny::llama(Mix::F32);
    let embedding = model.tensor("token_embd.weight");
    let rows = embedding.rows.unwrap();
    embedding.rows = Some(rows - 4);
    embedding.bytes.truncate((rows - 4) * embedding.len * 4);
    let numbers = [(rows - 4).to_string(), rows.to_string()];
    assert_says(&refusal(&model), &["token_embd.weight", &numbers[0], &numbers[1]]);
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
