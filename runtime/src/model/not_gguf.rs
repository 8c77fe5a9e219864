//! What a file is that does not start as GGUF files do, by its first bytes.

use core::fmt;

/// What people have in place of a model, and what to do about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotGguf {
    /// No bytes at all.
    Empty,
    /// Fewer bytes than say anything.
    Short,
    /// GGUF of the other byte order.
    BigEndian,
    /// A GGML format from before GGUF.
    Ggml,
    /// What Git has in place of a file that Git LFS keeps.
    LfsPointer,
    /// A page, often one that says why there is no download.
    WebPage,
    /// An answer of a server in JSON or XML, likewise, or a model's configuration.
    Answer(&'static str),
    /// A ZIP archive, which PyTorch's checkpoints are too.
    Zip,
    /// Another archive or a compressed file.
    Packed(&'static str),
    /// The format of Hugging Face's models.
    Safetensors,
    /// A pickle of Python, as PyTorch's older checkpoints are.
    Pickle,
    /// Zeros: room was made for the file, and its bytes have not come.
    Zeros,
    /// Text.
    Text,
    /// None of these.
    Unknown,
}

/// How far to look: a tar archive says what it is at byte 257.
const LOOK: usize = 512;

/// First bytes of archives and compressed files. Source: the magic numbers of `file(1)`.
const PACKED: [(&[u8], &str); 7] = [
    (b"\x1f\x8b", "gzip file"),
    (b"\x28\xb5\x2f\xfd", "zstd file"),
    (b"\xfd7zXZ\0", "xz file"),
    (b"BZh", "bzip2 file"),
    (b"7z\xbc\xaf\x27\x1c", "7z archive"),
    (b"Rar!\x1a\x07", "RAR archive"),
    (b"\x04\x22\x4d\x18", "lz4 file"),
];

impl NotGguf {
    /// What a file that begins with `bytes` is; `None` if it may be GGUF.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        if bytes.starts_with(b"GGUF") {
            return None;
        }
        let start = &bytes[..bytes.len().min(LOOK)];
        Some(match start {
            [] => Self::Empty,
            _ if start.iter().all(|byte| *byte == 0) => Self::Zeros,
            _ if start.len() < 4 => Self::Short,
            [b'F', b'U', b'G', b'G', ..] => Self::BigEndian,
            [b't', b'j', b'g', b'g', ..]
            | [b'f', b'm', b'g', b'g', ..]
            | [b'l', b'm', b'g', b'g', ..]
            | [b'a', b'l', b'g', b'g', ..] => Self::Ggml,
            [b'P', b'K', 3 | 5, 4 | 6, ..] => Self::Zip,
            [_, _, _, _, _, _, _, _, b'{', ..] if has_header(bytes) => Self::Safetensors,
            // The opcode PROTO with a version that there is.
            [0x80, 1..=5, ..] => Self::Pickle,
            _ => Self::of_packed(start).unwrap_or_else(|| Self::of_text(start)),
        })
    }

    fn of_packed(start: &[u8]) -> Option<Self> {
        if start.get(257..262) == Some(b"ustar") {
            return Some(Self::Packed("tar archive"));
        }
        PACKED
            .iter()
            .find(|(magic, _)| start.starts_with(magic))
            .map(|(_, what)| Self::Packed(what))
    }

    fn of_text(start: &[u8]) -> Self {
        // The last character may be cut.
        let strays = start.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count();
        if start.contains(&0) || strays > 1 {
            return Self::Unknown;
        }
        let bom = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
        let text = bom.trim_ascii_start();
        let begins = |with: &str| {
            text.get(..with.len()).is_some_and(|text| text.eq_ignore_ascii_case(with.as_bytes()))
        };
        match text {
            _ if begins("version https://git-lfs") => Self::LfsPointer,
            _ if begins("<?xml") => Self::Answer("XML"),
            [b'<', ..] => Self::WebPage,
            [b'{' | b'[', ..] => Self::Answer("JSON"),
            _ => Self::Text,
        }
    }
}

