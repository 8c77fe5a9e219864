//! Falcon's patterns, and those that llama.cpp takes where it does not know better.
//!
//! ```text
//! [\p{P}$+<=>^~|`]+
//! GPT-2's
//! \p{N}+                 by default only
//! [0-9][0-9][0-9]
//! ```

use super::scan::{all_but_last, run, run_while};
use crate::text::unicode::{Class, class, is_punctuation};

/// The first word: Falcon's, or by default.
pub(super) fn word(text: &str, is_falcon: bool) -> usize {
    let is_cut = |c| is_punctuation(c) || "$+<=>^~|".contains(c) || is_falcon && c == '`';
    let Some(first) = text.chars().next() else { return 0 };
    if is_cut(first) {
        return run_while(text, 0, is_cut);
    }
    let start = usize::from(first == ' ');
    match text[start..].chars().next().filter(|&c| !is_cut(c)).map(class) {
        Some(Class::Letter) => run(text, start, Class::Letter),
        Some(Class::Number) if start > 0 && !is_falcon => start,
        Some(Class::Number) => number(text, start),
        Some(Class::Other) => run_while(text, start, |c| class(c) == Class::Other && !is_cut(c)),
        _ => {
            let end = run(text, 0, Class::Space);
            match text[end..].chars().next() {
                Some(next) if !is_cut(next) => all_but_last(text, end),
                _ => end,
            }
        }
    }
}

/// A number that starts at `start`, behind a space or not: up to its first three digits in a row, or
/// these alone.
fn number(text: &str, start: usize) -> usize {
    let mut digits = 0;
    for (at, c) in text[start..].char_indices().take_while(|&(_, c)| class(c) == Class::Number) {
        digits = if c.is_ascii_digit() { digits + 1 } else { 0 };
        if digits == 3 {
            let first = start + at - 2;
            return if first > 0 { first } else { 3 };
        }
    }
    run(text, start, Class::Number)
}
