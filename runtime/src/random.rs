//! Random numbers and spread keys: SplitMix64 (Steele, Lea and Flood, "Fast splittable
//! pseudorandom number generators", 2014).

/// Spreads a key over all bits: the finaliser of SplitMix64.
pub(crate) fn mix(mut key: u64) -> u64 {
    key = (key ^ key >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ key >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ key >> 31
}

/// The next number of the generator `state`, in 0..1 with 53 random bits.
pub(crate) fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    (mix(*state) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::{mix, uniform};

    /// The first numbers of the reference implementation (Vigna's splitmix64.c) from state 0.
    #[test]
    fn numbers_are_those_of_the_reference() {
        assert_eq!(mix(0x9e37_79b9_7f4a_7c15), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mix(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(2)), 0x6e78_9e6a_a1b9_65f4);
        let mut state = 0;
        let first = (0xe220_a839_7b1d_cdaf_u64 >> 11) as f64;
        assert_eq!(uniform(&mut state), first / 9_007_199_254_740_992.0);
        assert_eq!(state, 0x9e37_79b9_7f4a_7c15);
    }
}
