//! Hashes of files.

use sha2::{Digest, Sha256};
use std::io::{self, Read, Write};

/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

/// Copies all that there is to read, and gives its SHA-256.
///
/// # Errors
///
/// If reading or writing fails.
pub(crate) fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<String> {
    let (mut sha256, mut buffer) = (Sha256::new(), vec![0; PIECE]);
    loop {
        let count = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count?,
        };
        if count == 0 {
            return Ok(hex(&sha256.finalize()));
        }
        sha256.update(&buffer[..count]);
        to.write_all(&buffer[..count])?;
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::copy;

    /// The example of FIPS 180-4, section B.1.
    #[test]
    fn of_abc() {
        let mut copied = Vec::new();
        let sha256 = copy(&mut &b"abc"[..], &mut copied).expect("memory can be read");
        assert_eq!(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(copied, b"abc");
    }
}
