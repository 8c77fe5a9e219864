//! How much of a prompt goes into one step.

use std::time::Duration;

/// A step in which others decode is to take no longer: about as long as somebody who reads along
/// does not notice.
const STEP: Duration = Duration::from_millis(120);
/// Tokens of a prompt before anything has been measured.
const FIRST: usize = 32;
/// A prompt gets on in every step.
const LEAST: usize = 4;

/// Finds, by what steps have cost, how many tokens of a prompt fit beside those who decode.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    columns: usize,
    most: usize,
}

impl Budget {
    /// Passes have at most so many columns.
    pub(super) const fn new(most: usize) -> Self {
        Self { columns: if FIRST < most { FIRST } else { most }, most }
    }

    /// Tokens of a prompt to read in the next step: all that a pass takes if nobody waits for a token.
    pub(super) const fn columns(&self, others_decode: bool) -> usize {
        if others_decode { self.columns } else { self.most }
    }

    /// Takes note that a step with so many tokens of a prompt took so long.
    ///
    /// A step costs a fixed part and one that grows with its tokens; asking for the share that would
    /// have fitted, again and again, ends where both together take [`STEP`].
    pub(super) fn learn(&mut self, columns: usize, worked: Duration) {
        if columns < LEAST.min(self.most) || worked.is_zero() {
            return;
        }
        let fitting = columns as f64 * STEP.as_secs_f64() / worked.as_secs_f64();
        self.columns = (fitting as usize).clamp(LEAST.min(self.most), self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, STEP};
    use std::time::Duration;

    /// Steps on a machine where decoding takes `fixed` and a token of a prompt `each` milliseconds.
    fn settled(fixed: f64, each: f64) -> (usize, f64) {
        let mut budget = Budget::new(256);
        let cost = |columns: usize| fixed + each * columns as f64;
        for _ in 0..50 {
            let columns = budget.columns(true);
            budget.learn(columns, Duration::from_secs_f64(cost(columns) / 1e3));
        }
        (budget.columns(true), cost(budget.columns(true)))
    }

    #[test]
    fn a_step_beside_others_settles_below_its_time_from_fast_and_slow() {
        for (fixed, each) in [(50.0, 4.0), (20.0, 1.0), (5.0, 20.0)] {
            let (columns, ms) = settled(fixed, each);
            assert!((0.7..=1.0).contains(&(ms / STEP.as_millis() as f64)), "{columns}: {ms} ms");
        }
        assert_eq!(settled(1.0, 0.01).0, 256, "no more than a pass takes");
        assert_eq!(settled(500.0, 50.0).0, 4, "a prompt gets on all the same");
    }

    #[test]
    fn alone_it_is_a_whole_pass_and_what_says_nothing_is_not_learnt_from() {
        let mut budget = Budget::new(64);
        assert_eq!((budget.columns(false), budget.columns(true)), (64, 32));
        budget.learn(1, Duration::from_secs(9));
        budget.learn(64, Duration::ZERO);
        assert_eq!(budget.columns(true), 32);
        budget.learn(64, Duration::from_millis(480));
        assert_eq!(budget.columns(true), 16);
        assert_eq!(Budget::new(2).columns(true), 2);
    }
}
