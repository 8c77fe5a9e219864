//! Many requests at once: a thread that owns a session and makes all replies in common passes.
//!
//! Every step takes the next token of each reply that has read its prompt, and then reads on in
//! prompts, the oldest first, as much as keeps the step short. Requests are admitted in order, when
//! the pages of keys and values hold their prompt and a reserve. The pasts of replies that are over
//! stay while pages last, and a prompt that begins like one forks it instead of reading that part.
//! When pages run out, pasts go first, the one not used for longest before others; then the youngest
//! reply is paused: its sequence is closed, its tokens are kept, and it is read again later. None of
//! this changes a bit of a text, since a reply depends on its own tokens alone.

mod budget;
mod places;
mod prefixes;
mod queue;
mod request;
mod statistics;
mod ticket;

pub use request::{Refused, Request};
pub use statistics::{Statistics, Steps};
pub use ticket::{Finished, Ticket, Token, Update, Usage};

use crate::answer::Ending;
use crate::batch::BatchMemory;
use crate::error::{Class, EngineError, Outcome};
use crate::heat::Heat;
use crate::status::Stop;
use budget::Budget;
use dram_runtime::text::Vocab;
use dram_runtime::threads::spawn;
use dram_runtime::{Batch, Error, FinishReason, Reply, Session, SessionFault};
use dram_targets::PAGE;
use places::Places;
use queue::{Queue, Refusal};
use request::Open;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;
use ticket::Writer;

/// A reply that is made or waits to be.
type Work = Reply<Open, Writer>;

/// A model that many ask at once. Clones ask the same.
#[derive(Clone, Debug)]
pub struct Engine(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Invariant: who waits is younger than all that are active, and older than who waits behind.
    queue: Queue<Work>,
    /// Ends the pass that is being made.
    stop: Stop,
    statistics: Mutex<Statistics>,
    /// Positions that one reply can have, if it has all pages.
    context: usize,
    /// Tokens of the model.
    tokens: usize,
}

/// Lends an engine that owns a session, until `f` returns; requests that are not over then are
/// interrupted. At most `queue` requests wait.
///
/// # Errors
///
/// If there is no memory to choose tokens in, or no thread.
pub fn with_engine<T>(
    vocab: &Vocab<'_>,
    session: &mut Session<'_>,
    heat: Heat,
    queue: usize,
    f: impl FnOnce(&Engine) -> T,
) -> Outcome<T> {
    let (limits, tokens) = (*session.limits(), session.plan().tokens());
    let mut memory = BatchMemory::new(session);
    let batch = memory.batch(vocab)?;
    let engine = Engine(Arc::new(Shared {
        queue: Queue::new(queue),
        stop: Stop::default(),
        statistics: Mutex::default(),
        context: limits.context.min(limits.pages * PAGE),
        tokens,
    }));
    let scheduler = Scheduler {
        places: Places::new(session),
        batch,
        heat,
        shared: Arc::clone(&engine.0),
        budget: Budget::new(limits.batch),
        active: Vec::new(),
        statistics: Statistics::default(),
    };
    thread::scope(|scope| {
        let closing = Closing(&engine);
        if spawn(scope, || scheduler.run()).is_none() {
            let message = "the system gives no thread for the scheduler; raise its limit of \
                           processes (`ulimit -u`, or TasksMax= in a systemd unit)";
            return Err(EngineError::new(Class::NoRoom, message));
        }
        Ok(f(closing.0))
    })
}

/// Closes an engine, also where its user panics: else its thread would wait for ever.
struct Closing<'e>(&'e Engine);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.0.queue.close();
        self.0.0.stop.ask();
    }
}

impl Engine {
    /// Takes a request in; what comes of it is read from the ticket.
    ///
    /// # Errors
    ///
    /// [`Refused`], without waiting, if it cannot be answered or too many wait already.
    pub fn submit(&self, request: Request) -> Result<Ticket, Refused> {
        let Shared { queue, stop, context, .. } = &*self.0;
        self.check(&request)?;
        let (prompt, options) = (request.prompt.len(), request.options);
        // The last token of a reply takes no position: it is not read.
        let room = prompt.saturating_add(options.max_tokens).min(context + 1);
        let (ticket, writer) = Ticket::new(stop.clone(), prompt);
        let reply = Reply::new(Open::new(request, room), writer, prompt, &options)
            .expect("there is room for the prompt");
        match queue.push(reply) {
            Ok(()) => Ok(ticket),
            Err(Refusal::Full) => Err(Refused::QueueFull { most: queue.most() }),
            Err(Refusal::Closed) => Err(Refused::Closed),
        }
    }

    /// How it stands.
    pub fn statistics(&self) -> Statistics {
        let statistics = *self.0.statistics.lock().unwrap_or_else(PoisonError::into_inner);
        Statistics { queued: self.0.queue.len(), ..statistics }
    }

    fn check(&self, request: &Request) -> Result<(), Refused> {
        let (prompt, &Shared { context, tokens, .. }) = (&request.prompt, &*self.0);
        if prompt.is_empty() {
            return Err(Refused::Empty);
        }
        if prompt.len() > context {
            return Err(Refused::TooLong { tokens: prompt.len(), context });
        }
        match prompt.iter().find(|token| **token as usize >= tokens) {
            Some(&token) => Err(Refused::Token { token, tokens }),
            None => Ok(()),
        }
    }
}