/// Whether the first eight bytes are the length of a header that the file can have.
fn has_header(bytes: &[u8]) -> bool {
    let length = bytes.first_chunk().copied().map_or(0, u64::from_le_bytes);
    length > 0 && length <= 1 << 30
}

impl fmt::Display for NotGguf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = match self {
            Self::Empty => "is empty; get it again",
            Self::Short => "is too short for a GGUF file; get it again",
            Self::BigEndian => {
                "is a big-endian GGUF file; convert the model to a little-endian file"
            }
            Self::Ggml => "is in a GGML format from before GGUF; get a newer file of this model",
            Self::LfsPointer => {
                "is a Git LFS pointer, not the model; fetch the model with `git lfs pull`"
            }
            Self::WebPage => "is a web page, not a model; check the address it was downloaded from",
            Self::Zip => {
                "is a ZIP archive or a PyTorch checkpoint; unpack it, or convert it to GGUF"
            }
            Self::Safetensors => "is in safetensors format; convert it to GGUF",
            Self::Pickle => "is a PyTorch checkpoint (a pickle of Python); convert it to GGUF",
            Self::Zeros => {
                "begins with zeros: the download is not finished or its bytes were lost; get it \
                 again"
            }
            Self::Text => "is text, not a model; check the path",
            Self::Unknown => "does not start with \"GGUF\", it is no model; check the path",
            Self::Answer(form) => {
                return write!(
                    f,
                    "the file is {form}, as servers answer with when something is wrong, and not a \
                     model; read it, and check the address it was downloaded from"
                );
            }
            Self::Packed(what) => {
                return write!(
                    f,
                    "the file is a {what}; unpack it, and name the model's file in it"
                );
            }
        };
        write!(f, "the file {told}")
    }
}

#[cfg(test)]
mod tests {
    use super::NotGguf::{
        Answer, BigEndian, Empty, Ggml, LfsPointer, Packed, Pickle, Safetensors, Short, Text,
        Unknown, WebPage, Zeros, Zip,
    };
    use super::{NotGguf, PACKED};
    use std::vec;

    #[test]
    fn each_kind_is_told_by_its_first_bytes() {
        let cases: [(&[u8], NotGguf); 19] = [
            (b"", Empty),
            (b"GG", Short),
            (b"FUGG\0\0\0\x03", BigEndian),
            (b"tjgg\x03\0\0\0", Ggml),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:", LfsPointer),
            (b"<!DOCTYPE html>", WebPage),
            (b"\xef\xbb\xbf\r\n  <HTML><head>", WebPage),
            (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied", Answer("XML")),
            (b"{\"error\":\"Invalid username or password.\"}", Answer("JSON")),
            (b"[{\"type\": 1}]", Answer("JSON")),
            (b"PK\x03\x04\x14\0", Zip),
            (b"\x40\0\0\0\0\0\0\0{\"__metadata__\":{}}", Safetensors),
            (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", Pickle),
            (&[0; 700], Zeros),
            (b"\0\0", Zeros),
            (b"Repository not found", Text),
            (b"Entr\xc3\xa9e introuvable \xc3", Text),
            (b"\x7fELF\x02\x01\x01\0", Unknown),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff{\"a\":1}", Unknown),
        ];
        for (bytes, must) in cases {
            assert_eq!(NotGguf::sniff(bytes), Some(must), "{}", bytes.escape_ascii());
        }
        assert_eq!(NotGguf::sniff(b"GGUF\x03"), None);
    }

    #[test]
    fn archives_are_named() {
        for (magic, what) in PACKED {
            assert_eq!(NotGguf::sniff(&[magic, b"\0\x01\x02\x03"].concat()), Some(Packed(what)));
        }
        let mut tar = vec![b'a'; 600];
        tar[10..100].fill(0);
        tar[257..262].copy_from_slice(b"ustar");
        assert_eq!(NotGguf::sniff(&tar), Some(Packed("tar archive")));
    }
}
