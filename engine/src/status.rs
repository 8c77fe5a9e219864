//! What goes on, for whoever shows it, and what the user wants meanwhile.

use dram_runtime::text::Channel;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Work {
    /// The model is loaded.
    Loading,
    /// Nothing; it can be asked.
    Ready,
    /// The prompt is read, or the model thinks.
    Thinking,
    /// The model answers.
    Answering,
    /// Nothing, and what was asked for last failed.
    Failed,
}

/// A wish to stop, which any thread or a signal may have.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks to stop.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has asked, since the last [`Self::forget`].
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Goes on as if nobody had asked.
    pub fn forget(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// The flag itself, for a signal's handler to set.
    pub fn flag(&self) -> &Arc<AtomicBool> {
        &self.0
    }
}

/// Written between tokens and read by another thread; none of it orders anything else.
#[derive(Debug, Default)]
pub struct Status {
    /// Ends the reply that is being made.
    pub stop: Stop,
    work: AtomicU8,
    tokens: AtomicUsize,
    is_hot: AtomicBool,
    is_reset_wanted: AtomicBool,
}

impl Status {
    /// From now on it does this.
    pub fn set(&self, work: Work) {
        self.work.store(work as u8, Ordering::Relaxed);
    }

    /// A reply begins: the prompt is read.
    pub fn begin(&self) {
        self.tokens.store(0, Ordering::Relaxed);
        self.set(Work::Thinking);
    }

    /// A piece of the reply has come.
    pub fn say(&self, channel: Channel) {
        self.set(match channel {
            Channel::Reasoning => Work::Thinking,
            Channel::Answer => Work::Answering,
        });
    }

    /// The reply has so many tokens, and heat makes it slower or does not.
    pub fn count(&self, tokens: usize, is_hot: bool) {
        self.tokens.store(tokens, Ordering::Relaxed);
        self.is_hot.store(is_hot, Ordering::Relaxed);
    }

    /// Whether the conversation is to begin anew; the wish is then taken.
    pub fn take_reset(&self) -> bool {
        self.is_reset_wanted.swap(false, Ordering::Relaxed)
    }

    /// What is being done now.
    pub fn work(&self) -> Work {
        const ALL: [Work; 5] =
            [Work::Loading, Work::Ready, Work::Thinking, Work::Answering, Work::Failed];
        ALL[usize::from(self.work.load(Ordering::Relaxed))]
    }

    /// Tokens of this reply, or the last one.
    pub fn tokens(&self) -> usize {
        self.tokens.load(Ordering::Relaxed)
    }

    /// Whether heat makes the reply slower, or did so in the end of the last one.
    pub fn is_hot(&self) -> bool {
        self.is_hot.load(Ordering::Relaxed)
    }

    /// The conversation is to begin anew before the next question.
    pub fn want_reset(&self) {
        self.is_reset_wanted.store(true, Ordering::Relaxed);
    }
}
