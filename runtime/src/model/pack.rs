//! Writing a model's file, or the parts of a split one, as one file with its matrices in tiles.

use super::files;
use super::header;
use super::part::Part;
use super::tiles::{Source, with_sources, write_at};
use crate::error::{Error, PartsFault};
use std::fs::File;
use std::path::Path;
use std::vec::Vec;

/// Writes the file at `input` (all parts of a split one) with its matrices in tiles to `output`, one
/// empty file: what [`Map::read_tiles`](super::Map::read_tiles) gives, piece by piece, so that a model larger than the memory
/// is packed too.
///
/// Other programs refuse the packed file, as its type ids are this program's own.
///
/// # Errors
///
/// As [`Map::read_tiles`](super::Map::read_tiles); [`PartsFault::Alignment`](crate::PartsFault::Alignment) for parts that do
/// not go together; [`Error::Output`] if writing fails. What `output` holds then is of no use.
pub fn pack(input: &Path, output: &File, threads: usize) -> Result<(), Error> {
    with_sources(&files::parts(input)?, |sources| match sources {
        [source] => source.copy(output, threads),
        parts => write(parts, output, threads),
    })
}

/// Writes parts to one empty file.
///
/// # Errors
///
/// If a part cannot be read, its tensors lie otherwise than those of the first, or the file cannot be
/// written.
fn write(parts: &[Source<'_>], output: &File, threads: usize) -> Result<(), Error> {
    let Some(first) = parts.first().map(|source| &source.part) else { return Ok(()) };
    let alignment = first.alignment();
    if parts.iter().any(|source| source.part.alignment() != alignment) {
        return Err(Error::Parts(PartsFault::Alignment));
    }
    let header = header_of(first, parts);
    write_at(output, &header, 0)?;
    let mut start = header.len();
    for source in parts {
        source.copy_data(output, threads, start)?;
        start += source.part.data().len().next_multiple_of(alignment);
    }
    Ok(())
}

/// All before the data: the keys of the first part but for those of the split, and all tensors.
fn header_of(first: &Part<'_>, parts: &[Source<'_>]) -> Vec<u8> {
    let tensors: usize = parts.iter().map(|source| source.part.tensors).sum();
    let mut header = header::begin(tensors, &header::kept_keys(first, |_| false));
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
