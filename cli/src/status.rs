//! What goes on, for whoever shows it, and what the user wants meanwhile.

use crate::interrupt::Interrupt;
use dram_runtime::text::Channel;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Work {
    Loading,
    Ready,
    Thinking,
    Answering,
    /// Nothing, and what was asked for last failed.
    Failed,
}

/// Written between tokens and read by another thread; none of it orders anything else.
#[derive(Default)]
pub(crate) struct Status {
    pub interrupt: Interrupt,
    work: AtomicU8,
    tokens: AtomicUsize,
    is_hot: AtomicBool,
    is_reset_wanted: AtomicBool,
}

impl Status {
    /// From now on it does this.
    pub(crate) fn set(&self, work: Work) {
        self.work.store(work as u8, Ordering::Relaxed);
    }

    /// A reply begins: the prompt is read.
    pub(crate) fn begin(&self) {
        self.tokens.store(0, Ordering::Relaxed);
        self.set(Work::Thinking);
    }

    /// A piece of the reply has come.
    pub(crate) fn say(&self, channel: Channel) {
        self.set(match channel {
            Channel::Reasoning => Work::Thinking,
            Channel::Answer => Work::Answering,
        });
    }

    /// The reply has so many tokens, and heat makes it slower or does not.
    pub(crate) fn count(&self, tokens: usize, is_hot: bool) {
        self.tokens.store(tokens, Ordering::Relaxed);
        self.is_hot.store(is_hot, Ordering::Relaxed);
    }

    /// Whether the conversation is to begin anew; the wish is then taken.
    pub(crate) fn take_reset(&self) -> bool {
        self.is_reset_wanted.swap(false, Ordering::Relaxed)
    }
}

/// What a face reads and asks for.
#[cfg(feature = "face")]
impl Status {
    /// What is being done now.
    pub(crate) fn work(&self) -> Work {
        const ALL: [Work; 5] =
            [Work::Loading, Work::Ready, Work::Thinking, Work::Answering, Work::Failed];
        ALL[usize::from(self.work.load(Ordering::Relaxed))]
    }

    /// Tokens of this reply, or the last one.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens.load(Ordering::Relaxed)
    }

    /// Whether heat makes the reply slower, or did so in the end of the last one.
    pub(crate) fn is_hot(&self) -> bool {
        self.is_hot.load(Ordering::Relaxed)
    }

    /// The conversation is to begin anew before the next question.
    pub(crate) fn want_reset(&self) {
        self.is_reset_wanted.store(true, Ordering::Relaxed);
    }
}
