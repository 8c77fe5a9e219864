//! What a token is for.

use super::split::is_tag;
use crate::model::Array;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Text.
    Normal,
    /// Text that is always one token, found before words are cut.
    UserDefined,
    /// A visible mark of the chat format, as `<think>`: found in templates only, never in what a
    /// user writes.
    Tag,
    /// An invisible mark of the chat format: found in templates only, decodes to nothing.
    Control,
    /// No token at all: a row that pads the table. Never found, decodes to nothing.
    Unused,
}

/// Marks of chat formats that do not end a reply: converters give them any type.
const MARKS: [&str; 31] = [
    "<|im_start|>",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|python_tag|>",
    "<｜begin▁of▁sentence｜>",
    "<|begin▁of▁sentence|>",
    "<｜User｜>",
    "<｜Assistant｜>",
    "<|User|>",
    "<|Assistant|>",
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|observation|>",
    "<|startoftext|>",
    "<|start_of_role|>",
    "<|end_of_role|>",
    "<|tool_call|>",
    "<start_of_turn>",
    "<s>",
    "<bos>",
    "[gMASK]",
    "<sop>",
    "[INST]",
    "[/INST]",
    "[SYSTEM_PROMPT]",
    "[/SYSTEM_PROMPT]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
];

/// Marks that end a reply wherever they exist.
pub(crate) const ENDS: [&str; 18] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<|return|>",
    "<｜end▁of▁sentence｜>",
    "<|end▁of▁sentence|>",
    "<|EOT|>",
    "<EOT>",
    "<end_of_turn>",
    "<end_of_utterance>",
    "<eos>",
    "</s>",
    "[EOS]",
    "[EOT]",
    "<|endofprompt|>",
];

/// What a token is for, by its text and, where that is no known mark, by its type in the file:
/// padding is unused, tags are marks, and a thought's tags are visible marks.
pub(crate) fn kind(kinds: Option<Array<'_>>, id: u32, text: &[u8]) -> TokenKind {
    let number = kinds.map(|kinds| kinds.get(id as usize).and_then(|kind| kind.unsigned()));
    let is = |mark: &&str| mark.as_bytes() == text;
    // Few tokens need to be compared with all marks.
    let is_bracketed = matches!(text, [b'<' | b'[', .., b'>' | b']']);
    match number {
        Some(None | Some(0 | 7..)) => TokenKind::Unused,
        Some(Some(5)) => TokenKind::Unused,
        _ if is_bracketed && is_tag(text) => TokenKind::Tag,
        // In byte-level vocabularies these two are also a piece of HTML.
        None | Some(Some(1)) if matches!(text, b"<s>" | b"</s>") => TokenKind::Normal,
        _ if is_bracketed && MARKS.iter().chain(&ENDS).any(is) => TokenKind::Control,
        None | Some(Some(1 | 6)) => TokenKind::Normal,
        Some(Some(2 | 3)) => TokenKind::Control,
        Some(Some(_)) if is_padding(text) => TokenKind::Unused,
        Some(Some(_)) if text.starts_with(b"<") && text.ends_with(b">") => TokenKind::Tag,
        Some(Some(_)) => TokenKind::UserDefined,
    }
}

/// Whether a text is `[PAD…]` with a number, by which converters fill up the table.
fn is_padding(text: &[u8]) -> bool {
    let number = text.strip_prefix(b"[PAD").and_then(|text| text.strip_suffix(b"]"));
    number.is_some_and(|number| number.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::{ENDS, MARKS, TokenKind, kind};
    use crate::text::split::THOUGHTS;

    #[test]
    fn every_mark_is_known_by_its_text() {
        for mark in MARKS.iter().chain(&ENDS).filter(|mark| !["<s>", "</s>"].contains(mark)) {
            assert_eq!(kind(None, 0, mark.as_bytes()), TokenKind::Control, "{mark}");
        }
        for tag in THOUGHTS.iter().flat_map(|(open, close)| [open, close]) {
            assert_eq!(kind(None, 0, tag.as_bytes()), TokenKind::Tag, "{tag}");
        }
    }
}
