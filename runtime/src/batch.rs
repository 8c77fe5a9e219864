//! Many replies in one pass.

use crate::error::{ColumnFault, Error, SessionFault};
use crate::reply::{Choosing, FinishReason, Output, Reply, Request};
use crate::sample::Scratch;
use crate::session::{Column, Session};
use crate::text::Vocab;
use core::sync::atomic::AtomicBool;

/// Packs the columns of replies into passes, and hands each the logits it gets: the one way in which
/// tokens are made, for one reply and for all users of a server.
pub struct Batch<'b> {
    vocab: &'b Vocab<'b>,
    scratch: Scratch<'b>,
    /// The columns of a pass: as many as one may have.
    columns: &'b mut [Column],
}

impl<'b> Batch<'b> {
    /// Passes of at most as many columns as the slice has, which also need [`Scratch::bytes`] of
    /// `memory` for the model's tokens.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`] if `memory` is too small.
    pub fn new(
        vocab: &'b Vocab<'b>,
        tokens: usize,
        columns: &'b mut [Column],
        memory: &'b mut [u8],
    ) -> Result<Self, Error> {
        Ok(Self { vocab, scratch: Scratch::new(tokens, memory)?, columns })
    }

    /// Makes one pass and takes all that come of it: a token for every reply that wants to be given
    /// one token, and of the others, in their order, at most `prompt_columns` tokens are read. Where
    /// no reply has a sequence or wants anything, it does nothing.
    ///
    /// A reply whose own fault it is that a pass is refused ends as [`FinishReason::Failed`]; nothing
    /// else has happened then.
    ///
    /// # Errors
    ///
    /// As [`Session::forward`], for what is no single reply's fault: too few pages, or `stop`.
    /// Then all replies are as before.
    pub fn step<R: Request, O: Output>(
        &mut self,
        session: &mut Session<'_>,
        replies: &mut [Reply<R, O>],
        prompt_columns: usize,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        let count = self.pack(session, replies, prompt_columns);
        if let Err(error) = session.forward(&self.columns[..count], stop) {
            return self.blame(error, replies);
        }
        self.hand_out(session, replies, count);
        Ok(())
    }

    /// A token for `reply` by the logits of row `i` of the last pass, which its sequence ends with:
    /// where the past of another reply is forked, these are here already.
    pub fn take<R: Request, O: Output>(
        &mut self,
        session: &Session<'_>,
        i: usize,
        reply: &mut Reply<R, O>,
    ) {
        let (vocab, kernels) = (self.vocab, session.kernels());
        let mut choosing = Choosing { vocab, kernels, scratch: &mut self.scratch };
        reply.take(session.logits(i), &mut choosing);
    }

    /// Fills in the columns of a pass, each reply's side by side, and returns how many they are.
    fn pack<R: Request, O: Output>(
        &mut self,
        session: &Session<'_>,
        replies: &[Reply<R, O>],
        prompt_columns: usize,
    ) -> usize {
        let most = self.columns.len().min(session.limits().batch);
        let (mut count, mut rows) = (0, session.limits().logits);
        let mut left = prompt_columns;
        for is_prompt in [false, true] {
            for reply in replies {
                let (Some(sequence), wants) = (reply.sequence(), reply.wants()) else { continue };
                let room = if is_prompt { left.min(most - count) } else { most - count };
                let taken = wants.len().min(room);
                let ends = taken == wants.len();
                if taken == 0 || is_prompt != (wants.len() > 1) || ends && rows == 0 {
                    continue;
                }
                for (i, token) in wants[..taken].iter().enumerate() {
                    let wants_logits = i + 1 == wants.len();
                    self.columns[count] = Column { sequence, token: *token, wants_logits };
                    count += 1;
                }
                (rows, left) = (rows - usize::from(ends), left - if is_prompt { taken } else { 0 });
            }
        }
        count
    }

    /// Tells each reply what was read of it, and hands it its logits.
    fn hand_out<R: Request, O: Output>(
        &mut self,
        session: &Session<'_>,
        replies: &mut [Reply<R, O>],
        count: usize,
    ) {
        let (mut first, mut row) = (0, 0);
        while first < count {
            let sequence = self.columns[first].sequence;
            let rest = &self.columns[first..count];
            let taken = rest.iter().take_while(|column| column.sequence == sequence).count();
            let ends = rest[taken - 1].wants_logits;
            let reply = replies.iter_mut().find(|reply| reply.sequence() == Some(sequence));
            if let Some(reply) = reply {
                reply.advance(taken);
                if ends {
                    self.take(session, row, reply);
                }
            }
            (first, row) = (first + taken, row + usize::from(ends));
        }
    }

    /// Ends the reply whose column a pass was refused for, or returns the error.
    fn blame<R: Request, O: Output>(
        &self,
        error: Error,
        replies: &mut [Reply<R, O>],
    ) -> Result<(), Error> {
        let Error::Session(SessionFault::Column { column, fault }) = error else {
            return Err(error);
        };
        let sequence = self.columns[column].sequence;
        let reply = replies.iter_mut().find(|reply| reply.sequence() == Some(sequence));
        let Some(reply) = reply else { return Err(error) };
        reply.end(match fault {
            ColumnFault::Full { .. } => FinishReason::Context,
            _ => FinishReason::Failed(SessionFault::Column { column, fault }),
        });
        Ok(())
    }
}
