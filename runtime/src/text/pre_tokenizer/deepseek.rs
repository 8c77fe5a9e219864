//! The patterns of DeepSeek's models: LLM and R1's base, Coder, and V3.

use super::scan::{run_while, spaces};
use crate::text::unicode::{Class, class, is_mark, is_punctuation, is_symbol};

/// ```text
/// [\r\n]
/// \s?[cased letters]+
/// \s?[!-/:-~！-／：-～‘-‟　-。]+
/// \s+$
/// [一-龥ࠀ-一가-\u{D7FF}]+
/// \p{N}+
/// ```
pub(super) fn llm(text: &str) -> usize {
    let cut = Cut { is_letter: is_cased, is_point: is_llm_point, ends_spaces: true };
    let word = cut.word(text);
    at_numbers(word, word.len())
}

/// ```text
/// [\r\n]
/// \s?\p{L}+
/// \s?\p{P}+
/// [一-龥ࠀ-一가-\u{D7FF}]+
/// \p{N}
/// ```
pub(super) fn coder(text: &str) -> usize {
    let is_letter = |c| class(c) == Class::Letter;
    let cut = Cut { is_letter, is_point: is_punctuation, ends_spaces: false };
    at_numbers(cut.word(text), 1)
}

/// The end of what a word's last pattern cuts first, with at most `digits` numbers in a word.
fn at_numbers(word: &str, digits: usize) -> usize {
    let is_number = |&c: &char| class(c) == Class::Number;
    match word.chars().next() {
        Some(first) if is_number(&first) => {
            word.chars().take(digits).take_while(is_number).map(char::len_utf8).sum()
        }
        _ => word.find(|c| is_number(&c)).unwrap_or(word.len()),
    }
}

/// What LLM and Coder have in common: each pattern cuts what those before it have left.
struct Cut<L, P> {
    is_letter: L,
    is_point: P,
    /// Whether spaces before a cut of the first three patterns are a word of their own.
    ends_spaces: bool,
}

impl<L: Fn(char) -> bool, P: Fn(char) -> bool> Cut<L, P> {
    /// The first word, as all patterns leave it but that of numbers.
    fn word<'t>(&self, text: &'t str) -> &'t str {
        let part = &text[..self.part(text)];
        let is_first = part.starts_with(is_ideograph);
        &part[..run_while(part, 0, |c| is_ideograph(c) == is_first)]
    }

    /// The end of what the patterns before that of ideographs cut first.
    fn part(&self, text: &str) -> usize {
        let Some(first) = text.chars().next() else { return 0 };
        if is_break(first) {
            return 1;
        }
        let start = if class(first) == Class::Space { first.len_utf8() } else { 0 };
        if self.begins(text, &self.is_letter) {
            let start = if (self.is_letter)(first) { 0 } else { start };
            return self.points_among(&text[..run_while(text, start, &self.is_letter)]);
        }
        if self.begins(text, &self.is_point) {
            let start = if (self.is_point)(first) { 0 } else { start };
            return self.points(text, start);
        }
        self.rest(text)
    }

    /// The end of what the pattern of punctuation cuts first from letters: LLM's has ASCII's.
    fn points_among(&self, letters: &str) -> usize {
        let is_other = |c| !(self.is_point)(c);
        let run =
            |from: usize| letters[from..].find(is_other).map_or(letters.len(), |at| from + at);
        let space = letters.len() - letters.trim_start_matches(|c| class(c) == Class::Space).len();
        match self.begins(letters, &self.is_point) {
            true => run(space),
            false => letters.find(&self.is_point).unwrap_or(letters.len()),
        }
    }

    /// Whether a word of such characters begins here, behind a space or not.
    fn begins(&self, text: &str, is: &impl Fn(char) -> bool) -> bool {
        let mut chars = text.chars();
        let first = chars.next();
        first.is_some_and(is)
            || first.is_some_and(|c| class(c) == Class::Space && !is_break(c))
                && chars.next().is_some_and(is)
    }

    /// Whether one of the first three patterns matches at the start of a text.
    fn is_cut(&self, text: &str) -> bool {
        text.starts_with(is_break)
            || self.begins(text, &self.is_letter)
            || self.begins(text, &self.is_point)
    }

    /// The end of a run of punctuation, in which letters have been cut before.
    fn points(&self, text: &str, start: usize) -> usize {
        let mut rest = text[start..].char_indices();
        let end = rest.find(|&(at, c)| {
            !(self.is_point)(c)
                || at > 0 && is_break(c)
                || self.begins(&text[start + at..], &self.is_letter)
        });
        end.map_or(text.len(), |(at, _)| start + at)
    }

    /// The end of what none of the first three patterns matches; spaces at its end may be a word of
    /// their own.
    fn rest(&self, text: &str) -> usize {
        let mut cuts = text.char_indices().map(|(at, _)| at);
        let end = cuts.find(|&at| self.is_cut(&text[at..])).unwrap_or(text.len());
        let spaces = text[..end].trim_end_matches(|c| class(c) == Class::Space).len();
        if self.ends_spaces && spaces > 0 { spaces } else { end }
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n')
}

