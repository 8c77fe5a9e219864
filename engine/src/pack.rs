//! A model's file with its weights as this program multiplies them fastest.

use crate::error::Outcome;
use crate::host::all_threads;
use crate::load::about;
use dram_runtime::model;
use std::path::Path;

/// Writes the model of `input` to `output` with its weights in tiles.
///
/// # Errors
///
/// If `input` is no model or split in parts, or `output` cannot be written; then it is not there.
pub fn pack(input: &Path, output: &Path) -> Outcome {
    model::pack(input, output, all_threads()).map_err(about(input))
}
