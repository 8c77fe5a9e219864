//! The character classes of the pre-tokenizers' patterns, and GPT-2's printable form of bytes.

use unicode_general_category::{GeneralCategory as Category, get_general_category};

/// What the patterns distinguish; every character is in exactly one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// `\p{L}`
    Letter,
    /// `\p{N}`
    Number,
    /// `\s`, Unicode's White_Space
    Space,
    /// `[^\s\p{L}\p{N}]`
    Other,
}

/// The class of a character, as of Unicode 16.
pub(crate) fn class(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '0'..='9' => Class::Number,
        '\t'..='\r' | ' ' => Class::Space,
        '\0'..='\x7f' => Class::Other,
        _ if c.is_whitespace() => Class::Space,
        _ => match get_general_category(c) {
            Category::UppercaseLetter
            | Category::LowercaseLetter
            | Category::TitlecaseLetter
            | Category::ModifierLetter
            | Category::OtherLetter => Class::Letter,
            Category::DecimalNumber | Category::LetterNumber | Category::OtherNumber => {
                Class::Number
            }
            _ => Class::Other,
        },
    }
}

/// `\p{P}`
pub(crate) fn is_punctuation(c: char) -> bool {
    matches!(
        get_general_category(c),
        Category::ConnectorPunctuation
            | Category::DashPunctuation
            | Category::OpenPunctuation
            | Category::ClosePunctuation
            | Category::InitialPunctuation
            | Category::FinalPunctuation
            | Category::OtherPunctuation
    )
}

/// `\p{S}`
pub(crate) fn is_symbol(c: char) -> bool {
    matches!(
        get_general_category(c),
        Category::MathSymbol
            | Category::CurrencySymbol
            | Category::ModifierSymbol
            | Category::OtherSymbol
    )
}

/// `\p{M}`
pub(crate) fn is_mark(c: char) -> bool {
    matches!(
        get_general_category(c),
        Category::NonspacingMark | Category::SpacingMark | Category::EnclosingMark
    )
}

/// Whether GPT-2 writes a byte as the character of the same number.
const fn is_printable(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF)
}

/// The 68 bytes that are not printable are written as U+0100 and following.
const CHARS: [u16; 256] = {
    let mut chars = [0; 256];
    let mut next = 256;
    let mut byte = 0;
    while byte < 256 {
        if is_printable(byte as u8) {
            chars[byte] = byte as u16;
        } else {
            chars[byte] = next;
            next += 1;
        }
        byte += 1;
    }
    chars
};

/// The byte that each of the 324 characters stands for, or [`NO_BYTE`].
const BYTES: [u16; 324] = {
    let mut bytes = [NO_BYTE; 324];
    let mut byte = 0;
    while byte < 256 {
        bytes[CHARS[byte] as usize] = byte as u16;
        byte += 1;
    }
    bytes
};

const NO_BYTE: u16 = 256;

/// The character by which GPT-2's vocabularies write a byte.
pub(crate) fn char_of_byte(byte: u8) -> char {
    char::from_u32(CHARS[byte as usize].into()).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that a character of a token's text stands for; `None` if it stands for itself.
pub(crate) fn byte_of_char(c: char) -> Option<u8> {
    BYTES.get(c as usize).and_then(|&byte| u8::try_from(byte).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_characters_are_one_to_one() {
        for byte in 0..=255 {
            assert_eq!(byte_of_char(char_of_byte(byte)), Some(byte));
        }
        assert_eq!((char_of_byte(b' '), char_of_byte(b'\n'), char_of_byte(0xAD)), ('Ġ', 'Ċ', 'Ń'));
        assert_eq!(('\0'..=char::MAX).filter(|&c| byte_of_char(c).is_some()).count(), 256);
    }

    #[test]
    fn classes_of_awkward_characters() {
        let cases = [
            ('ſ', Class::Letter),
            ('中', Class::Letter),
            ('Ⅷ', Class::Number),
            ('½', Class::Number),
            ('٣', Class::Number),
            ('\u{85}', Class::Space),
            ('\u{A0}', Class::Space),
            ('\u{3000}', Class::Space),
            ('\u{200B}', Class::Other),
            ('\u{FEFF}', Class::Other),
            ('\u{301}', Class::Other),
            ('\u{345}', Class::Other),
            ('Ⓐ', Class::Other),
            ('🦙', Class::Other),
            ('\u{F8FF}', Class::Other),
        ];
        for (c, expected) in cases {
            assert_eq!(class(c), expected, "{c:?}");
        }
    }
}
