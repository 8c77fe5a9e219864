//! The vocabularies of DeepSeek R1's distills, made from those they were trained with.
#![allow(unreachable_pub, dead_code, reason = "each test takes what it needs")]

use crate::fetched;
use crate::words::{CONTROL, USER_DEFINED, Words};

/// The vocabulary of the Qwen distills of R1: Qwen2's, with other special tokens.
pub fn r1_qwen() -> Vec<u8> {
    let qwen2 = fetched::bytes("vocab/ggml-vocab-qwen2.gguf");
    Words::of(&qwen2, "deepseek-r1-qwen")
        .rename(151643, "<｜end▁of▁sentence｜>", CONTROL)
        .rename(151644, "<｜User｜>", CONTROL)
        .rename(151645, "<｜Assistant｜>", CONTROL)
        .rename(151646, "<｜begin▁of▁sentence｜>", CONTROL)
        .rename(151647, "<|EOT|>", CONTROL)
        .rename(151648, "<think>", USER_DEFINED)
        .rename(151649, "</think>", USER_DEFINED)
        .rename(151657, "<tool_call>", USER_DEFINED)
        .rename(151658, "</tool_call>", USER_DEFINED)
        .u32("tokenizer.ggml.bos_token_id", 151646)
        .u32("tokenizer.ggml.eos_token_id", 151643)
        .file()
}

/// The vocabulary of the Llama distills of R1: Llama 3's, with other special tokens.
pub fn r1_llama() -> Vec<u8> {
    let llama = fetched::bytes("vocab/ggml-vocab-llama-bpe.gguf");
    Words::of(&llama, "llama-bpe")
        .rename(128000, "<｜begin▁of▁sentence｜>", CONTROL)
        .rename(128001, "<｜end▁of▁sentence｜>", CONTROL)
        .rename(128011, "<｜User｜>", CONTROL)
        .rename(128012, "<｜Assistant｜>", CONTROL)
        .rename(128013, "<think>", CONTROL)
        .rename(128014, "</think>", CONTROL)
        .u32("tokenizer.ggml.bos_token_id", 128000)
        .u32("tokenizer.ggml.eos_token_id", 128001)
        .file()
}
