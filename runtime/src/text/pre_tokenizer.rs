//! PreTokenizer-tokenizers: cutting text into words before merging, as the model was trained.
//!
//! Each is a regular expression in its publisher's tokenizer; here it is a scanner by hand,
//! because the patterns look ahead (`\s+(?!\S)`) and must run in time linear in the text.

use super::unicode::{Class, class};

/// A way to cut text into words, named by `tokenizer.ggml.pre`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PreTokenizer {
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
    Gpt2,
    /// First each `\p{N}` alone, then what lies between as GPT-2 does.
    Smollm,
    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|`
    /// ` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
    Llama3,
    /// As Llama 3, with each `\p{N}` alone.
    Qwen2,
}

impl PreTokenizer {
    /// The names that files use.
    pub const NAMES: [(&'static str, Self); 9] = [
        ("qwen2", Self::Qwen2),
        ("deepseek-r1-qwen", Self::Qwen2),
        ("llama-bpe", Self::Llama3),
        ("llama3", Self::Llama3),
        ("llama-v3", Self::Llama3),
        ("smollm", Self::Smollm),
        ("gpt-2", Self::Gpt2),
        ("gpt2", Self::Gpt2),
        ("default", Self::Gpt2),
    ];

    /// The pre-tokenizer of a name in a file, if it is known.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|&(_, pre)| pre)
    }

    /// Bytes of the first word of `text`, which starts where a word starts.
    ///
    /// At least one character, unless `text` is empty.
    pub(crate) fn word(self, text: &str) -> usize {
        match self {
            Self::Gpt2 => gpt2(text, false),
            Self::Smollm => gpt2(text, true),
            Self::Llama3 => llama3(text, 3),
            Self::Qwen2 => llama3(text, 1),
        }
    }
}

/// GPT-2's pattern. With `digits_alone` a number is a word by itself and ends what is before it.
fn gpt2(text: &str, digits_alone: bool) -> usize {
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

/// Llama 3's pattern, with at most `digits` numbers in a word.
fn llama3(text: &str, digits: usize) -> usize {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return 0 };
    if let Some(end) = contraction(text, true) {
        return end;
    }
    let (this, next) = (class(first), chars.next().map(class));
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
    spaces(text)
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+`
fn spaces(text: &str) -> usize {
    let end = run(text, 0, Class::Space);
    match text[..end].rfind(['\r', '\n']) {
        Some(newline) => newline + 1,
        None if end == text.len() => end,
        None => all_but_last(text, end),
    }
}

/// `\s+(?!\S)|\s+` on spaces that end before a word: the last one belongs to that word.
fn all_but_last(text: &str, end: usize) -> usize {
    match text[..end].char_indices().next_back() {
        Some((last, _)) if last > 0 => last,
        _ => end,
    }
}

/// The end of the run of `of` that starts at `from`.
fn run(text: &str, from: usize, of: Class) -> usize {
    text[from..].find(|c| class(c) != of).map_or(text.len(), |length| from + length)
}

/// The end of an English contraction at the start of `text`.
///
/// Ignoring case means Unicode's: `ſ` is a form of `s`, and no other letter has such a form.
fn contraction(text: &str, ignore_case: bool) -> Option<usize> {
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

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec::Vec;

    fn words(pre: PreTokenizer, mut text: &str) -> Vec<&str> {
        let mut words = Vec::new();
        while !text.is_empty() {
            let (word, rest) = text.split_at(pre.word(text));
            words.push(word);
            text = rest;
        }
        words
    }

    #[test]
    fn spaces_before_a_word_leave_one_to_it() {
        assert_eq!(words(PreTokenizer::Gpt2, "a   b  "), ["a", "  ", " b", "  "]);
        assert_eq!(words(PreTokenizer::Qwen2, "a   b  "), ["a", "  ", " b", "  "]);
        assert_eq!(words(PreTokenizer::Gpt2, "a\t\tb"), ["a", "\t", "\t", "b"]);
        assert_eq!(words(PreTokenizer::Qwen2, "a\t\tb"), ["a", "\t", "\tb"]);
    }

    #[test]
    fn digits_stand_alone_or_by_three_or_together() {
        assert_eq!(words(PreTokenizer::Qwen2, "a 1234"), ["a", " ", "1", "2", "3", "4"]);
        assert_eq!(words(PreTokenizer::Llama3, "a 1234"), ["a", " ", "123", "4"]);
        assert_eq!(words(PreTokenizer::Gpt2, "a 1234"), ["a", " 1234"]);
        assert_eq!(words(PreTokenizer::Smollm, "a  12"), ["a", "  ", "1", "2"]);
    }

    #[test]
    fn newlines_close_what_is_before_them() {
        assert_eq!(words(PreTokenizer::Qwen2, "a \n \n  b"), ["a", " \n \n", " ", " b"]);
        assert_eq!(words(PreTokenizer::Qwen2, "!\n\nb"), ["!\n\n", "b"]);
        assert_eq!(words(PreTokenizer::Gpt2, "!\n\nb"), ["!", "\n", "\n", "b"]);
        assert_eq!(words(PreTokenizer::Llama3, "\na"), ["\n", "a"]);
    }

    #[test]
    fn contractions_ignore_case_where_the_pattern_does() {
        assert_eq!(words(PreTokenizer::Qwen2, "I'LL'ſ'x"), ["I", "'LL", "'ſ", "'x"]);
        assert_eq!(words(PreTokenizer::Gpt2, "I'LL'll"), ["I", "'", "LL", "'ll"]);
        assert_eq!(words(PreTokenizer::Qwen2, "'"), ["'"]);
    }
}
