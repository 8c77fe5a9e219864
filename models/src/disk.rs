//! How fast the disk with the models is.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Most bytes that are read, and how long at most: a slow card tells its speed sooner.
const MAX_BYTES: usize = 64 << 20;
const MAX_TIME: Duration = Duration::from_secs(3);
const STEP_BYTES: usize = 1 << 20;
/// What Linux asks of addresses and sizes of reads past its cache.
const ALIGNMENT: usize = 4096;
/// Opens a file so that reads go past the kernel's cache, where the system has a flag for it.
const DIRECT: i32 = {
    #[cfg(target_os = "linux")]
    let flag = nix::fcntl::OFlag::O_DIRECT.bits();
    #[cfg(not(target_os = "linux"))]
    let flag = 0;
    flag
};

/// How fast a file was read.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The file.
    pub file: PathBuf,
    /// How much of it was read.
    pub bytes: usize,
    /// How long that took.
    pub seconds: f64,
    /// Whether the kernel may have had the file in memory.
    pub may_be_cached: bool,
}

impl Disk {
    /// The speed.
    pub fn bytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.seconds.max(1e-9)
    }

    /// Reads the beginning of a file, past the kernel's cache where the file system can.
    ///
    /// `None` if it cannot be read or is empty.
    pub fn measure(file: &Path) -> Option<Self> {
        if !fs::metadata(file).ok()?.is_file() {
            return None;
        }
        let past_cache = OpenOptions::new().read(true).custom_flags(DIRECT).open(file);
        let direct = past_cache.ok().and_then(read).map(|speed| (speed, false));
        // A file system in memory refuses to read past the cache.
        let (speed, may_be_cached) =
            direct.or_else(|| Some((read(File::open(file).ok()?)?, true)))?;
        let (bytes, seconds) = speed;
        Some(Self { file: file.into(), bytes, seconds, may_be_cached })
    }
}

/// Bytes read and seconds.
fn read(mut file: File) -> Option<(usize, f64)> {
    let mut buffer = vec![0; STEP_BYTES + ALIGNMENT];
    let start = buffer.as_ptr().align_offset(ALIGNMENT);
    let buffer = buffer.get_mut(start..start + STEP_BYTES)?;
    let (mut bytes, begin) = (0, Instant::now());
    while bytes < MAX_BYTES && begin.elapsed() < MAX_TIME {
        match file.read(buffer).ok()? {
            0 => break,
            read => bytes += read,
        }
    }
    (bytes > 0).then(|| (bytes, begin.elapsed().as_secs_f64()))
}

/// The largest model's file in a folder.
pub fn largest(folder: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let models = files.filter(|path| path.extension().is_some_and(|kind| kind == "gguf"));
    models.max_by_key(|path| fs::metadata(path).map_or(0, |file| file.len()))
}
