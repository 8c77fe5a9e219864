//! Llama 3's pattern, which Qwen2 and its successors took over.

use super::scan::{contraction, run_while, spaces};
use crate::text::unicode::{Class, class, is_mark};

/// The first word, with at most `digits` numbers in a word.
pub(super) fn word(text: &str, digits: usize) -> usize {
    word_by(text, digits, class)
}

/// The first word where marks (`\p{M}`) count as letters.
pub(super) fn word_with_marks(text: &str, digits: usize) -> usize {
    word_by(text, digits, |c| if is_mark(c) { Class::Letter } else { class(c) })
}

fn word_by(text: &str, digits: usize, class: impl Fn(char) -> Class) -> usize {
    let run = |text: &str, from, of| run_while(text, from, |c| class(c) == of);
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return 0 };
    if let Some(end) = contraction(text, true) {
        return end;
    }
    let (this, next) = (class(first), chars.next().map(&class));
    let lone = matches!(first, '\r' | '\n');
    match this {
        Class::Number => {
            let numbers = text.chars().take(digits).take_while(|&c| class(c) == Class::Number);
            return numbers.map(char::len_utf8).sum();
        }
        Class::Letter => return run(text, 0, Class::Letter),
        _ if !lone && next == Some(Class::Letter) => {
            return run(text, first.len_utf8(), Class::Letter);
        }
        _ => {}
    }
    let start = usize::from(first == ' ');
    let end = run(text, start, Class::Other);
    if end > start {
        return end + (text.len() - end - text[end..].trim_start_matches(['\r', '\n']).len());
    }
    spaces(text, |_| false)
}
