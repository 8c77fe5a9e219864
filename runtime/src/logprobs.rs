//! How likely tokens were.

use crate::sample::Scratch;
use dram_targets::Kernels;

/// The most alternatives that are told of, as many as the OpenAI API allows.
pub const TOP_MAX: usize = 20;

/// Natural logarithms of probabilities, as the model's logits have them: no temperature, bias or
/// penalty has a part in them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Logprobs {
    /// Of the token that was chosen.
    pub chosen: f32,
    top: [(u32, f32); TOP_MAX],
    count: usize,
}

impl Logprobs {
    /// Of the `chosen` token and the `count` likeliest ones, of which at most [`TOP_MAX`] are kept.
    /// Logits that are not finite count as impossible.
    ///
    /// # Panics
    ///
    /// If there is not one logit for each token that `scratch` was made for, or no such token.
    pub fn new(
        scratch: &mut Scratch<'_>,
        kernels: &Kernels,
        logits: &[f32],
        chosen: u32,
        count: usize,
    ) -> Self {
        let finite = |x: f32| if x.is_finite() { x } else { f32::NEG_INFINITY };
        let scores = scratch.scores();
        scores.iter_mut().zip(logits).for_each(|(score, x)| *score = finite(*x));
        let (max, sum) = kernels.softmax_weights(scores);
        let total = max + libm::logf(sum);
        let top = [(0, f32::NEG_INFINITY); TOP_MAX];
        let count = count.min(TOP_MAX).min(logits.len());
        let mut all = Self { chosen: finite(logits[chosen as usize]) - total, top, count };
        for (id, x) in (0..).zip(logits) {
            all.insert(id, finite(*x) - total);
        }
        all
    }

    /// The likeliest tokens, likeliest first, and of equals the one with the smaller id.
    pub fn top(&self) -> &[(u32, f32)] {
        &self.top[..self.count]
    }

    /// Takes a token in if it is likelier than the last one kept; ids come in order.
    fn insert(&mut self, id: u32, logprob: f32) {
        let top = &mut self.top[..self.count];
        if top.last().is_none_or(|(_, least)| logprob <= *least) {
            return;
        }
        let at = top.partition_point(|(_, other)| *other >= logprob);
        top[at..].rotate_right(1);
        top[at] = (id, logprob);
    }
}

#[cfg(test)]
mod tests {
    use super::{Logprobs, TOP_MAX};
    use crate::sample::Scratch;
    use dram_targets::best;
    use std::vec;

    fn of(logits: &[f32], chosen: u32, count: usize) -> Logprobs {
        let mut memory = vec![0; Scratch::bytes(logits.len())];
        let mut scratch = Scratch::new(logits.len(), &mut memory).unwrap();
        Logprobs::new(&mut scratch, best(), logits, chosen, count)
    }

    #[test]
    fn they_are_logarithms_of_what_softmax_gives() {
        let logits = [0.1_f32, 0.4, 0.2, 0.3].map(|p| p.ln() + 5.0);
        let found = of(&logits, 2, 3);
        assert!((found.chosen - 0.2_f32.ln()).abs() < 1e-5, "{found:?}");
        let ids = found.top().iter().map(|(id, _)| *id);
        assert!(ids.eq([1, 3, 2]), "{found:?}");
        for ((_, logprob), p) in found.top().iter().zip([0.4_f32, 0.3, 0.2]) {
            assert!((logprob - p.ln()).abs() < 1e-5, "{found:?}");
        }
    }

    #[test]
    fn equal_ones_come_in_the_order_of_their_ids_and_are_bounded() {
        let found = of(&[1.0; 50], 49, 99);
        assert!(found.top().iter().map(|(id, _)| *id).eq(0..TOP_MAX as u32));
        assert_eq!(of(&[1.0, 2.0], 0, 5).top().len(), 2);
        assert!(of(&[1.0, 2.0], 0, 0).top().is_empty());
    }

    #[test]
    fn what_is_not_finite_is_impossible() {
        let found = of(&[f32::NAN, 1.0, f32::INFINITY], 1, 1);
        assert_eq!((found.chosen, found.top()), (0.0, &[(1, 0.0)][..]));
    }
}
