//! Choosing the next token from its logits.

use crate::arena::Arena;
use crate::error::{Error, SessionFault};
use crate::random::uniform;
use dram_targets::Kernels;

/// Tokens that penalties look back on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// So many of the last tokens, those of the prompt included.
    Last(usize),
    /// Every token of the reply and none of the prompt, as the OpenAI API means its penalties.
    Reply,
}

impl Window {
    /// The part of `tokens` that it covers, where the first `prompt` are the prompt.
    pub(crate) fn of(self, tokens: &[u32], prompt: usize) -> &[u32] {
        match self {
            Self::Last(count) => &tokens[tokens.len().saturating_sub(count)..],
            Self::Reply => tokens.get(prompt..).unwrap_or(&[]),
        }
    }
}

/// How tokens are chosen. Steps apply in the order of the fields, behind the bias of single tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Divides a positive logit, multiplies a negative one, of every token in the window; 1 is off.
    pub repeat_penalty: f32,
    /// Subtracted for each time a token is in the window; 0 is off.
    pub frequency_penalty: f32,
    /// Subtracted once for a token that is in the window; 0 is off.
    pub presence_penalty: f32,
    /// What the penalties look back on.
    pub window: Window,
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

impl Sampling {
    /// Always the likeliest token.
    pub const GREEDY: Self = Self {
        repeat_penalty: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        window: Window::Last(64),
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

    /// Whether tokens of the window are penalised at all.
    fn penalises(&self) -> bool {
        (self.repeat_penalty, self.frequency_penalty, self.presence_penalty) != (1.0, 0.0, 0.0)
    }
}

/// Memory in which any number of samplers choose, one after the other.
#[derive(Debug)]
pub struct Scratch<'a> {
    /// `(tokens)`: logits, then weights.
    scores: &'a mut [f32],
    /// `(tokens)`: ids of those still in question.
    ids: &'a mut [u32],
    /// `(tokens)`: how often each is in the window; all 0 between two choices.
    counts: &'a mut [u32],
}

impl<'a> Scratch<'a> {
    /// Bytes of memory for a model with that many tokens.
    pub fn bytes(tokens: usize) -> usize {
        let mut arena = Arena::measuring("sampling");
        let taken = Self::carve(tokens, &mut arena);
        taken.map_or(usize::MAX, |_| arena.bytes())
    }

    fn carve(tokens: usize, arena: &mut Arena<'a>) -> Result<Self, Error> {
        let (scores, ids) = (arena.take(tokens)?, arena.take(tokens)?);
        Ok(Self { scores, ids, counts: arena.take(tokens)? })
    }

