//! What a request gives back while it is made, kept for a reader who may take its time.
//!
//! The scheduler never waits for a reader: it adds to what is kept, and a reader takes all of it at
//! once. What is kept grows to the request's own text and tokens and no further, so a reader that
//! never reads costs the memory of one reply.

use crate::answer::Ending;
use crate::error::EngineError;
use crate::status::Stop;
use dram_runtime::text::Channel;
use dram_runtime::{Logprobs, Output, Step};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A token of a reply.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// Its id.
    pub id: u32,
    /// How likely it was, if that was asked for.
    pub logprobs: Option<Logprobs>,
}

/// What has come since somebody looked last.
#[derive(Clone, Debug, Default)]
pub struct Update {
    /// Text in order, each with the part of the reply that it belongs to.
    pub texts: Vec<(Channel, String)>,
    /// The tokens that were added. The text of the last may still be held back.
    pub tokens: Vec<Token>,
    /// Set in the last update.
    pub finished: Option<Finished>,
}

/// How a request ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Why it is over.
    pub outcome: Result<Ending, EngineError>,
    /// What it took.
    pub usage: Usage,
}

/// What a request took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt_tokens: usize,
    /// Those of them that were there already.
    pub reused_tokens: usize,
    /// Tokens of the reply.
    pub reply_tokens: usize,
    /// From when it was asked to when it was admitted.
    pub waited: Duration,
    /// From when it was asked to the first token.
    pub first_token: Duration,
    /// From when it was asked to the end.
    pub all: Duration,
}

/// A request that was taken in. Dropping it cancels the request.
#[derive(Debug)]
pub struct Ticket {
    shared: Arc<Shared>,
    /// Hears that this request is to end, if it is being made alone.
    stop: Stop,
    is_over: bool,
}

#[derive(Debug, Default)]
struct Shared {
    kept: Mutex<Kept>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Kept {
    update: Update,
    is_cancelled: bool,
    /// Whether nobody else's reply is made in the same passes.
    is_alone: bool,
}

impl Shared {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// A ticket, and the writer whose words it gets. `stop` ends the pass that is being made.
    pub(super) fn new(stop: Stop, prompt_tokens: usize) -> (Self, Writer) {
        let shared = Arc::<Shared>::default();
        let usage = Usage { prompt_tokens, ..Usage::default() };
        let writer =
            Writer { shared: Arc::clone(&shared), asked: Instant::now(), usage, is_over: false };
        (Self { shared, stop, is_over: false }, writer)
    }

    /// As [`Iterator::next`], but after so much time without anything new the update is empty.
    pub fn next_within(&mut self, time: Duration) -> Option<Update> {
        self.take(Some(time))
    }

    /// Ends the request with the next step, wherever it is; it then gets its last update. Where its
    /// reply is made alone, the step ends too.
    pub fn cancel(&self) {
        let mut kept = self.shared.kept();
        kept.is_cancelled = true;
        if kept.is_alone && kept.update.finished.is_none() {
            self.stop.ask();
        }
    }

    fn take(&mut self, time: Option<Duration>) -> Option<Update> {
        if self.is_over {
            return None;
        }
        let (kept, is_nothing) = (self.shared.kept(), |kept: &mut Kept| kept.update.is_empty());
        let mut kept = match time {
            None => self.shared.changed.wait_while(kept, is_nothing),
            Some(time) => {
                let waited = self.shared.changed.wait_timeout_while(kept, time, is_nothing);
                waited.map(|(kept, _)| kept).map_err(|error| PoisonError::new(error.into_inner().0))
            }
        }
        .unwrap_or_else(PoisonError::into_inner);
        let update = std::mem::take(&mut kept.update);
        self.is_over = update.finished.is_some();
        Some(update)
    }
}

/// Waits for something new and takes it; there is nothing behind [`Update::finished`].
impl Iterator for Ticket {
    type Item = Update;

    fn next(&mut self) -> Option<Update> {
        self.take(None)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl Update {
    fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.tokens.is_empty() && self.finished.is_none()
    }

    fn push(&mut self, channel: Channel, text: &str) {
        match self.texts.last_mut() {
            Some((last, kept)) if *last == channel => kept.push_str(text),
            _ => self.texts.push((channel, text.into())),
        }
    }
}

/// Where a reply goes. If it is dropped before its end, the reader is told of a failure: nobody waits
/// for ever.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    asked: Instant,
    usage: Usage,
    is_over: bool,
}

impl Writer {
    /// Whether the reader wants no more.
    pub(super) fn is_cancelled(&self) -> bool {
        self.shared.kept().is_cancelled
    }

