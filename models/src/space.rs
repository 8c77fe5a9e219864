//! Room on a disk.

use crate::error::{Class, Error, Outcome};
use nix::sys::statvfs::statvfs;
use std::path::Path;

/// Refuses what will not fit on a folder's file system. One that does not tell its size has room.
///
/// # Errors
///
/// If fewer than `bytes` are free for this user.
pub(crate) fn check(folder: &Path, bytes: u64) -> Outcome {
    match free_bytes(folder) {
        Some(free) if free < bytes => {
            let [needed, free] = [bytes, free].map(|bytes| bytes as f64 / 1e6);
            let message = format!(
                "needs {needed:.1} MB, {free:.1} MB are free on that disk; make room or take another"
            );
            Err(Error::new(Class::Failed, message))
        }
        _ => Ok(()),
    }
}

#[allow(clippy::useless_conversion, reason = "the numbers' types differ among systems")]
fn free_bytes(folder: &Path) -> Option<u64> {
    let about = statvfs(folder).ok().filter(|about| about.blocks() > 0)?;
    Some(u64::from(about.blocks_available()).saturating_mul(about.fragment_size().into()))
}
