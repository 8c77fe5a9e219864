//! One GGUF file, checked from its first byte to the end of its data.
//!
//! ```text
//! "GGUF"  version u32  tensors u64  keys u64
//! keys × (name  type u32  value)
//! tensors × (name  dimensions u32  u64 each  type u32  offset u64)
//! padding to general.alignment  data: every tensor, each padded to general.alignment
//! ```
//!
//! Source: the specification `docs/gguf.md` of ggml.

use super::not_gguf::NotGguf;
use super::number::Type;
use super::reader::{Reader, plain};
use super::tensor::Info;
use super::value::Value;
use crate::error::{Error, FileFault, KeyFault, Name, TensorFault};
use crate::hash::Fnv;

/// Keys a file may have.
pub const KEYS_MAX: usize = 1024;
/// Tensors a model may have, in all its parts.
pub const TENSORS_MAX: usize = 4096;

/// Bytes of the shortest key: a name of one byte and a value of one.
const KEY_BYTES: usize = 8 + 1 + 4 + 1;
/// Bytes of the shortest tensor entry: a name of one byte and one dimension.
const TENSOR_BYTES: usize = 8 + 1 + 4 + 8 + 4 + 8;

const ALIGNMENT_MAX: u32 = 1 << 20;

/// One file's bytes and where its sections are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    pub bytes: &'a [u8],
    /// Where the tensor entries start.
    infos: usize,
    pub tensors: usize,
    alignment: usize,
    /// Where the data starts.
    data: usize,
    keys: usize,
    /// Where each key starts, so that finding one does not walk through the vocabulary.
    index: [usize; KEYS_MAX],
}

impl<'a> Part<'a> {
    /// Checks everything but the uniqueness of the tensors' names.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes, 0);
        if let Some(other) = NotGguf::sniff(bytes) {
            return Err(Error::file(0, FileFault::Magic(other)));
        }
        reader.take(4)?;
        check_version(&mut reader)?;
        let tensors = count(&mut reader, "tensors", TENSOR_BYTES, TENSORS_MAX)?;
        let keys = count(&mut reader, "keys", KEY_BYTES, KEYS_MAX)?;
        let index = [0; KEYS_MAX];
        let mut part = Self { bytes, infos: 0, tensors, alignment: 32, data: 0, keys, index };
        part.check_keys(&mut reader)?;
        part.alignment = part.read_alignment()?;
        part.infos = reader.at();
        part.check_tensors(&mut reader)?;
        Ok(part)
    }

    fn check_keys(&mut self, reader: &mut Reader<'a>) -> Result<(), Error> {
        let mut seen = Seen::new();
        for start in &mut self.index[..self.keys] {
            *start = reader.at();
            let key = key_name(reader)?;
            if !seen.insert(key) {
                return Err(Error::key(key, KeyFault::Duplicate));
            }
            Value::check(reader, key)?;
        }
        Ok(())
    }

    fn read_alignment(&self) -> Result<usize, Error> {
        let key = "general.alignment";
        let Some((_, value)) = self.values().find(|(name, _)| *name == key) else {
            return Ok(32);
        };
        let must = "a power of two from 1 to 1048576";
        let wrong = KeyFault::Type { found: value.ty(), must: "u32" };
        let number = value.number().filter(|_| value.ty() == Type::U32);
        let alignment = value.unsigned().and_then(|n| u32::try_from(n).ok());
        match (number, alignment) {
            (Some(_), Some(n)) if n.is_power_of_two() && n <= ALIGNMENT_MAX => Ok(n as usize),
            (Some(found), _) => Err(Error::key(key, KeyFault::Number { found, must })),
            (None, _) => Err(Error::key(key, wrong)),
        }
    }

    /// Checks the tensor entries, and that the file holds the data of all.
    fn check_tensors(&mut self, reader: &mut Reader<'a>) -> Result<(), Error> {
        let mut end = 0_usize;
        for _ in 0..self.tensors {
            let info = Info::read(reader)?;
            let fault = |fault| Error::tensor(info.name, fault);
            if info.offset != end as u64 {
                let (found, must) = (info.offset, end as u64);
                return Err(fault(TensorFault::Offset { found, must }));
            }
            let after = end.checked_add(info.bytes);
            let after = after.and_then(|at| at.checked_next_multiple_of(self.alignment));
            end = after.ok_or_else(|| fault(TensorFault::Huge))?;
        }
        self.data = reader.at().next_multiple_of(self.alignment);
        self.check_end()
    }

    fn check_end(&self) -> Result<(), Error> {
        let Some(last) = self.infos().last() else { return Ok(()) };
        let needed =
            (self.data as u64).saturating_add(last.offset).saturating_add(last.bytes as u64);
        if needed <= self.bytes.len() as u64 {
            return Ok(());
        }
        Err(Error::file(self.bytes.len(), FileFault::Truncated { needed }))
    }

    /// Every key with its value, in the order of the file.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + '_ {
        self.index[..self.keys].iter().filter_map(|&start| {
            let mut reader = Reader::new(self.bytes, start);
            let name = key_name(&mut reader).ok()?;
            Some((name, Value::at(reader)?))
        })
    }

    /// Every key, and with its value as it lies.
    #[cfg(feature = "std")]
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + '_ {
        let starts = &self.index[..self.keys];
        let ends = starts.iter().skip(1).chain([&self.infos]);
        core::iter::zip(starts, ends).filter_map(|(&start, &end)| {
            let name = key_name(&mut Reader::new(self.bytes, start)).ok()?;
            Some((name, self.bytes.get(start..end)?))
        })
    }

    /// All keys with their values, as they lie.
    pub(crate) fn key_bytes(&self) -> &'a [u8] {
        let start = if self.keys > 0 { self.index[0] } else { self.infos };
        &self.bytes[start..self.infos]
    }

    /// Every tensor's entry, in the order of the file.
    pub(crate) fn infos(&self) -> impl Iterator<Item = Info<'a>> + use<'a> {
        let mut reader = Reader::new(self.bytes, self.infos);
        (0..self.tensors).map_while(move |_| Info::read(&mut reader).ok())
    }

    /// What the offsets of tensors are multiples of.
    #[cfg(feature = "std")]
    pub(crate) const fn alignment(&self) -> usize {
        self.alignment
    }

    /// Where in the file the data of tensors is.
    #[cfg(feature = "std")]
    pub(crate) fn data(&self) -> core::ops::Range<usize> {
        let end = self.infos().last().map(|info| self.start(&info) + info.bytes);
        self.data..end.unwrap_or(self.data)
    }

    /// Where in the file a tensor's data starts.
    pub(crate) fn start(&self, info: &Info<'a>) -> usize {
        self.data + info.offset as usize
    }
}

