//! The beginning of GGUF files that are made here.

use super::part::Part;
use std::vec::Vec;

const VERSION: u32 = 3;

/// The keys of a file but for those of a split and those that `is_left_out`, as they lie.
pub(super) fn kept_keys<'a>(part: &Part<'a>, is_left_out: impl Fn(&str) -> bool) -> Vec<&'a [u8]> {
    let kept = part.keys().filter(|(name, _)| !name.starts_with("split.") && !is_left_out(name));
    kept.map(|(_, key)| key).collect()
}

/// All before the entries of so many tensors.
pub(super) fn begin(tensors: usize, keys: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut header = b"GGUF".to_vec();
    header.extend(VERSION.to_le_bytes());
    header.extend((tensors as u64).to_le_bytes());
    header.extend((keys.len() as u64).to_le_bytes());
    keys.iter().for_each(|key| header.extend(key.as_ref()));
    header
}

/// A string as GGUF has it.
pub(super) fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}
