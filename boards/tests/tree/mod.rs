//! Trees of `/proc` and `/sys` as boards have them, each in one text file.
//!
//! They are put together from public dumps: names, numbers of parts, features and limits are those
//! of the boards; temperatures, clocks and free memory are such as could be found any day.
//!
//! A line `== PATH` begins a file; the lines after it are its content, `\0` being a NUL. In a path
//! `{2-5}` stands for each of these numbers, with the same content. `#` begins a comment.
#![allow(unreachable_pub, dead_code, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

/// Where the trees are.
pub fn trees() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../boards/tests/trees")
}

/// Unpacks a tree into an empty folder of this test and returns the folder.
///
/// # Panics
///
/// If there is no such tree.
pub fn unpack(name: &str) -> PathBuf {
    let folder = scratch(name);
    let text = fs::read_to_string(trees().join(format!("{name}.tree"))).unwrap();
    for file in text.split("\n== ").skip(1) {
        let (path, content) = file.split_once('\n').unwrap();
        paths(path).iter().for_each(|path| write(&folder, path, content.replace("\\0", "\0")));
    }
    folder
}

/// Writes one file of a tree.
pub fn write(folder: &Path, path: &str, content: impl AsRef<[u8]>) {
    let path = folder.join(path.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// An empty folder of a test.
pub fn scratch(name: &str) -> PathBuf {
    let test = std::thread::current().name().unwrap_or_default().replace("::", "-");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn paths(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else { return vec![path.into()] };
    let (range, after) = rest.split_once('}').unwrap();
    let (first, last) = range.split_once('-').unwrap();
    let (first, last): (u32, u32) = (first.parse().unwrap(), last.parse().unwrap());
    (first..=last).map(|number| format!("{before}{number}{after}")).collect()
}
