//! Bounded reading below a folder that stands for `/`.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Most bytes read of a file that tells one thing.
const MAX_SHORT: u64 = 1 << 14;
/// Most bytes read of any: `/proc/cpuinfo` of some hundred cores is the longest there is.
const MAX_LONG: u64 = 1 << 20;
/// Most names that are taken from a folder.
const MAX_NAMES: usize = 16_384;

/// Where the system's files are: `/`, or a folder that holds a recorded tree.
#[derive(Debug, Clone)]
pub struct Root(PathBuf);

impl Root {
    /// A folder that stands for `/`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The system this program runs on.
    pub fn system() -> Self {
        Self::new("/")
    }

    /// Whether this is the system this program runs on and not a recorded tree.
    pub fn is_system(&self) -> bool {
        self.0 == Path::new("/")
    }

    /// Where a path of the machine is.
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.join(path.trim_start_matches('/'))
    }

    /// Bytes of a memory page, as the kernel tells every program; `None` where it does not.
    ///
    /// `/proc/self/auxv` is pairs of words, a kind and its value; kind 6 is `AT_PAGESZ`.
    pub fn page_bytes(&self) -> Option<usize> {
        const WORD: usize = size_of::<usize>();
        let bytes = self.bytes("/proc/self/auxv", MAX_SHORT)?;
        let words = bytes.chunks_exact(WORD).map(|word| word.try_into().map(usize::from_ne_bytes));
        let words: Vec<usize> = words.collect::<Result<_, _>>().ok()?;
        let size = words.chunks_exact(2).find(|pair| pair[0] == 6)?[1];
        size.is_power_of_two().then_some(size)
    }

    /// A file's text without space and NULs around it; `None` if there is no such file, it is not a
    /// plain file, it cannot be read, or it is empty. What is not UTF-8 is replaced.
    pub(crate) fn text(&self, path: &str) -> Option<String> {
        trimmed(&self.bytes(path, MAX_SHORT)?)
    }

    /// The text of a file that may be long.
    pub(crate) fn long_text(&self, path: &str) -> Option<String> {
        trimmed(&self.bytes(path, MAX_LONG)?)
    }

    /// A file that holds one decimal number.
    pub(crate) fn number(&self, path: &str) -> Option<i64> {
        self.text(path)?.parse().ok()
    }

    /// A file that holds one number above zero.
    pub(crate) fn positive(&self, path: &str) -> Option<u64> {
        u64::try_from(self.number(path)?).ok().filter(|&number| number > 0)
    }

    /// Opens a plain file, to be read again and again.
    pub(crate) fn open(&self, path: &str) -> Option<File> {
        let path = self.path(path);
        // Opening a pipe would wait for whoever writes to it.
        if !fs::metadata(&path).ok()?.is_file() {
            return None;
        }
        File::open(path).ok()
    }

    /// Names in a folder that begin with a prefix, in the order of the numbers they end with.
    pub(crate) fn names(&self, folder: &str, prefix: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<_> =
            names.filter(|name| name.starts_with(prefix)).take(MAX_NAMES).collect();
        names.sort_by_key(|name| {
            let digits = name.trim_start_matches(|c: char| !c.is_ascii_digit());
            (digits.parse::<u64>().unwrap_or(u64::MAX), name.clone())
        });
        names
    }

    fn bytes(&self, path: &str, most: u64) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(path)?.take(most).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

fn trimmed(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
    (!text.is_empty()).then(|| text.into())
}
