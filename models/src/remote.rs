//! The beginning of a model's file on a server, in a file of the whole one's size.
//!
//! A model's sizes and formats are in the first megabytes of its file. The rest is left a hole,
//! which reads as zeros and takes no room on the disk.

use crate::draft::writing;
use crate::error::{Class, Error, Outcome};
use crate::header::Header;
use crate::scratch::Scratch;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
    let mut child = curl(address).spawn().map_err(starting)?;
    let output = child.stdout.take().expect("stdout is piped");
    let mut bytes = Vec::new();
    let read = output.take(STEP_BYTES).read_to_end(&mut bytes);
    let ended = child.wait();
    read.map_err(|error| Error::new(Class::Failed, error.to_string()).about(address))?;
    match ended {
        Ok(status) if status.success() => Ok(bytes),
        // It has told the reason itself.
        _ => Err(Error::new(Class::Missing, "the address gives nothing").about(address)),
    }
}

/// Follows an address, to stdout.
fn curl(address: &str) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--location", "--max-time", "120"]);
    curl.args(["--proto", "=http,https", "--url", address]);
    curl.stdin(Stdio::null()).stdout(Stdio::piped());
    curl
}

fn starting(error: io::Error) -> Error {
    let message = format!("`curl` does not start ({error}); install it, or pull the model");
    Error::new(Class::Failed, message)
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
        let mut curl = curl(address);
        curl.args(["--range", &range, "--dump-header"]).arg(&headers);
        let mut child = curl.spawn().map_err(starting)?;
        let mut bytes = Vec::new();
        let output = child.stdout.take().expect("stdout is piped");
        // A server that sends the whole file is cut off.
        let read = output.take(most + 1).read_to_end(&mut bytes);
        let ended = child.wait();
        let told = fs::read_to_string(&headers).unwrap_or_default();
        let fail = |message: String| Error::new(Class::Failed, message).about(address);
        read.map_err(|error| fail(error.to_string()))?;
        if bytes.len() as u64 > most || size(&told).is_none() && !bytes.is_empty() {
            return Err(fail("the server does not send parts of files; pull the model".into()));
        }
        match ended {
            Ok(status) if status.success() => Ok((bytes, size(&told).unwrap_or(0))),
            // It has told the reason itself.
            _ => Err(Error::new(Class::Missing, "the address gives no file").about(address)),
        }
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
