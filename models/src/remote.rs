//! The beginning of a model's file on a server, in a file of the whole one's size.
//!
//! A model's sizes and formats are in the first megabytes of its file. The rest is left a hole,
//! which reads as zeros and takes no room on the disk.

use crate::child::{Program, succeeded};
use crate::draft::writing;
use crate::error::{Class, Error, Outcome};
use crate::header::Header;
use crate::scratch::Scratch;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// What is asked for at a time, and at most how often: the largest vocabularies have 9 MB.
const STEP_BYTES: u64 = 3 << 20;
const MAX_STEPS: u64 = 5;
/// Longer than any model's file.
const MAX_BYTES: u64 = 1 << 44;

/// The beginning of a model's file, in a temporary folder that is deleted with this.
pub struct Beginning(Scratch);

/// A short text on a server.
///
/// # Errors
///
/// If `curl` is missing, the server cannot be reached, or has no such page.
pub(crate) fn page(address: &str) -> Outcome<Vec<u8>> {
    let (bytes, is_there) = read(&curl(address), address, STEP_BYTES)?;
    // Where it is not, the reason has been told.
    let none = || Error::new(Class::Missing, "the address gives nothing").about(address);
    is_there.then_some(bytes).ok_or_else(none)
}

/// Follows an address, to stdout.
fn curl(address: &str) -> Program {
    let fixed = ["--silent", "--show-error", "--fail", "--location", "--max-time", "120"];
    Program::new("curl").args(fixed).args(["--proto", "=http,https", "--url", address])
}

/// At most so many bytes that a program prints, and whether it succeeded.
fn read(curl: &Program, address: &str, most: u64) -> Outcome<(Vec<u8>, bool)> {
    let fail = |error: io::Error| Error::new(Class::Failed, error.to_string()).about(address);
    let (output, input) = io::pipe().map_err(fail)?;
    let child = curl.start(&input).map_err(|error| {
        let message = format!("`curl` does not start ({error}); install it, or pull the model");
        Error::new(Class::Failed, message)
    })?;
    drop(input);
    let mut bytes = Vec::new();
    // Whoever sends more is cut off.
    let read = output.take(most).read_to_end(&mut bytes);
    let ended = child.wait();
    read.map_err(fail)?;
    Ok((bytes, succeeded(&ended)))
}

impl Beginning {
    /// The file.
    pub fn path(&self) -> PathBuf {
        self.0.path().join("beginning.gguf")
    }

    /// Downloads as much of a file as tells what the model is, and no more than 15 MiB.
    ///
    /// # Errors
    ///
    /// If `curl` is missing, the server cannot be reached, has no such file or does not send parts
    /// of files, the file is not a model's, or the temporary folder cannot be written to.
    pub fn fetch(address: &str) -> Outcome<Self> {
        let beginning = Self(Scratch::new()?);
        let path = &beginning.path();
        let mut file = File::create_new(path).map_err(storing(path))?;
        let (mut fetched, mut reason) = (0, None);
        for _ in 0..MAX_STEPS {
            let (bytes, size) = beginning.download(address, fetched..fetched + STEP_BYTES)?;
            file.write_all(&bytes).map_err(storing(path))?;
            fetched += bytes.len() as u64;
            file.set_len(size.max(fetched)).map_err(storing(path))?;
            match Header::of(path) {
                Ok(header) if header.bytes <= fetched => {
                    if header.rope_factors.end > fetched {
                        beginning.complete(&mut file, address, header.rope_factors)?;
                    }
                    return Ok(beginning);
                }
                outcome => reason = outcome.err(),
            }
            if bytes.is_empty() || fetched >= size {
                break;
            }
        }
        let late = || Error::new(Class::BadFile, "its data does not begin in the first 15 MiB");
        Err(reason.map_or_else(late, Error::from).about(address))
    }

    /// Adds the numbers of a tensor that say what the model is.
    fn complete(&self, file: &mut File, address: &str, place: Range<u64>) -> Outcome {
        if place.end - place.start > STEP_BYTES {
            let message = "tensor \"rope_freqs.weight\" is too long";
            return Err(Error::new(Class::BadFile, message).about(address));
        }
        let start = SeekFrom::Start(place.start);
        let (bytes, _) = self.download(address, place)?;
        file.seek(start).and_then(|_| file.write_all(&bytes)).map_err(storing(&self.path()))
    }

    /// Some bytes, and the size of the whole file.
    fn download(&self, address: &str, bytes: Range<u64>) -> Outcome<(Vec<u8>, u64)> {
        let headers = self.0.path().join("headers");
        let most = bytes.end - bytes.start;
        let range = format!("{}-{}", bytes.start, bytes.end - 1);
        let curl = curl(address).args(["--range", &range, "--dump-header"]).args([&headers]);
        let (bytes, is_there) = read(&curl, address, most + 1)?;
        let told = fs::read_to_string(&headers).unwrap_or_default();
        if bytes.len() as u64 > most || size(&told).is_none() && !bytes.is_empty() {
            let message = "the server does not send parts of files; pull the model";
            return Err(Error::new(Class::Failed, message).about(address));
        }
        // Where it is not, the reason has been told.
        let none = || Error::new(Class::Missing, "the address gives no file").about(address);
        is_there.then(|| (bytes, size(&told).unwrap_or(0))).ok_or_else(none)
    }
}

/// The size after the slash of `Content-Range: bytes 0-99/1000`, of the last answer there was.
fn size(headers: &str) -> Option<u64> {
    let line = headers.lines().rev().find(|line| {
        line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case("content-range"))
    })?;
    line.rsplit_once('/')?.1.trim().parse().ok().filter(|&size| size <= MAX_BYTES)
}

fn storing(path: &Path) -> impl Fn(io::Error) -> Error {
    move |error| writing(&error).about(path.display())
}
