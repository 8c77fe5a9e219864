//! Tekken's pattern, as llama.cpp writes it: only letters of ASCII have a case.
//!
//! ```text
//! [^\r\n\p{L}\p{N}]?X*Y+|[^\r\n\p{L}\p{N}]?X+Y*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|
//! \s*[\r\n]+|\s+(?!\S)|\s+           X a letter but a-z, Y a letter but A-Z
//! ```

use super::scan::{run, run_while, spaces};
use crate::text::unicode::{Class, class};

/// The first word.
pub(super) fn word(text: &str) -> usize {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return 0 };
    let next = chars.next().map(class);
    match class(first) {
        Class::Letter => return letters(text, 0),
        Class::Number => return first.len_utf8(),
        _ if !matches!(first, '\r' | '\n') && next == Some(Class::Letter) => {
            return letters(text, first.len_utf8());
        }
        _ => {}
    }
    let start = usize::from(first == ' ');
    let end = run(text, start, Class::Other);
    match end > start {
        true => run_while(text, end, |c| "\r\n/".contains(c)),
        false => spaces(text, |_| false),
    }
}

/// The end of a word whose letters start at `from`.
fn letters(text: &str, from: usize) -> usize {
    let is_x = |c: char| class(c) == Class::Letter && !c.is_ascii_lowercase();
    let is_y = |c: char| class(c) == Class::Letter && !c.is_ascii_uppercase();
    let end = run_while(text, from, is_x);
    // As many X as leave a Y behind them.
    if text[end..].chars().next().is_some_and(is_y) {
        return run_while(text, end, is_y);
    }
    match text[from..end].char_indices().rev().find(|&(_, c)| is_y(c)) {
        Some((last, _)) => run_while(text, from + last, is_y),
        None => end,
    }
}