/// In llama.cpp, to which files owe their names, spaces are in no range.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{800}'..='\u{9FA5}' | '\u{AC00}'..='\u{D7FF}') && class(c) != Class::Space
}

fn is_llm_point(c: char) -> bool {
    matches!(
        c,
        '!'..='/' | ':'..='~' | '！'..='／' | '：'..='～' | '‘'..='‟' | '\u{3001}'..='。'
    )
}

fn is_cased(c: char) -> bool {
    let range = CASED.partition_point(|&(_, last)| last < c);
    CASED.get(range).is_some_and(|&(first, _)| first <= c)
}

/// The letters of LLM's second pattern, in order.
#[rustfmt::skip]
const CASED: [(char, char); 87] = [
    ('A', 'Z'), ('a', 'z'), ('\u{B5}', '\u{B5}'), ('\u{C0}', '\u{D6}'), ('\u{D8}', '\u{F6}'),
    ('\u{F8}', '\u{1BA}'), ('\u{1BC}', '\u{1BF}'), ('\u{1C4}', '\u{293}'), ('\u{295}', '\u{2AF}'),
    ('\u{370}', '\u{373}'), ('\u{376}', '\u{376}'), ('\u{377}', '\u{377}'),
    ('\u{37B}', '\u{37D}'), ('\u{37F}', '\u{37F}'), ('\u{386}', '\u{386}'),
    ('\u{388}', '\u{38A}'), ('\u{38C}', '\u{38C}'), ('\u{38E}', '\u{3A1}'),
    ('\u{3A3}', '\u{3F5}'), ('\u{3F7}', '\u{481}'), ('\u{48A}', '\u{52F}'),
    ('\u{531}', '\u{556}'), ('\u{10A0}', '\u{10C5}'), ('\u{13A0}', '\u{13F5}'),
    ('\u{13F8}', '\u{13FD}'), ('\u{1C90}', '\u{1CBA}'), ('\u{1CBD}', '\u{1CBF}'),
    ('\u{1D00}', '\u{1D2B}'), ('\u{1D6B}', '\u{1D77}'), ('\u{1D79}', '\u{1D9A}'),
    ('\u{1E00}', '\u{1F15}'), ('\u{1F18}', '\u{1F1D}'), ('\u{1F20}', '\u{1F45}'),
    ('\u{1F48}', '\u{1F4D}'), ('\u{1F50}', '\u{1F57}'), ('\u{1F59}', '\u{1F59}'),
    ('\u{1F5B}', '\u{1F5B}'), ('\u{1F5D}', '\u{1F5D}'), ('\u{1F5F}', '\u{1F7D}'),
    ('\u{1F80}', '\u{1FB4}'), ('\u{1FB6}', '\u{1FBC}'), ('\u{1FBE}', '\u{1FBE}'),
    ('\u{1FC2}', '\u{1FC4}'), ('\u{1FC6}', '\u{1FCC}'), ('\u{1FD0}', '\u{1FD3}'),
    ('\u{1FD6}', '\u{1FDB}'), ('\u{1FE0}', '\u{1FEC}'), ('\u{1FF2}', '\u{1FF4}'),
    ('\u{1FF6}', '\u{1FFC}'), ('\u{2102}', '\u{2102}'), ('\u{2107}', '\u{2107}'),
    ('\u{210A}', '\u{2113}'), ('\u{2115}', '\u{2115}'), ('\u{2119}', '\u{211D}'),
    ('\u{2124}', '\u{2124}'), ('\u{2126}', '\u{2126}'), ('\u{2128}', '\u{2128}'),
    ('\u{212A}', '\u{212D}'), ('\u{212F}', '\u{2134}'), ('\u{2139}', '\u{2139}'),
    ('\u{213C}', '\u{213F}'), ('\u{2145}', '\u{2149}'), ('\u{214E}', '\u{214E}'),
    ('\u{2183}', '\u{2183}'), ('\u{2184}', '\u{2184}'), ('\u{2C00}', '\u{2C7B}'),
    ('\u{2C7E}', '\u{2CE4}'), ('\u{2CEB}', '\u{2CEE}'), ('\u{2CF2}', '\u{2CF2}'),
    ('\u{2CF3}', '\u{2CF3}'), ('\u{A640}', '\u{A66D}'), ('\u{A680}', '\u{A69B}'),
    ('\u{A722}', '\u{A76F}'), ('\u{A771}', '\u{A787}'), ('\u{A78B}', '\u{A78E}'),
    ('\u{AB70}', '\u{ABBF}'), ('\u{FB00}', '\u{FB06}'), ('\u{FB13}', '\u{FB17}'),
    ('\u{FF21}', '\u{FF3A}'), ('\u{FF41}', '\u{FF5A}'), ('\u{10400}', '\u{1044F}'),
    ('\u{104B0}', '\u{104D3}'), ('\u{104D8}', '\u{104FB}'), ('\u{10C80}', '\u{10CB2}'),
    ('\u{10CC0}', '\u{10CF2}'), ('\u{118A0}', '\u{118DF}'), ('\u{1E900}', '\u{1E943}'),
];

