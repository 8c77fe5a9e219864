//! GPT-2's pattern.

use super::scan::{all_but_last, contraction, run};
use crate::text::unicode::{Class, class};

/// The first word. With `digits_alone` a number is a word by itself and ends what is before it.
pub(super) fn word(text: &str, digits_alone: bool) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    if digits_alone && class(first) == Class::Number {
        return first.len_utf8();
    }
    if let Some(end) = contraction(text, false) {
        return end;
    }
    let start = usize::from(first == ' ');
    match text[start..].chars().next().map(class) {
        Some(Class::Number) if digits_alone => start,
        Some(class) if class != Class::Space => run(text, start, class),
        _ => {
            let end = run(text, 0, Class::Space);
            let next = text[end..].chars().next().map(class);
            let at_end = next.is_none() || digits_alone && next == Some(Class::Number);
            if at_end { end } else { all_but_last(text, end) }
        }
    }
}
