//! Random numbers, the same in every run.

/// An xorshift generator (Marsaglia 2003).
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ seed)
    }

    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.next() as usize % from.len()]
    }

    /// Numbers in −4..4.
    pub(crate) fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| (self.next() as f32 / u32::MAX as f32 - 0.5) * 8.0).collect()
    }

    /// Numbers at the edges of what floats can be, among ordinary ones.
    pub(crate) fn extreme_floats(&mut self, count: usize) -> Vec<f32> {
        let mut floats = self.floats(count);
        for x in &mut floats {
            if self.next().is_multiple_of(4) {
                *x = self.pick(&EXTREMES);
            }
        }
        floats
    }
}

/// No NaN, which would hide the rest of a sum: tests add one where they want it.
pub(crate) const EXTREMES: [f32; 12] = [
    0.0,
    -0.0,
    f32::MIN_POSITIVE,
    -f32::MIN_POSITIVE,
    1e-45,
    -1e-45,
    1e-30,
    f32::MAX,
    f32::MIN,
    65504.0,
    0.5,
    -126.5,
];