/// ```text
/// \p{N}{1,3}
/// [一-龥぀-ゟ゠-ヿ]+
/// [ASCII punctuation][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|
/// \s*[\r\n]+|\s+(?!\S)|\s+
/// ```
pub(super) fn v3(text: &str) -> usize {
    let is_number = |c| class(c) == Class::Number;
    match text.chars().next() {
        Some(first) if is_number(first) => {
            text.chars().take(3).take_while(|&c| is_number(c)).map(char::len_utf8).sum()
        }
        Some(first) if is_kana(first) => v3_last(text, |c| !is_kana(c)),
        _ => v3_last(text, |c| is_number(c) || is_kana(c)),
    }
}

fn is_kana(c: char) -> bool {
    matches!(c, '\u{4E00}'..='\u{9FA5}' | '\u{3040}'..='\u{30FF}')
}

/// V3's last pattern on a text that ends where `is_end` holds.
fn v3_last(text: &str, is_end: impl Fn(char) -> bool) -> usize {
    let mut chars = text.chars().take_while(|&c| !is_end(c));
    let Some(first) = chars.next() else { return 0 };
    let next = chars.next();
    let is_letter = |c| !is_end(c) && (class(c) == Class::Letter || is_mark(c));
    let is_point = |c| !is_end(c) && (is_punctuation(c) || is_symbol(c));
    if first.is_ascii_punctuation() && next.is_some_and(|c| c.is_ascii_alphabetic()) {
        return run_while(text, 1, |c| c.is_ascii_alphabetic());
    }
    if is_letter(first) {
        return run_while(text, 0, is_letter);
    }
    if !is_break(first) && !is_point(first) && next.is_some_and(is_letter) {
        return run_while(text, first.len_utf8(), is_letter);
    }
    let start = usize::from(first == ' ');
    let end = run_while(text, start, is_point);
    if end > start {
        return run_while(text, end, |c| is_break(c) && !is_end(c));
    }
    if class(first) == Class::Space {
        return spaces(text, is_end);
    }
    // No pattern matches: up to where one does.
    let others = text.char_indices().skip(1).find(|&(at, c)| {
        let next = text[at..].chars().nth(1).filter(|&c| !is_end(c));
        is_end(c)
            || is_letter(c)
            || is_point(c)
            || class(c) == Class::Space
            || next.is_some_and(is_letter)
    });
    others.map_or(text.len(), |(at, _)| at)
}
