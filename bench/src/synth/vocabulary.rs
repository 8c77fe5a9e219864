//! The vocabulary of a model: that of its base with marks, or a stand-in.

use super::header::Header;
use super::shape::Shape;
use dram_runtime::model::{Gguf, Map};
use std::error::Error;
use std::path::Path;

/// Token types of GGUF.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

/// A vocabulary of as many tokens as the shape has rows.
pub(crate) struct Vocabulary {
    base: &'static Base,
    tokens: Vec<Vec<u8>>,
    kinds: Vec<i32>,
    merges: Vec<Vec<u8>>,
}

/// What the vocabularies of a family of models have in common.
#[derive(Debug)]
pub(crate) struct Base {
    /// The file that holds it without marks.
    pub file: &'static str,
    pre: &'static str,
    /// Texts over tokens of the file.
    marks: &'static [(usize, &'static str, i32)],
    begin: u32,
    end: u32,
    begins_texts: bool,
}

/// Qwen2's, as R1's distills have it.
pub(crate) static R1_QWEN2: Base = Base {
    file: "ggml-vocab-qwen2.gguf",
    pre: "deepseek-r1-qwen",
    marks: &[
        (151_643, "<｜end▁of▁sentence｜>", CONTROL),
        (151_644, "<｜User｜>", CONTROL),
        (151_645, "<｜Assistant｜>", CONTROL),
        (151_646, "<｜begin▁of▁sentence｜>", CONTROL),
        (151_647, "<|EOT|>", CONTROL),
        (151_648, "<think>", USER_DEFINED),
        (151_649, "</think>", USER_DEFINED),
        (151_657, "<tool_call>", USER_DEFINED),
        (151_658, "</tool_call>", USER_DEFINED),
    ],
    begin: 151_646,
    end: 151_643,
    begins_texts: true,
};

/// Llama 3's, as R1's distills have it.
pub(crate) static R1_LLAMA: Base = Base {
    file: "ggml-vocab-llama-bpe.gguf",
    pre: "llama-bpe",
    marks: &[
        (128_000, "<｜begin▁of▁sentence｜>", CONTROL),
        (128_001, "<｜end▁of▁sentence｜>", CONTROL),
        (128_011, "<｜User｜>", CONTROL),
        (128_012, "<｜Assistant｜>", CONTROL),
        (128_013, "<think>", USER_DEFINED),
        (128_014, "</think>", USER_DEFINED),
    ],
    begin: 128_000,
    end: 128_001,
    begins_texts: true,
};

/// Qwen3's. R1-0528 renames some marks, on which no size and no speed depends.
pub(crate) static QWEN3: Base = Base {
    file: "ggml-vocab-qwen2.gguf",
    pre: "qwen2",
    marks: &[
        (151_643, "<|endoftext|>", CONTROL),
        (151_644, "<|im_start|>", CONTROL),
        (151_645, "<|im_end|>", CONTROL),
        (151_657, "<tool_call>", USER_DEFINED),
        (151_658, "</tool_call>", USER_DEFINED),
        (151_667, "<think>", USER_DEFINED),
        (151_668, "</think>", USER_DEFINED),
    ],
    begin: 151_643,
    end: 151_645,
    begins_texts: false,
};

impl Vocabulary {
    /// The base's vocabulary, from a file.
    ///
    /// # Errors
    ///
    /// If it cannot be read or holds no vocabulary.
    pub(crate) fn read(shape: &Shape, path: &Path) -> Result<Self, Box<dyn Error>> {
        let map = Map::open(path)?;
        let gguf = Gguf::parse(&map)?;
        let list = |key: &str| {
            let array = gguf.value(key).and_then(|value| value.array());
            array.ok_or_else(|| format!("{}: {key} is no array", path.display()))
        };
        let texts = |key| Ok::<_, String>(list(key)?.strings().map(<[u8]>::to_vec).collect());
        let kinds = list("tokenizer.ggml.token_type")?.values();
        let kinds = kinds.map(|kind| kind.unsigned().map_or(NORMAL, |kind| kind as i32));
        let (tokens, merges) = (texts("tokenizer.ggml.tokens")?, texts("tokenizer.ggml.merges")?);
        Ok(Self { base: shape.base, tokens, kinds: kinds.collect(), merges }.fitted(shape))
    }

    /// The bytes, and nothing else that means anything.
    pub(crate) fn stand_in(shape: &Shape) -> Self {
        let tokens: Vec<_> = (0..=255).map(|byte| letter(byte).to_string().into_bytes()).collect();
        let kinds = vec![NORMAL; tokens.len()];
        Self { base: shape.base, tokens, kinds, merges: Vec::new() }.fitted(shape)
    }

    /// With the marks, and unused rows up to the number of the shape.
    fn fitted(mut self, shape: &Shape) -> Self {
        let missing = self.tokens.len()..shape.tokens;
        self.tokens.extend(missing.map(|id| format!("[PAD{id}]").into_bytes()));
        self.tokens.truncate(shape.tokens);
        self.kinds.resize(shape.tokens, UNUSED);
        for &(id, text, kind) in self.base.marks {
            (self.tokens[id], self.kinds[id]) = (text.into(), kind);
        }
        self
    }

    /// Adds what a file says of its vocabulary.
    pub(crate) fn write(&self, header: &mut Header) {
        let Base { pre, begin, end, begins_texts, .. } = *self.base;
        header.text("tokenizer.ggml.model", "gpt2");
        header.text("tokenizer.ggml.pre", pre);
        header.texts("tokenizer.ggml.tokens", &self.tokens);
        header.integers("tokenizer.ggml.token_type", &self.kinds);
        header.texts("tokenizer.ggml.merges", &self.merges);
        header.u32("tokenizer.ggml.bos_token_id", begin);
        header.u32("tokenizer.ggml.eos_token_id", end);
        header.bool("tokenizer.ggml.add_bos_token", begins_texts);
    }
}

/// The letter GPT-2 writes for a byte: itself where it prints, else the next one from U+0100.
fn letter(byte: u8) -> char {
    let prints = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    match (0..byte).filter(|byte| !prints(byte)).count() {
        _ if prints(&byte) => char::from(byte),
        earlier => char::from_u32(256 + earlier as u32).expect("letters from U+0100 to U+0143"),
    }
}