    /// Takes `memory` of at least [`Self::bytes`].
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`] if there is less.
    pub fn new(tokens: usize, memory: &'a mut [u8]) -> Result<Self, Error> {
        let mut arena = Arena::new("sampling", memory, Self::bytes(tokens))?;
        let scratch = Self::carve(tokens, &mut arena)?;
        scratch.counts.fill(0);
        Ok(scratch)
    }

    /// Room for one number a token.
    pub(crate) fn scores(&mut self) -> &mut [f32] {
        self.scores
    }
}

/// What a choice depends on beside the logits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Constraints<'c> {
    /// Tokens that the penalties count.
    pub past: &'c [u32],
    /// Added to the logits of tokens; ids that do not exist are passed over.
    pub logit_bias: &'c [(u32, f32)],
    /// Bit `i % 32` of element `i / 32` says whether token `i` may be chosen; tokens behind the last
    /// element may not. `None` allows all.
    pub allowed: Option<&'c [u32]>,
}

/// Chooses tokens: how, and how far its random numbers have come.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    random: u64,
}

impl Sampler {
    /// Starts with the seed of `sampling`.
    pub const fn new(sampling: Sampling) -> Self {
        Self { random: sampling.seed, sampling }
    }

    /// How it chooses.
    pub const fn sampling(&self) -> &Sampling {
        &self.sampling
    }

    /// Chooses a token among those that are allowed and whose logit is finite. Equal logits,
    /// constraints and seed give an equal token on every machine.
    ///
    /// # Errors
    ///
    /// [`SessionFault::NothingAllowed`] if the constraints allow no token,
    /// [`SessionFault::NotANumber`] if none of those allowed has a finite logit.
    ///
    /// # Panics
    ///
    /// If there is not one logit for each token that `scratch` was made for.
    pub fn choose(
        &mut self,
        scratch: &mut Scratch<'_>,
        kernels: &Kernels,
        logits: &[f32],
        constraints: &Constraints<'_>,
    ) -> Result<u32, SessionFault> {
        scratch.scores.copy_from_slice(logits);
        self.adjust(scratch, constraints);
        exclude(scratch.scores, constraints.allowed)?;
        let likeliest = largest(scratch.scores).ok_or(SessionFault::NotANumber)?;
        if self.sampling.temperature <= 0.0 || self.sampling.temperature.is_nan() {
            return Ok(likeliest);
        }
        let factor = 1.0 / self.sampling.temperature;
        for score in scratch.scores.iter_mut().filter(|score| **score > f32::NEG_INFINITY) {
            *score = (*score * factor).clamp(f32::MIN, f32::MAX);
        }
        let (_, sum) = kernels.softmax_weights(scratch.scores);
        let kept = self.keep(scratch, sum);
        Ok(self.draw(scratch, kept))
    }

    /// Applies bias and penalties.
    fn adjust(&self, scratch: &mut Scratch<'_>, constraints: &Constraints<'_>) {
        let Scratch { scores, counts, .. } = scratch;
        for (id, bias) in constraints.logit_bias {
            if let Some(score) = scores.get_mut(*id as usize) {
                *score += bias;
            }
        }
        if !self.sampling.penalises() {
            return;
        }
        let tokens = scores.len();
        let past = constraints.past.iter().map(|id| *id as usize).filter(|id| *id < tokens);
        for id in past.clone() {
            counts[id] += 1;
        }
        for id in past {
            let count = core::mem::take(&mut counts[id]);
            if count > 0 {
                self.penalise(&mut scores[id], count);
            }
        }
    }

    /// Penalises a token that is `count` times in the window.
    fn penalise(&self, score: &mut f32, count: u32) {
        let Sampling { repeat_penalty, frequency_penalty, presence_penalty, .. } = self.sampling;
        *score = if *score > 0.0 { *score / repeat_penalty } else { *score * repeat_penalty };
        *score -= count as f32 * frequency_penalty;
        *score -= presence_penalty;
    }

    /// Moves the ids that stay in question to the front, and returns how many they are: at least
    /// one, for the likeliest has the weight 1.
    fn keep(&self, scratch: &mut Scratch<'_>, sum: f32) -> usize {
        let Sampling { top_k, top_p, min_p, .. } = self.sampling;
        let scores = &*scratch.scores;
        let mut ids = &mut *scratch.ids;
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
            let kept = partition(ids, |id| scores[id as usize] >= min_p.min(1.0));
            ids = &mut ids[..kept];
        }
        if top_p >= 1.0 {
            return ids.len();
        }
        nucleus(ids, scores, sum * top_p, likelier)
    }

    /// Draws one of the first `kept` ids, each as likely as its weight says.
    fn draw(&mut self, scratch: &Scratch<'_>, kept: usize) -> u32 {
        let ids = &scratch.ids[..kept];
        let weight = |id: &u32| f64::from(scratch.scores[*id as usize]);
        let mut left = uniform(&mut self.random) * ids.iter().map(weight).sum::<f64>();
        for id in ids {
            left -= weight(id);
            if left < 0.0 {
                return *id;
            }
        }
        // Rounding can leave a rest behind the last one that has a weight.
        let last = ids.iter().rev().find(|id| weight(id) > 0.0);
        *last.expect("the likeliest is kept, and has a weight")
    }
}

/// Sets scores to `-∞` that are not finite or whose token is not allowed.
fn exclude(scores: &mut [f32], allowed: Option<&[u32]>) -> Result<(), SessionFault> {
    let mut allows_any = allowed.is_none();
    for (i, score) in scores.iter_mut().enumerate() {
        let word = |words: &[u32]| words.get(i / 32).is_some_and(|word| word >> (i % 32) & 1 == 1);
        let is_allowed = allowed.is_none_or(word);
        allows_any |= is_allowed;
        if !is_allowed || !score.is_finite() {
            *score = f32::NEG_INFINITY;
        }
    }
    if allows_any { Ok(()) } else { Err(SessionFault::NothingAllowed) }
}

/// The index of the largest finite number, the first of equals; `None` if there is none.
fn largest(scores: &[f32]) -> Option<u32> {
    let mut best = (None, f32::NEG_INFINITY);
    for (i, score) in scores.iter().enumerate() {
        if *score > best.1 {
            best = (Some(i as u32), *score);
        }
    }
    best.0
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
    use super::{Constraints, Sampler, Sampling, Scratch, Window};
    use crate::error::SessionFault;
    use dram_targets::best;
    use std::{vec, vec::Vec};

    fn choose(
        sampler: &mut Sampler,
        logits: &[f32],
        constraints: &Constraints<'_>,
    ) -> Result<u32, SessionFault> {
        let mut memory = vec![0; Scratch::bytes(logits.len())];
        let mut scratch = Scratch::new(logits.len(), &mut memory).unwrap();
        let found = sampler.choose(&mut scratch, best(), logits, constraints);
        assert!(scratch.counts.iter().all(|count| *count == 0), "counts are left as they were");
        found
    }

    fn choices(
        sampling: Sampling,
        logits: &[f32],
        count: usize,
        constraints: &Constraints<'_>,
    ) -> Vec<usize> {
        let mut sampler = Sampler::new(sampling);
        let mut counts = vec![0; logits.len()];
        for _ in 0..count {
            counts[choose(&mut sampler, logits, constraints).unwrap() as usize] += 1;
        }
        counts
    }

    const FREE: Constraints<'_> = Constraints { past: &[], logit_bias: &[], allowed: None };

    #[test]
    fn a_sampler_is_small() {
        assert!(size_of::<Sampler>() <= 1024, "{}", size_of::<Sampler>());
    }

    #[test]
    fn greedy_takes_the_first_of_the_largest_finite() {
        let logits = [f32::NAN, 1.0, 3.0, 3.0, f32::INFINITY];
        assert_eq!(choices(Sampling::GREEDY, &logits, 1, &FREE), [0, 0, 1, 0, 0]);
    }

    #[test]
    fn without_a_finite_logit_there_is_no_token() {
        for number in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            for sampling in [Sampling::GREEDY, Sampling::R1, Sampling::COMMON] {
                let found = choose(&mut Sampler::new(sampling), &[number; 3], &FREE);
                assert_eq!(found, Err(SessionFault::NotANumber), "{number} {sampling:?}");
            }
        }
    }

    #[test]
    fn one_infinite_logit_leaves_the_others() {
        for sampling in [Sampling::GREEDY, Sampling::R1, Sampling::COMMON] {
            let logits = [f32::INFINITY, 0.0, 30.0, f32::NEG_INFINITY];
            assert_eq!(choices(sampling, &logits, 50, &FREE), [0, 0, 50, 0]);
        }
    }

    #[test]
    fn any_numbers_give_a_token_or_an_error() {
        let extremes = [0.0, -1.0, 1e-30, f32::MAX, f32::NAN, f32::INFINITY, f32::NEG_INFINITY];
        for temperature in extremes {
            for p in extremes {
                let sampling = Sampling { temperature, top_p: p, min_p: p, ..Sampling::COMMON };
                let penalties = Sampling { repeat_penalty: p, presence_penalty: p, ..sampling };
                for sampling in [sampling, penalties] {
                    let past = Constraints { past: &[0, 1, 7], ..FREE };
                    let logits = [f32::MAX, f32::MIN, 1.0];
                    if let Ok(token) = choose(&mut Sampler::new(sampling), &logits, &past) {
                        assert!(token < 3);
                    }
                }
            }
        }
    }

    #[test]
    fn only_what_is_allowed_is_chosen() {
        let logits: Vec<f32> = (0..70).map(|i| i as f32).collect();
        for sampling in [Sampling::GREEDY, Sampling::R1, Sampling::COMMON] {
            let among = |allowed: &[u32]| {
                let constraints = Constraints { allowed: Some(allowed), ..FREE };
                choose(&mut Sampler::new(sampling), &logits, &constraints)
            };
            assert_eq!(among(&[0, 1 << 3]), Ok(35), "{sampling:?}");
            assert_eq!(among(&[1 << 9]), Ok(9), "{sampling:?}");
            for nothing in [&[][..], &[0, 0, 0], &[0, 0, 1 << 6]] {
                assert_eq!(among(nothing), Err(SessionFault::NothingAllowed), "{sampling:?}");
            }
        }
    }

    #[test]
    fn draws_as_often_as_probabilities_say() {
        let logits = [0.5_f32, 0.3, 0.15, 0.05].map(f32::ln);
        let plain = Sampling { temperature: 1.0, seed: 7, ..Sampling::GREEDY };
        let counts = choices(plain, &logits, 20_000, &FREE);
        for (count, expected) in counts.iter().zip([10_000, 6_000, 3_000, 1_000_usize]) {
            assert!(count.abs_diff(expected) < 300, "{counts:?}");
        }
    }

    #[test]
    fn filters_keep_what_they_should() {
        let logits = [0.05_f32, 0.5, 0.15, 0.3].map(f32::ln);
        let plain = Sampling { temperature: 1.0, ..Sampling::GREEDY };
        let is = |sampling, constraints, expected: [bool; 4]| {
            let counts = choices(sampling, &logits, 2_000, &constraints);
            let kept: Vec<bool> = counts.iter().map(|n| *n > 0).collect();
            assert_eq!(kept, expected, "{sampling:?}");
        };
        is(Sampling { top_k: 2, ..plain }, FREE, [false, true, false, true]);
        is(Sampling { top_p: 0.79, ..plain }, FREE, [false, true, false, true]);
        is(Sampling { top_p: 0.81, ..plain }, FREE, [false, true, true, true]);
        is(Sampling { min_p: 0.29, ..plain }, FREE, [false, true, true, true]);
        let biased = Constraints { logit_bias: &[(1, -100.0), (9, 1.0)], ..FREE };
        is(Sampling { top_k: 2, ..plain }, biased, [false, false, true, true]);
    }

    #[test]
    fn penalties_count_the_window() {
        let tokens = [0, 0, 1, 2, 2, 2];
        assert_eq!(Window::Last(4).of(&tokens, 1), [1, 2, 2, 2]);
        assert_eq!(Window::Last(99).of(&tokens, 1), tokens);
        assert_eq!(Window::Reply.of(&tokens, 2), [1, 2, 2, 2]);
        assert_eq!(Window::Reply.of(&tokens, 9), []);
        let logits = [3.0, 2.0, -9.0];
        let of = |sampling, past: &[u32]| {
            choose(&mut Sampler::new(sampling), &logits, &Constraints { past, ..FREE })
        };
        let repeat = Sampling { repeat_penalty: 2.0, ..Sampling::GREEDY };
        assert_eq!(of(repeat, &[]), Ok(0));
        assert_eq!(of(repeat, &[0]), Ok(1));
        let presence = Sampling { presence_penalty: 0.9, ..Sampling::GREEDY };
        assert_eq!(of(presence, &[0, 0, 0]), Ok(0), "counted once");
        let frequency = Sampling { frequency_penalty: 0.4, ..Sampling::GREEDY };
        assert_eq!(of(frequency, &[0, 0]), Ok(0));
        assert_eq!(of(frequency, &[0, 0, 0]), Ok(1), "counted each time");
    }

    #[test]
    fn equal_seeds_choose_equal_tokens_and_others_do_not() {
        let logits: Vec<f32> = (0..100).map(|i| (i % 7) as f32 * 0.3).collect();
        let of = |seed| choices(Sampling { seed, ..Sampling::R1 }, &logits, 50, &FREE);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
