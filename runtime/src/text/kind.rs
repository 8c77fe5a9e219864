//! What a token is for.

use super::split::{CLOSE, OPEN};
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

/// What a token is for, by its type in the file and, where converters differ, by its text:
/// padding is unused, tags are marks, and a thought's tags are visible marks.
pub(crate) fn kind(kinds: Option<Array<'_>>, id: u32, text: &[u8]) -> TokenKind {
    let Some(kinds) = kinds else { return TokenKind::Normal };
    match kinds.get(id as usize).and_then(|kind| kind.unsigned()) {
        Some(1 | 6) => TokenKind::Normal,
        Some(2..=4) if text == OPEN.as_bytes() || text == CLOSE.as_bytes() => TokenKind::Tag,
        Some(2 | 3) => TokenKind::Control,
        Some(4) if is_padding(text) => TokenKind::Unused,
        Some(4) if text.starts_with(b"<") && text.ends_with(b">") => TokenKind::Tag,
        Some(4) => TokenKind::UserDefined,
        _ => TokenKind::Unused,
    }
}

/// Whether a text is `[PAD…]` with a number, by which converters fill up the table.
fn is_padding(text: &[u8]) -> bool {
    let number = text.strip_prefix(b"[PAD").and_then(|text| text.strip_suffix(b"]"));
    number.is_some_and(|number| number.iter().all(u8::is_ascii_digit))
}
