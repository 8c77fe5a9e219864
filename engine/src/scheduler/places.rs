//! Where replies have their past: sequences of the session, and the pages that these take.

use super::Work;
use super::prefixes::{Prefixes, common};
use dram_runtime::{Sequence, Session};
use dram_targets::PAGE;

/// Positions for what a reply says next, which are kept free when it is admitted.
const RESERVE: usize = 2 * PAGE;

/// A session's sequences: those of replies, and pasts that are kept.
pub(super) struct Places<'s, 'a> {
    pub(super) session: &'s mut Session<'a>,
    prefixes: Prefixes<Sequence>,
}

impl<'s, 'a> Places<'s, 'a> {
    /// All of a session, in which nothing is open.
    pub(super) const fn new(session: &'s mut Session<'a>) -> Self {
        Self { session, prefixes: Prefixes::new() }
    }

    /// How many pasts are kept.
    pub(super) fn prefixes(&self) -> usize {
        self.prefixes.len()
    }

    /// A sequence for a reply beside those that are active, and how many of the reply's tokens it
    /// has already; `None` if there is no room now. Without others there always is.
    pub(super) fn find(&mut self, reply: &Work, active: &[Work]) -> Option<(Sequence, usize)> {
        if active.len() >= self.session.limits().logits {
            return None;
        }
        let (sequence, read) = self.open(reply.tokens(), active)?;
        if active.is_empty() || self.has_room(sequence, reply.tokens().len() - read, read, active) {
            return Some((sequence, read));
        }
        self.close(sequence);
        None
    }

    /// Opens a sequence with as much of these tokens as another has, but not all: the last is read for
    /// its logits.
    fn open(&mut self, tokens: &[u32], active: &[Work]) -> Option<(Sequence, usize)> {
        let wanted = &tokens[..tokens.len() - 1];
        loop {
            let beside = active.iter().filter_map(|reply| {
                let past = &reply.tokens()[..reply.read()];
                Some((reply.sequence()?, common(past, wanted)))
            });
            let all = self.prefixes.longest(wanted).into_iter().chain(beside);
            let longest = all.max_by_key(|(_, length)| *length).filter(|(_, length)| *length > 0);
            let opened = match longest {
                Some((from, length)) => self.session.fork_at(from, length),
                None => self.session.open(),
            };
            match opened {
                Ok(sequence) => return Some((sequence, longest.map_or(0, |(_, length)| length))),
                Err(_) if self.evict() => {}
                Err(_) => return None,
            }
        }
    }

    /// Whether a sequence that has `read` tokens can go on with `left` and a reserve beside what the
    /// active still need. Pasts are let go of for it, unless even that would not do.
    fn has_room(&mut self, sequence: Sequence, left: usize, read: usize, active: &[Work]) -> bool {
        let pages_for = |sequence, tokens| self.session.pages_for(sequence, tokens).unwrap_or(0);
        let still = |reply: &Work| {
            reply.sequence().map_or(0, |own| pages_for(own, reply.wants().len() + PAGE))
        };
        let needed = pages_for(sequence, left + RESERVE) + active.iter().map(still).sum::<usize>();
        let held: usize = active.iter().map(|reply| reply.read().div_ceil(PAGE)).sum();
        if needed + held + read.div_ceil(PAGE) > self.session.limits().pages {
            return false;
        }
        while self.session.free_pages() < needed {
            if !self.evict() {
                return false;
            }
        }
        true
    }

    /// Lets go of the past that was not used for longest, if there is one.
    pub(super) fn evict(&mut self) -> bool {
        let oldest = self.prefixes.evict();
        oldest.into_iter().for_each(|sequence| self.close(sequence));
        oldest.is_some()
    }

    /// Closes a reply's sequence; the reply can be given another.
    pub(super) fn leave(&mut self, reply: &mut Work) {
        if let Some(sequence) = reply.detach() {
            self.close(sequence);
        }
    }

    /// Takes over the past of a reply that is over.
    pub(super) fn keep(&mut self, reply: &mut Work) {
        let Some(sequence) = reply.detach() else { return };
        let past = reply.tokens()[..reply.read()].to_vec();
        let useless =
            if past.is_empty() { vec![sequence] } else { self.prefixes.keep(past, sequence) };
        useless.into_iter().for_each(|sequence| self.close(sequence));
    }

    /// Lets go of all pasts.
    pub(super) fn clear(&mut self) {
        while self.evict() {}
    }

    fn close(&mut self, sequence: Sequence) {
        self.session.close(sequence).expect("it is open, and known here alone");
    }
}
