//! Tokens to text.

use super::vocab::Vocab;

/// Turns tokens into text as they come, never half a character.
///
/// A character whose bytes are spread over tokens is held back until it is complete. Bytes that
/// can not become a character are shown as U+FFFD, where and as often as
/// [`String::from_utf8_lossy`](https://doc.rust-lang.org/std/string/struct.String.html) has it.
#[derive(Clone, Debug)]
pub struct Decoder {
    /// At most 3 bytes between calls: the start of a character.
    bytes: [u8; 64],
    len: usize,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Starts a text.
    pub const fn new() -> Self {
        Self { bytes: [0; 64], len: 0 }
    }

    /// Passes on what a token makes known of the text, in one piece or several.
    pub fn push(&mut self, vocab: &Vocab<'_>, id: u32, mut sink: impl FnMut(&str)) {
        for byte in vocab.decode(id) {
            self.bytes[self.len] = byte;
            self.len += 1;
            if self.len == self.bytes.len() {
                self.flush(&mut sink);
            }
        }
        self.flush(&mut sink);
    }

    /// Ends the text: passes on U+FFFD if it ends inside a character.
    pub fn finish(&mut self, mut sink: impl FnMut(&str)) {
        if core::mem::take(&mut self.len) > 0 {
            sink("\u{FFFD}");
        }
    }

    /// Passes on all but the start of a character at the end.
    fn flush(&mut self, sink: &mut impl FnMut(&str)) {
        let mut from = 0;
        while from < self.len {
            let bytes = &self.bytes[from..self.len];
            let Some(chunk) = bytes.utf8_chunks().next() else { break };
            if !chunk.valid().is_empty() {
                sink(chunk.valid());
            }
            from += chunk.valid().len();
            if is_start(&self.bytes[from..self.len]) {
                break;
            }
            if !chunk.invalid().is_empty() {
                sink("\u{FFFD}");
            }
            from += chunk.invalid().len();
        }
        self.bytes.copy_within(from..self.len, 0);
        self.len -= from;
    }
}

/// Whether bytes are the start of a character and more may complete it.
fn is_start(bytes: &[u8]) -> bool {
    str::from_utf8(bytes)
        .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}
