//! FNV-1a with 64 bits (<http://www.isthe.com/chongo/tech/comp/fnv/>): a hash for tables,
//! fingerprints and checksums. It does not withstand intent.

/// The hash of the bytes so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fnv(u64);

impl Fnv {
    /// The hash of no bytes.
    pub(crate) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    /// Adds bytes; how they are divided over calls makes no difference.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    /// The hash of all bytes added.
    pub(crate) const fn finish(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Fnv;

    /// From the test vectors of the hash's authors.
    #[test]
    fn hashes_are_those_of_the_reference() {
        let mut hash = Fnv::new();
        assert_eq!(hash.finish(), 0xcbf2_9ce4_8422_2325);
        hash.write(b"foo");
        hash.write(b"bar");
        assert_eq!(hash.finish(), 0x8594_4171_f739_67e8);
    }
}
