//! Text to tokens and back, against the published vocabularies.

mod build;
mod fetched;

use build::Random;
use dram_runtime::model::Gguf;
use dram_runtime::text::{Decoder, Encoder, Pre, Vocab};

/// Calls `test` with an encoder for the vocabulary in a file.
fn with<T>(file: &[u8], test: impl FnOnce(&mut Encoder<'_>) -> T) -> T {
    let gguf = Gguf::parse(file).unwrap();
    let mut memory = vec![0; Vocab::bytes(&gguf).unwrap()];
    let vocab = Vocab::new(&gguf, &mut memory).unwrap();
    let mut scratch = vec![0; Encoder::BYTES];
    test(&mut Encoder::new(&vocab, &mut scratch).unwrap())
}

fn encode(encoder: &mut Encoder<'_>, text: &str, special: bool) -> Vec<u32> {
    let mut tokens = Vec::new();
    encoder.encode(text, special, |id| tokens.push(id));
    tokens
}

fn decode(vocab: &Vocab<'_>, tokens: &[u32]) -> String {
    let (mut decoder, mut text) = (Decoder::new(), String::new());
    tokens.iter().for_each(|&id| decoder.push(vocab, id, |piece| text.push_str(piece)));
    decoder.finish(|piece| text.push_str(piece));
    text
}

/// The cases that llama.cpp keeps beside its vocabularies.
fn gives_the_published_tokens(name: &str) {
    let read = |ending| fetched::bytes(&format!("vocab/ggml-vocab-{name}.gguf{ending}"));
    let texts = String::from_utf8(read(".inp")).unwrap();
    let texts: Vec<_> = texts.split("\n__ggml_vocab_test__\n").collect();
    let tokens = String::from_utf8(read(".out")).unwrap();
    let (last, texts) = texts.split_last().unwrap();
    assert_eq!((*last, texts.len(), tokens.lines().count()), ("", 46, 46));
    with(&read(""), |encoder| {
        for (text, line) in texts.iter().zip(tokens.lines()) {
            let expected: Vec<u32> =
                line.split_whitespace().map(|id| id.parse().unwrap()).collect();
            let found = encode(encoder, text, false);
            assert_eq!(found, expected, "{text:?}");
            assert_eq!(decode(encoder.vocab(), &found), **text);
        }
    });
}

#[test]
fn qwen2_gives_the_published_tokens() {
    gives_the_published_tokens("qwen2");
}

#[test]
fn llama_bpe_gives_the_published_tokens() {
    gives_the_published_tokens("llama-bpe");
}

#[test]
fn gpt_2_gives_the_published_tokens() {
    gives_the_published_tokens("gpt-2");
}
