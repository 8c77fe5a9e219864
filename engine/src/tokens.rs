//! Text to tokens, without the model around them.

use crate::error::EngineError;
use crate::load::{about, with_gguf};
use dram_runtime::text::{Encoder, Vocab};
use std::path::Path;

/// Calls `each` with every token of a text: its id, and its text as the model's file writes it, where
/// a space is `Ġ`. With `special`, names of control tokens in the text are these tokens.
///
/// # Errors
///
/// If there is no such file or its vocabulary is damaged, and those of `each`.
pub fn tokenize<E: From<EngineError>>(
    path: &Path,
    text: &str,
    special: bool,
    mut each: impl FnMut(u32, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    with_gguf(path, |gguf| {
        let mut memory = vec![0; Vocab::bytes(gguf).map_err(about(path))?];
        let vocab = Vocab::new(gguf, &mut memory).map_err(about(path))?;
        let (mut scratch, mut tokens) = (vec![0; Encoder::BYTES], Vec::new());
        let mut encoder = Encoder::new(&vocab, &mut scratch).map_err(EngineError::from)?;
        encoder.encode(text, special, |id| tokens.push(id));
        tokens.iter().try_for_each(|&id| each(id, vocab.text(id).unwrap_or_default()))
    })
}
