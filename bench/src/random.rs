//! Random numbers, the same in every run.

/// Xorshift (Marsaglia 2003).
pub(crate) struct Random(u64);

impl Random {
    /// Starts from a name and a number, by their FNV-1a hash.
    pub(crate) fn new(name: &str, number: usize) -> Self {
        let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let bytes = name.bytes().chain(number.to_le_bytes());
        Self(bytes.fold(0xcbf2_9ce4_8422_2325, mix) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Writes random bytes.
    pub(crate) fn fill(&mut self, out: &mut [u8]) {
        let (words, rest) = out.as_chunks_mut();
        words.iter_mut().for_each(|word| *word = self.next().to_le_bytes());
        rest.fill_with(|| (self.next() >> 32) as u8);
    }

    /// A number of −1..1.
    pub(crate) fn symmetric(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}
