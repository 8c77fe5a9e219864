//! The files that tests read and the repository does not hold.
#![allow(unreachable_pub, dead_code, reason = "each test takes what it needs")]

use std::path::PathBuf;

/// The bytes of a file that `cargo x fetch` puts beside the build.
///
/// # Panics
///
/// If it is not there.
pub fn bytes(name: &str) -> Vec<u8> {
    let path = path(name);
    std::fs::read(&path)
        .unwrap_or_else(|reason| panic!("{}: {reason}; run `cargo x fetch` first", path.display()))
}

/// Where a file lies that `cargo x fetch` puts beside the build.
pub fn path(name: &str) -> PathBuf {
    let folder = std::env::var_os("DRAM_FETCHED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/fetched"),
        PathBuf::from,
    );
    folder.join(name)
}
