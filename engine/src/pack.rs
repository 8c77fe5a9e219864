//! A model's file with its weights as this program multiplies them fastest.

use crate::error::Outcome;
use crate::host::all_threads;
use crate::load::about;
use dram_runtime::{Error, model};
use std::fs::File;
use std::path::Path;

/// Bytes of what [`pack`] writes; parts make one file.
///
/// # Errors
///
/// If `input` is not there.
pub fn packed_bytes(input: &Path) -> Outcome<u64> {
    Ok(model::Map::bytes_of(input).map_err(about(input))? as u64)
}

/// Writes the model of `input` with its weights in tiles to an empty file, which errors call `name`.
///
/// # Errors
///
/// If `input` is no model, or the file cannot be written.
pub fn pack(input: &Path, output: &File, name: &Path) -> Outcome {
    model::pack(input, output, all_threads()).map_err(|error| match error {
        Error::Output { .. } => about(name)(error),
        _ => about(input)(error),
    })
}
