//! What scanners have in common.

use crate::text::unicode::{Class, class};

/// The end of the run of `of` that starts at `from`.
pub(super) fn run(text: &str, from: usize, of: Class) -> usize {
    run_while(text, from, |c| class(c) == of)
}

/// The end of the run of characters that `is` holds for, which starts at `from`.
pub(super) fn run_while(text: &str, from: usize, is: impl Fn(char) -> bool) -> usize {
    text[from..].find(|c| !is(c)).map_or(text.len(), |length| from + length)
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+` where a space is, and where characters that `is_end` holds for end the
/// text.
pub(super) fn spaces(text: &str, is_end: impl Fn(char) -> bool) -> usize {
    let end = run_while(text, 0, |c| class(c) == Class::Space && !is_end(c));
    match text[..end].rfind(['\r', '\n']) {
        Some(newline) => newline + 1,
        None if text[end..].chars().next().is_none_or(is_end) => end,
        None => all_but_last(text, end),
    }
}

/// `\s+(?!\S)|\s+` on spaces that end before a word: the last one belongs to that word.
pub(super) fn all_but_last(text: &str, end: usize) -> usize {
    match text[..end].char_indices().next_back() {
        Some((last, _)) if last > 0 => last,
        _ => end,
    }
}

/// The end of an English contraction at the start of `text`.
///
/// Ignoring case means Unicode's: `ſ` is a form of `s`, and no other letter has such a form.
pub(super) fn contraction(text: &str, ignore_case: bool) -> Option<usize> {
    let rest = text.strip_prefix('\'')?;
    let fold = |c: char| match c {
        'ſ' if ignore_case => 's',
        _ if ignore_case => c.to_ascii_lowercase(),
        _ => c,
    };
    let mut chars = rest.chars();
    let (first, second) = (chars.next()?, chars.next());
    match (fold(first), second.map(fold)) {
        ('s' | 't' | 'm' | 'd', _) => Some(1 + first.len_utf8()),
        ('r' | 'v', Some('e')) | ('l', Some('l')) => Some(3),
        _ => None,
    }
}
