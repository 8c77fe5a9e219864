//! A short text without heap memory.

use core::fmt::{self, Write};

/// The longest tensor name that GGUF allows.
const CAPACITY: usize = 63;

/// Up to 63 bytes of printable text: the name of a key or tensor.
///
/// Longer text is cut at a character; control characters are escaped, so a hostile name cannot
/// move a terminal's cursor.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name {
    bytes: [u8; CAPACITY],
    len: u8,
    cut: bool,
}

impl Name {
    /// The text that `text` displays as.
    pub fn of(text: impl fmt::Display) -> Self {
        let mut name = Self { bytes: [0; CAPACITY], len: 0, cut: false };
        // Writing to a name never fails: what does not fit is cut.
        let _ = write!(name, "{text}");
        name
    }

    /// The text of bytes that may not be UTF-8; what is not becomes U+FFFD.
    pub fn lossy(bytes: &[u8]) -> Self {
        let mut name = Self::of("");
        for chunk in bytes.utf8_chunks() {
            name.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                name.push(char::REPLACEMENT_CHARACTER);
            }
            if name.cut {
                break;
            }
        }
        name
    }

    /// The text, without a mark where it was cut.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }

    fn push_str(&mut self, text: &str) {
        for c in text.chars() {
            if self.cut {
                return;
            }
            if c.is_control() {
                c.escape_default().for_each(|c| self.push(c));
            } else {
                self.push(c);
            }
        }
    }

    fn push(&mut self, c: char) {
        let start = usize::from(self.len);
        self.cut |= start + c.len_utf8() > CAPACITY;
        if !self.cut {
            c.encode_utf8(&mut self.bytes[start..]);
            self.len += c.len_utf8() as u8;
        }
    }
}

impl Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        if self.cut { f.write_str("…") } else { Ok(()) }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::Name;
    use std::string::ToString;

    #[test]
    fn holds_the_longest_tensor_name() {
        let longest = "x".repeat(63);
        assert_eq!(Name::of(&longest).to_string(), longest);
    }

    #[test]
    fn cuts_between_characters() {
        let long = "é".repeat(40);
        assert_eq!(Name::of(&long).to_string(), "é".repeat(31) + "…");
    }

    #[test]
    fn escapes_control_characters_and_replaces_bad_bytes() {
        assert_eq!(Name::lossy(b"a\x1b[2J\xff\n").to_string(), "a\\u{1b}[2J\u{fffd}\\n");
    }
}
