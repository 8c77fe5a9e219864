//! The parts of a split model as one file with its matrices in tiles.

use super::part::Part;
use super::tiles::{Source, write_at};
use crate::error::{Error, PartsFault};
use std::fs::File;
use std::vec::Vec;

/// What the file is written as.
const VERSION: u32 = 3;

/// Writes parts to one empty file.
///
/// # Errors
///
/// If a part cannot be read, its tensors lie otherwise than those of the first, or the file cannot be
/// written.
pub(super) fn write(parts: &[Source<'_>], output: &File, threads: usize) -> Result<(), Error> {
    let Some(first) = parts.first().map(|source| &source.part) else { return Ok(()) };
    let alignment = first.alignment();
    if parts.iter().any(|source| source.part.alignment() != alignment) {
        return Err(Error::Parts(PartsFault::Alignment));
    }
    let header = header(first, parts);
    write_at(output, &header, 0)?;
    let mut start = header.len();
    for source in parts {
        source.copy_data(output, threads, start)?;
        start += source.part.data().len().next_multiple_of(alignment);
    }
    Ok(())
}

/// All before the data: the keys of the first part but for those of the split, and all tensors.
fn header(first: &Part<'_>, parts: &[Source<'_>]) -> Vec<u8> {
    let keys: Vec<&[u8]> =
        first.keys().filter(|(name, _)| !name.starts_with("split.")).map(|(_, key)| key).collect();
    let tensors: usize = parts.iter().map(|source| source.part.tensors).sum();
    let mut header = b"GGUF".to_vec();
    header.extend(VERSION.to_le_bytes());
    header.extend((tensors as u64).to_le_bytes());
    header.extend((keys.len() as u64).to_le_bytes());
    keys.iter().for_each(|key| header.extend(*key));
    let mut base = 0;
    for source in parts {
        for (info, id) in source.infos() {
            header.extend(&source.part.bytes[info.at..info.type_at]);
            header.extend(id.to_le_bytes());
            header.extend((base + info.offset).to_le_bytes());
        }
        base += source.part.data().len().next_multiple_of(first.alignment()) as u64;
    }
    header.resize(header.len().next_multiple_of(first.alignment()), 0);
    header
}