fn check_version(reader: &mut Reader<'_>) -> Result<(), Error> {
    let offset = reader.at();
    match reader.u32()? {
        2 | 3 => Ok(()),
        version => Err(Error::file(offset, FileFault::Version(version))),
    }
}

/// Reads a count of things of at least `bytes` bytes each.
fn count(
    reader: &mut Reader<'_>,
    what: &'static str,
    bytes: usize,
    most: usize,
) -> Result<usize, Error> {
    let offset = reader.at();
    let found = reader.u64()?;
    let most = most.min(reader.left().len() / bytes);
    match usize::try_from(found) {
        Ok(count) if count <= most => Ok(count),
        _ => Err(Error::file(offset, FileFault::Count { what, found, most })),
    }
}

fn key_name<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Error> {
    let offset = reader.at();
    let length = reader.u64()?;
    if !(1..=65535).contains(&length) {
        return Err(Error::file(offset, FileFault::KeyLength(length)));
    }
    let name = reader.take(length)?;
    plain(name).ok_or_else(|| Error::Key { key: Name::lossy(name), fault: KeyFault::Name })
}

/// A set of names without heap memory, by their 64-bit FNV-1a hashes.
///
/// Two names of one hash would count as one; that takes intent, and then only a file made to be
/// refused is refused.
pub(crate) struct Seen([u64; TENSORS_MAX]);

impl Seen {
    pub(crate) const fn new() -> Self {
        Self([0; TENSORS_MAX])
    }

    /// Adds a name; false if it is there already, or the set is full.
    pub(crate) fn insert(&mut self, name: &str) -> bool {
        let mut hash = Fnv::new();
        hash.write(name.as_bytes());
        // Zero marks a free slot.
        let hash = hash.finish().max(1);
        let home = (hash % TENSORS_MAX as u64) as usize;
        let (before, after) = self.0.split_at_mut(home);
        match after.iter_mut().chain(before).find(|slot| **slot == 0 || **slot == hash) {
            Some(slot) if *slot == 0 => {
                *slot = hash;
                true
            }
            _ => false,
        }
    }
}
