//! A byte-level vocabulary of 256 bytes, a few merges and two control tokens.

use crate::build::{BOOL, File, I32, TEXT, string};

const MERGES: [&str; 5] = ["t h", "th e", "Ġ the", "i n", "o n"];
const CONTROL: [&str; 2] = ["<|begin|>", "<|end|>"];

/// Token type ids of GGUF.
const NORMAL: i32 = 1;
const CONTROL_TYPE: i32 = 3;

/// Token texts in the alphabet of byte-level vocabularies; token `b` is byte `b`.
pub(crate) fn tokens() -> Vec<String> {
    let bytes = (0..=255).map(|byte| letter(byte).to_string());
    let merged = MERGES.iter().map(|merge| merge.replace(' ', ""));
    bytes.chain(merged).chain(CONTROL.map(String::from)).collect()
}

/// The letter GPT-2 writes for a byte: itself where it prints, else the next one from U+0100.
fn letter(byte: u8) -> char {
    let prints = |byte: u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    if prints(byte) {
        return char::from(byte);
    }
    let earlier = (0..byte).filter(|&byte| !prints(byte)).count();
    char::from_u32(256 + earlier as u32).expect("letters from U+0100 to U+0143")
}

/// Adds what a file says of the vocabulary.
pub(crate) fn write(file: File, architecture: &str) -> File {
    let tokens = tokens();
    let begin = tokens.len() - CONTROL.len();
    let types = (0..tokens.len()).map(|i| if i < begin { NORMAL } else { CONTROL_TYPE });
    let types: Vec<u8> = types.flat_map(i32::to_le_bytes).collect();
    let llama = architecture == "llama";
    let count = tokens.len() as u64;
    file.text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", if llama { "llama-bpe" } else { "qwen2" })
        .array("tokenizer.ggml.tokens", TEXT, count, strings(&tokens))
        .array("tokenizer.ggml.token_type", I32, count, types)
        .array("tokenizer.ggml.merges", TEXT, MERGES.len() as u64, strings(&MERGES))
        .u32("tokenizer.ggml.bos_token_id", begin as u32)
        .u32("tokenizer.ggml.eos_token_id", begin as u32 + 1)
        .key("tokenizer.ggml.add_bos_token", BOOL, [u8::from(llama)])
}

fn strings(texts: &[impl AsRef<[u8]>]) -> Vec<u8> {
    texts.iter().flat_map(string).collect()
}