/// What the thread has.
struct Scheduler<'s, 'a, 'b> {
    places: Places<'s, 'a>,
    batch: Batch<'b>,
    heat: Heat,
    shared: Arc<Shared>,
    budget: Budget,
    /// The oldest first.
    active: Vec<Work>,
    statistics: Statistics,
}

impl Scheduler<'_, '_, '_> {
    fn run(mut self) {
        while !self.shared.queue.is_closed() {
            self.drop_cancelled();
            self.admit();
            if self.active.is_empty() {
                self.publish();
                self.shared.queue.wait();
                self.heat.begin(self.places.session);
                continue;
            }
            self.step();
            self.retire();
            self.publish();
        }
        let waiting = self.shared.queue.take_out(|_| true);
        for reply in self.active.split_off(0).into_iter().chain(waiting) {
            self.finish(reply, Ok(Ending::Interrupted));
        }
        self.places.clear();
        self.publish();
    }

    /// Ends what nobody wants any more.
    fn drop_cancelled(&mut self) {
        let is_cancelled = |reply: &Work| reply.output().is_cancelled();
        let mut cancelled = self.shared.queue.take_out(is_cancelled);
        cancelled.extend(self.active.extract_if(.., |reply| is_cancelled(reply)));
        for reply in cancelled {
            self.finish(reply, Ok(Ending::Interrupted));
        }
    }

    /// Starts those who wait, in order, as long as there is a place.
    fn admit(&mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            let mut place = None;
            let next = shared.queue.pop_if(|reply| {
                place = self.places.find(reply, &self.active);
                place.is_some()
            });
            let (Some(mut reply), Some((sequence, read))) = (next, place) else { return };
            reply.attach(sequence, read);
            reply.output_mut().admitted(read);
            self.active.push(reply);
        }
    }

    /// Makes one pass. If it lacks pages, makes room for another attempt.
    fn step(&mut self) {
        let is_alone = self.active.len() == 1;
        self.active.iter().for_each(|reply| reply.output().set_alone(is_alone));
        let decode = self.active.iter().filter(|reply| reply.wants().len() == 1).count();
        let columns = self.budget.columns(decode > 0).min(self.heat.prompt_columns());
        let (stop, began, before) = (self.shared.stop.clone(), Instant::now(), self.read());
        let session = &mut *self.places.session;
        match self.batch.step(session, &mut self.active, columns, stop.flag()) {
            Ok(()) => {
                let worked = began.elapsed();
                let chunk = (self.read() - before).saturating_sub(decode);
                self.budget.learn(chunk, worked);
                self.statistics.steps.add(worked);
                self.statistics.prompt_tokens += chunk as u64;
                self.heat.keep(self.places.session, worked, &stop);
            }
            Err(Error::Session(SessionFault::Pages { .. })) => self.make_room(),
            // A ticket was cancelled: who it was is seen before the next step.
            Err(Error::Session(SessionFault::Stopped)) => {}
            Err(error) => self.fail(error),
        }
        stop.forget();
    }

    /// Tokens that the sequences of active replies have.
    fn read(&self) -> usize {
        self.active.iter().map(Reply::read).sum()
    }

    /// Frees pages: a past that nobody uses, else those of the youngest reply, which waits from then
    /// on. One alone has all pages, which hold any context that is admitted.
    fn make_room(&mut self) {
        if self.places.evict() {
            return;
        }
        match self.active.len() {
            0 => {}
            1 => self.active[0].end(FinishReason::Context),
            _ => {
                if let Some(mut youngest) = self.active.pop() {
                    self.places.leave(&mut youngest);
                    self.statistics.pauses += 1;
                    self.shared.queue.put_back(youngest);
                }
            }
        }
    }

    /// Ends all replies that are made with an error that is no single one's.
    fn fail(&mut self, error: Error) {
        for reply in self.active.split_off(0) {
            self.finish(reply, Err(error.into()));
        }
    }

    /// Takes out the replies that are over.
    fn retire(&mut self) {
        let over = self.active.extract_if(.., |reply| reply.finish_reason().is_some());
        for reply in over.collect::<Vec<_>>() {
            let outcome = reply.finish_reason().map_or(Ok(Ending::Interrupted), Ending::of);
            self.finish(reply, outcome.map_err(EngineError::from));
        }
    }

    /// Tells the reader of a reply that it is over, and keeps its past.
    fn finish(&mut self, mut reply: Work, outcome: Outcome<Ending>) {
        self.places.keep(&mut reply);
        let usage = reply.output_mut().finish(outcome);
        self.statistics.finished += 1;
        self.statistics.reused_tokens += usage.reused_tokens as u64;
        self.statistics.reply_tokens += usage.reply_tokens as u64;
    }

    fn publish(&mut self) {
        let session = &*self.places.session;
        self.statistics.active = self.active.len();
        self.statistics.pages = session.limits().pages;
        self.statistics.free_pages = session.free_pages();
        self.statistics.prefixes = self.places.prefixes();
        self.statistics.is_hot = self.heat.is_hot();
        let mut published = self.shared.statistics.lock().unwrap_or_else(PoisonError::into_inner);
        *published = self.statistics;
    }
}
