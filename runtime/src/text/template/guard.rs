//! What people write never becomes a mark of the chat format.
//!
//! Each character with which a mark may begin is followed by [`MARK`] in what a template is given of
//! it. Whatever the template does with the text, in the prompt these characters are known, and no
//! mark is found where one of them is.

use crate::text::kind::TokenKind;
use crate::text::split::THOUGHTS;
use crate::text::vocab::Vocab;
use core::ops::Range;
use minijinja::Value;
use minijinja::value::ValueKind;
use std::collections::BTreeSet;
use std::string::String;
use std::vec::Vec;

/// A noncharacter, which Unicode keeps for use inside programs.
pub(super) const MARK: char = '\u{FDD0}';

/// What a template compares with names of its own, and nobody writes.
const NAMES: [&str; 2] = ["role", "type"];

pub(super) struct Guard {
    /// The characters that marks start with.
    starts: BTreeSet<char>,
}

impl Guard {
    pub(super) fn new(vocab: &Vocab<'_>) -> Self {
        let marks = vocab.specials().ids().iter().filter(|&&id| is_mark(vocab, id));
        let starts = marks.filter_map(|&id| str::from_utf8(vocab.text(id)?).ok()?.chars().next());
        Self { starts: starts.collect() }
    }

    /// Messages or tools with every text in them guarded, but for [`NAMES`].
    ///
    /// In what the model said, marks are guarded and the tags of its thoughts are not: templates
    /// look for these.
    pub(super) fn guarded(&self, value: &Value) -> Value {
        self.inside(value, false)
    }

    fn inside(&self, value: &Value, by_model: bool) -> Value {
        match value.kind() {
            ValueKind::String => self.text(value.as_str().unwrap_or_default(), by_model),
            ValueKind::Seq => value.try_iter().map_or_else(
                |_| value.clone(),
                |items| items.map(|item| self.inside(&item, by_model)).collect(),
            ),
            ValueKind::Map => self.map(value, by_model),
            _ => value.clone(),
        }
    }

    fn map(&self, map: &Value, by_model: bool) -> Value {
        let field = |key: &Value| map.get_item(key).unwrap_or_default();
        let by_model = by_model || field(&"role".into()).as_str() == Some("assistant");
        let keys = map.try_iter().into_iter().flatten();
        Value::from_pairs(keys.map(|key| {
            let is_name = key.as_str().is_some_and(|key| NAMES.contains(&key));
            let value = field(&key);
            let value = if is_name { value } else { self.inside(&value, by_model) };
            (key, value)
        }))
    }

    fn text(&self, text: &str, by_model: bool) -> Value {
        let mut guarded = String::with_capacity(text.len());
        let text = text.replace(MARK, "");
        for (at, c) in text.char_indices() {
            guarded.push(c);
            if self.starts.contains(&c) && !(by_model && starts_tag(&text[at..])) {
                guarded.push(MARK);
            }
        }
        guarded.into()
    }
}

fn is_mark(vocab: &Vocab<'_>, id: u32) -> bool {
    matches!(vocab.kind(id), TokenKind::Tag | TokenKind::Control)
}

fn starts_tag(text: &str) -> bool {
    THOUGHTS.iter().any(|(open, close)| text.starts_with(open) || text.starts_with(close))
}

/// A rendered text without [`MARK`], and where the characters that it followed lie.
pub(super) fn unguarded(rendered: &str) -> (String, Vec<Range<usize>>) {
    let (mut text, mut places) =
        (String::with_capacity(rendered.len()), Vec::<Range<usize>>::new());
    for c in rendered.chars() {
        if c != MARK {
            text.push(c);
            continue;
        }
        let start = text.char_indices().next_back().map_or(0, |(at, _)| at);
        if places.last().is_none_or(|last| last.end <= start) && start < text.len() {
            places.push(start..text.len());
        }
    }
    (text, places)
}
