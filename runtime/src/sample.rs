//! Choosing the next token from its logits.

use crate::arena::Arena;
use crate::error::{Error, SessionFault};
use crate::random::uniform;
use dram_targets::Kernels;

/// How tokens are chosen. Steps apply in the order of the fields.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling<'a> {
    /// Added to the logits of tokens.
    pub logit_bias: &'a [(u32, f32)],
    /// Divides a positive logit, multiplies a negative one, of every token in the window; 1 is off.
    pub repeat_penalty: f32,
    /// Subtracted for each time a token is in the window; 0 is off.
    pub frequency_penalty: f32,
    /// Subtracted once for a token that is in the window; 0 is off.
    pub presence_penalty: f32,
    /// Divides all logits; 0 takes the largest and leaves out what follows.
    pub temperature: f32,
    /// Keeps this many of the likeliest tokens; 0 is off.
    pub top_k: usize,
    /// Keeps the likeliest tokens that together have this probability; 1 is off.
    pub top_p: f32,
    /// Keeps tokens at least this likely relative to the likeliest; 0 is off.
    pub min_p: f32,
    /// Start of the random numbers: equal seeds choose equal tokens.
    pub seed: u64,
}

impl Sampling<'_> {
    /// Always the likeliest token.
    pub const GREEDY: Self = Self {
        logit_bias: &[],
        repeat_penalty: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        seed: 0,
    };

    /// What the DeepSeek-R1 distills' authors advise.
    pub const R1: Self = Self { temperature: 0.6, top_p: 0.95, ..Self::GREEDY };

    /// A choice that suits most other models.
    pub const COMMON: Self =
        Self { temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0.05, ..Self::GREEDY };
}

/// Tokens that penalties look back on.
const WINDOW: usize = 64;

/// Chooses tokens, and remembers the last ones for the penalties.
#[derive(Debug)]
pub struct Sampler<'a> {
    sampling: Sampling<'a>,
    random: u64,
    /// `(tokens)`: logits, then weights.
    scores: &'a mut [f32],
    /// `(tokens)`: ids of those still in question.
    ids: &'a mut [u32],
    /// `(tokens)`: how often each is in the window.
    counts: &'a mut [u16],
    window: [u32; WINDOW],
    taken: usize,
}

impl<'a> Sampler<'a> {
    /// Bytes of memory for a model with that many tokens.
    pub fn bytes(tokens: usize) -> usize {
        let mut arena = Arena::measuring();
        let taken = Self::carve(tokens, &mut arena);
        taken.map_or(usize::MAX, |_| arena.bytes())
    }

    #[allow(clippy::type_complexity, reason = "three slices")]
    fn carve(
        tokens: usize,
        arena: &mut Arena<'a>,
    ) -> Result<(&'a mut [f32], &'a mut [u32], &'a mut [u16]), Error> {
        Ok((arena.take(tokens)?, arena.take(tokens)?, arena.take(tokens)?))
    }