    /// Takes note of whether the reply has all passes for itself.
    pub(super) fn set_alone(&self, is_alone: bool) {
        self.shared.kept().is_alone = is_alone;
    }

    /// Takes note that the request was admitted, with so many tokens of the prompt there already. A
    /// reply that was paused is admitted again, which does not count.
    pub(super) fn admitted(&mut self, reused_tokens: usize) {
        if self.usage.waited.is_zero() {
            self.usage.waited = self.asked.elapsed();
            self.usage.reused_tokens = reused_tokens;
        }
    }

    /// Tells the reader that it is over.
    pub(super) fn finish(&mut self, outcome: Result<Ending, EngineError>) -> Usage {
        self.end(outcome);
        self.usage
    }

    fn end(&mut self, outcome: Result<Ending, EngineError>) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.usage.all = self.asked.elapsed();
            self.shared.kept().update.finished = Some(Finished { outcome, usage: self.usage });
            self.shared.changed.notify_all();
        }
    }
}

impl Output for Writer {
    fn text(&mut self, channel: Channel, text: &str) {
        self.shared.kept().update.push(channel, text);
        self.shared.changed.notify_all();
    }

    fn step(&mut self, step: &Step) {
        if let Step::Token { token, logprobs } = *step {
            if self.usage.reply_tokens == 0 {
                self.usage.first_token = self.asked.elapsed();
            }
            self.usage.reply_tokens += 1;
            self.shared.kept().update.tokens.push(Token { id: token, logprobs });
            self.shared.changed.notify_all();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.end(Err(EngineError::new(
            crate::error::Class::Failed,
            "the scheduler ended before the reply did; load the model again",
        )));
    }
}

#[cfg(test)]
mod tests {
    use super::{Ticket, Writer};
    use crate::answer::Ending;
    use crate::status::Stop;
    use dram_runtime::text::Channel::{Answer, Reasoning};
    use dram_runtime::{Output, Step};
    use std::thread;
    use std::time::Duration;

    fn say(writer: &mut Writer, token: u32, text: &str) {
        writer.text(if token == 0 { Reasoning } else { Answer }, text);
        writer.step(&Step::Token { token, logprobs: None });
    }

    #[test]
    fn a_reader_takes_all_that_has_come_and_then_the_end() {
        let (mut ticket, mut writer) = Ticket::new(Stop::default(), 5);
        say(&mut writer, 0, "hm");
        say(&mut writer, 1, "4");
        say(&mut writer, 2, "2");
        let update = ticket.next().unwrap();
        assert_eq!(update.texts, [(Reasoning, "hm".into()), (Answer, "42".into())]);
        assert_eq!(update.tokens.iter().map(|token| token.id).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(update.finished.is_none());
        assert!(ticket.next_within(Duration::from_millis(1)).unwrap().is_empty());
        let usage = writer.finish(Ok(Ending::Length));
        let finished = ticket.next().unwrap().finished.unwrap();
        assert_eq!((finished.usage, finished.outcome.unwrap()), (usage, Ending::Length));
        assert_eq!((usage.prompt_tokens, usage.reply_tokens), (5, 3));
        assert!(ticket.next().is_none());
    }

    #[test]
    fn who_waits_is_woken_also_by_a_writer_that_is_lost() {
        let (mut ticket, writer) = Ticket::new(Stop::default(), 1);
        let reader = thread::spawn(move || ticket.next().unwrap().finished.unwrap());
        drop(writer);
        let error = reader.join().unwrap().outcome.unwrap_err();
        assert!(error.to_string().contains("ended before the reply"), "{error}");
    }

    #[test]
    fn dropping_a_ticket_cancels_and_stops_the_pass_of_one_alone() {
        for is_alone in [false, true] {
            let stop = Stop::default();
            let (ticket, writer) = Ticket::new(stop.clone(), 1);
            writer.set_alone(is_alone);
            assert!(!writer.is_cancelled() && !stop.is_asked());
            drop(ticket);
            assert_eq!((writer.is_cancelled(), stop.is_asked()), (true, is_alone));
        }
    }
}
