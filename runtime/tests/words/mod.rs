//! Vocabularies and encoders for tests.
#![allow(unreachable_pub, dead_code, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::build::{ARRAY, File, I32, TEXT, array, string};
use dram_runtime::model::Gguf;
use dram_runtime::text::{Decoder, Encoder, Vocab};

/// Token types of GGUF.
pub const NORMAL: i32 = 1;
pub const CONTROL: i32 = 3;
pub const USER_DEFINED: i32 = 4;
pub const UNUSED: i32 = 5;

/// Calls `test` with an encoder for the vocabulary in a file.
pub fn with<T>(file: &[u8], test: impl FnOnce(&mut Encoder<'_>) -> T) -> T {
    let gguf = Gguf::parse(file).unwrap();
    let mut memory = vec![0; Vocab::bytes(&gguf).unwrap()];
    let vocab = Vocab::new(&gguf, &mut memory).unwrap();
    let mut scratch = vec![0; Encoder::BYTES];
    test(&mut Encoder::new(&vocab, &mut scratch).unwrap())
}

pub fn encode(encoder: &mut Encoder<'_>, text: &str, special: bool) -> Vec<u32> {
    let mut tokens = Vec::new();
    encoder.encode(text, special, |id| tokens.push(id));
    tokens
}

pub fn decode(vocab: &Vocab<'_>, tokens: &[u32]) -> String {
    let (mut decoder, mut text) = (Decoder::new(), String::new());
    tokens.iter().for_each(|&id| decoder.push(vocab, id, |piece| text.push_str(piece)));
    decoder.finish(|piece| text.push_str(piece));
    text
}

/// A vocabulary to be written to a file.
pub struct Words {
    pub pre: Option<&'static str>,
    pub tokens: Vec<Vec<u8>>,
    pub kinds: Vec<i32>,
    pub merges: Vec<Vec<u8>>,
    /// Other keys.
    pub keys: File,
}

impl Words {
    /// The vocabulary in a file, without its special ids.
    pub fn of(file: &[u8], pre: &'static str) -> Self {
        let gguf = Gguf::parse(file).unwrap();
        let list = |key| gguf.value(key).unwrap().array().unwrap();
        let texts = |key| list(key).strings().map(<[u8]>::to_vec).collect();
        let kinds = list("tokenizer.ggml.token_type").values();
        Self {
            pre: Some(pre),
            tokens: texts("tokenizer.ggml.tokens"),
            kinds: kinds.map(|kind| kind.unsigned().unwrap() as i32).collect(),
            merges: texts("tokenizer.ggml.merges"),
            keys: File::new(),
        }
    }

    /// The single bytes as tokens 0 to 255, in GPT-2's order of characters, and these merges with
    /// their tokens.
    pub fn bytes(merges: &[&str]) -> Self {
        let printable = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let first = (0..=255).filter(printable).map(char::from);
        let rest = ('\u{100}'..).take(68);
        let mut tokens: Vec<_> = first.chain(rest).map(|c| c.to_string().into_bytes()).collect();
        tokens.extend(merges.iter().map(|merge| merge.replace(' ', "").into_bytes()));
        let merges: Vec<_> = merges.iter().map(|merge| merge.as_bytes().to_vec()).collect();
        let kinds = vec![NORMAL; tokens.len()];
        Self { pre: Some("gpt-2"), tokens, kinds, merges, keys: File::new() }
    }

    /// Adds a token at the end.
    pub fn token(mut self, text: impl AsRef<[u8]>, kind: i32) -> Self {
        self.tokens.push(text.as_ref().to_vec());
        self.kinds.push(kind);
        self
    }

    /// Writes another text over a token.
    pub fn rename(mut self, id: usize, text: &str, kind: i32) -> Self {
        self.tokens[id] = text.as_bytes().to_vec();
        self.kinds[id] = kind;
        self
    }

    /// Adds a key.
    pub fn u32(mut self, key: &str, value: u32) -> Self {
        self.keys = self.keys.u32(key, value);
        self
    }

    /// The file's bytes.
    pub fn file(&self) -> Vec<u8> {
        let kinds: Vec<u8> = self.kinds.iter().flat_map(|kind| kind.to_le_bytes()).collect();
        let count = self.kinds.len() as u64;
        self.file_with("tokenizer.ggml.token_type", &array(I32, count, kinds))
    }

    /// The file's bytes, an array's value in it written as given.
    pub fn file_with(&self, key: &str, value: &[u8]) -> Vec<u8> {
        let list = |texts: &[Vec<u8>]| {
            let elements: Vec<u8> = texts.iter().flat_map(string).collect();
            array(TEXT, texts.len() as u64, elements)
        };
        let mut file = self.keys.clone().text("tokenizer.ggml.model", "gpt2");
        if let Some(pre) = self.pre {
            file = file.text("tokenizer.ggml.pre", pre);
        }
        let lists = [
            ("tokenizer.ggml.tokens", list(&self.tokens)),
            ("tokenizer.ggml.merges", list(&self.merges)),
        ];
        for (name, list) in lists.iter().filter(|(name, _)| *name != key) {
            file = file.key(name, ARRAY, list);
        }
        file.key(key, ARRAY, value).bytes()
    }
}