    /// Starts with an empty window, in `memory` of at least [`Self::bytes`].
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`] if there is less.
    pub fn new(sampling: Sampling<'a>, tokens: usize, memory: &'a mut [u8]) -> Result<Self, Error> {
        let (scores, ids, counts) = Self::carve(tokens, &mut Arena::new(memory))?;
        counts.fill(0);
        let (random, window) = (sampling.seed, [0; WINDOW]);
        Ok(Self { sampling, random, scores, ids, counts, window, taken: 0 })
    }

    /// Remembers a token that is part of the text.
    pub fn accept(&mut self, token: u32) {
        let slot = &mut self.window[self.taken % WINDOW];
        if self.taken >= WINDOW {
            self.counts[*slot as usize] -= 1;
        }
        *slot = token;
        self.counts[token as usize] += 1;
        self.taken += 1;
    }

    /// Chooses a token. Equal logits, window and seed give an equal token on every machine.
    ///
    /// # Errors
    ///
    /// [`SessionFault::NotANumber`] if no logit is a number.
    ///
    /// # Panics
    ///
    /// If there is not one logit a token.
    pub fn choose(&mut self, kernels: &Kernels, logits: &[f32]) -> Result<u32, Error> {
        self.scores.copy_from_slice(logits);
        self.adjust();
        let likeliest = largest(self.scores).ok_or(SessionFault::NotANumber)?;
        if self.sampling.temperature <= 0.0 {
            return Ok(likeliest as u32);
        }
        let factor = 1.0 / self.sampling.temperature;
        for score in &mut *self.scores {
            *score = if score.is_nan() { f32::NEG_INFINITY } else { *score * factor };
        }
        let (_, sum) = kernels.soften(self.scores);
        let kept = self.keep(sum);
        Ok(self.draw(kept))
    }

    /// Applies bias and penalties.
    fn adjust(&mut self) {
        let Sampling { logit_bias, repeat_penalty, .. } = self.sampling;
        for (id, bias) in logit_bias {
            if let Some(score) = self.scores.get_mut(*id as usize) {
                *score += bias;
            }
        }
        let seen = &self.window[..self.taken.min(WINDOW)];
        for (i, id) in seen.iter().enumerate().filter(|(i, id)| !seen[..*i].contains(id)) {
            debug_assert!(i < WINDOW);
            let (score, count) = (&mut self.scores[*id as usize], self.counts[*id as usize]);
            *score = if *score > 0.0 { *score / repeat_penalty } else { *score * repeat_penalty };
            *score -= f32::from(count) * self.sampling.frequency_penalty;
            *score -= self.sampling.presence_penalty;
        }
    }

    /// Moves the ids that stay in question to the front, and returns how many they are.
    fn keep(&mut self, sum: f32) -> usize {
        let Sampling { top_k, top_p, min_p, .. } = self.sampling;
        let scores = &*self.scores;
        let mut ids = &mut *self.ids;
        ids.iter_mut().zip(0..).for_each(|(id, i)| *id = i);
        let likelier =
            |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b));
        let mut sum = sum;
        if (1..ids.len()).contains(&top_k) {
            ids.select_nth_unstable_by(top_k - 1, likelier);
            ids = &mut ids[..top_k];
            ids.sort_unstable();
            sum = ids.iter().map(|id| scores[*id as usize]).sum();
        }
        if min_p > 0.0 {
            let kept = partition(ids, |id| scores[id as usize] >= min_p);
            ids = &mut ids[..kept];
        }
        if top_p >= 1.0 {
            return ids.len();
        }
        nucleus(ids, scores, sum * top_p, likelier)
    }

    /// Draws one of the first `kept` ids, each as likely as its weight says.
    fn draw(&mut self, kept: usize) -> u32 {
        let ids = &self.ids[..kept];
        let sum: f64 = ids.iter().map(|id| f64::from(self.scores[*id as usize])).sum();
        let mut left = uniform(&mut self.random) * sum;
        for id in ids {
            left -= f64::from(self.scores[*id as usize]);
            if left < 0.0 {
                return *id;
            }
        }
        // Rounding can leave a rest behind the last one.
        ids[kept - 1]
    }
}

/// The index of the largest number, the first of equals; `None` if there is none.
fn largest(scores: &[f32]) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (i, score) in scores.iter().enumerate().filter(|(_, score)| !score.is_nan()) {
        if best.is_none_or(|(_, largest)| *score > largest) {
            best = Some((i, *score));
        }
    }
    best.map(|(i, _)| i)
}

/// Moves the ids that `keeps` to the front, in order, and returns how many they are.
fn partition(ids: &mut [u32], keeps: impl Fn(u32) -> bool) -> usize {
    let mut kept = 0;
    for i in 0..ids.len() {
        if keeps(ids[i]) {
            ids.swap(kept, i);
            kept += 1;
        }
    }
    kept
}

/// Sorts the likeliest ids to the front until their weights reach `goal`; returns how many.
///
/// Only tokens above a weight are sorted, a weight that falls until they suffice: most of a
/// vocabulary is never compared.
fn nucleus(
    ids: &mut [u32],
    scores: &[f32],
    goal: f32,
    likelier: impl Fn(&u32, &u32) -> core::cmp::Ordering,
) -> usize {
    for least in [1e-2, 1e-4, 1e-7, 0.0] {
        let above = partition(ids, |id| scores[id as usize] >= least);
        ids[..above].sort_unstable_by(&likelier);
        let mut sum = 0.0;
        for (i, id) in ids[..above].iter().enumerate() {
            sum += scores[*id as usize];
            if sum >= goal {
                return i + 1;
            }
        }
    }
    ids.len()
}

#[cfg(test)]
mod tests {
    use super::{Sampler, Sampling, WINDOW};
    use crate::error::{Error, SessionFault};
    use dram_targets::best;
    use std::{vec, vec::Vec};

    fn choices(sampling: Sampling<'_>, logits: &[f32], count: usize) -> Vec<usize> {
        let mut memory = vec![0; Sampler::bytes(logits.len())];
        let mut sampler = Sampler::new(sampling, logits.len(), &mut memory).unwrap();
        let mut counts = vec![0; logits.len()];
        for _ in 0..count {
            counts[sampler.choose(best(), logits).unwrap() as usize] += 1;
        }
        counts
    }

    #[test]
    fn greedy_takes_the_first_of_the_largest_and_skips_nan() {
        assert_eq!(choices(Sampling::GREEDY, &[f32::NAN, 1.0, 3.0, 3.0], 1), [0, 0, 1, 0]);
    }

    #[test]
    fn logits_without_a_number_are_an_error() {
        let mut memory = vec![0; Sampler::bytes(3)];
        let mut sampler = Sampler::new(Sampling::R1, 3, &mut memory).unwrap();
        let refused = sampler.choose(best(), &[f32::NAN; 3]);
        assert_eq!(refused, Err(Error::Session(SessionFault::NotANumber)));
    }

    #[test]
    fn draws_as_often_as_probabilities_say() {
        let logits = [0.5_f32, 0.3, 0.15, 0.05].map(f32::ln);
        let plain = Sampling { temperature: 1.0, seed: 7, ..Sampling::GREEDY };
        let counts = choices(plain, &logits, 20_000);
        for (count, expected) in counts.iter().zip([10_000, 6_000, 3_000, 1_000_usize]) {
            assert!(count.abs_diff(expected) < 300, "{counts:?}");
        }
    }

    #[test]
    fn filters_keep_what_they_should() {
        let logits = [0.05_f32, 0.5, 0.15, 0.3].map(f32::ln);
        let plain = Sampling { temperature: 1.0, ..Sampling::GREEDY };
        let kept = |sampling| choices(sampling, &logits, 2_000).iter().map(|n| *n > 0).collect();
        let is = |sampling, expected: [bool; 4]| {
            let kept: Vec<bool> = kept(sampling);
            assert_eq!(kept, expected, "{sampling:?}");
        };
        is(Sampling { top_k: 2, ..plain }, [false, true, false, true]);
        is(Sampling { top_p: 0.79, ..plain }, [false, true, false, true]);
        is(Sampling { top_p: 0.81, ..plain }, [false, true, true, true]);
        is(Sampling { min_p: 0.29, ..plain }, [false, true, true, true]);
        is(Sampling { logit_bias: &[(1, -100.0)], top_k: 2, ..plain }, [false, false, true, true]);
    }

    #[test]
    fn penalties_forget_what_leaves_the_window() {
        let mut memory = vec![0; Sampler::bytes(3)];
        let sampling = Sampling { repeat_penalty: 2.0, ..Sampling::GREEDY };
        let mut sampler = Sampler::new(sampling, 3, &mut memory).unwrap();
        let logits = [3.0, 2.0, -9.0];
        assert_eq!(sampler.choose(best(), &logits), Ok(0));
        sampler.accept(0);
        assert_eq!(sampler.choose(best(), &logits), Ok(1));
        (0..WINDOW).for_each(|_| sampler.accept(2));
        assert_eq!(sampler.choose(best(), &logits), Ok(0));
    }

    #[test]
    fn equal_seeds_choose_equal_tokens_and_others_do_not() {
        let logits: Vec<f32> = (0..100).map(|i| (i % 7) as f32 * 0.3).collect();
        let of = |seed| choices(Sampling { seed, ..Sampling::R1 }, &logits, 50);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
