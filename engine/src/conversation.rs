//! Messages so far, and their tokens in a session.

use crate::answer::{Answer, Asking};
use crate::error::{EngineError, Outcome};
use crate::form::Form;
use crate::length::check_length;
use crate::load::Model;
use crate::solo::Solo;
use dram_runtime::text::{Channel, Message, Role};
use dram_runtime::{Error, Sequence};
use std::iter::zip;

/// A conversation with a model. Thoughts are not kept: models are not shown their earlier ones.
pub struct Conversation<'c, 'a> {
    solo: Solo<'c, 'a>,
    form: Form<'c>,
    sequence: Sequence,
    /// The tokens of `sequence`.
    past: Vec<u32>,
    messages: Vec<(Role, String)>,
    /// Whether the model is to think before it answers, if it knows how.
    pub thinks: bool,
}

impl<'c, 'a> Conversation<'c, 'a> {
    /// Starts with nothing but instructions, if there are any.
    ///
    /// # Errors
    ///
    /// As [`Form::of`], which also tells `notice`.
    pub fn new(
        solo: Solo<'c, 'a>,
        system: Option<&str>,
        notice: &mut dyn FnMut(&str),
    ) -> Outcome<Self> {
        let form = Form::of(solo.model, notice)?;
        let sequence = solo.session.open()?;
        let messages = system.map(|text| (Role::System, text.into())).into_iter().collect();
        Ok(Self { solo, form, sequence, past: Vec::new(), messages, thinks: true })
    }

    /// The model that answers.
    pub const fn model(&self) -> &'c Model<'c> {
        self.solo.model
    }

    /// Forgets all but the instructions.
    pub fn reset(&mut self) {
        self.messages.retain(|(role, _)| *role == Role::System);
    }

    /// Asks and makes the reply, whose pieces are passed to `show`.
    ///
    /// # Errors
    ///
    /// As [`Form::encode`] and [`Answer::make`]; then the conversation is as before.
    pub fn ask<E: From<EngineError>>(
        &mut self,
        text: &str,
        asking: &Asking<'_>,
        show: impl FnMut(Channel, &str) -> Result<(), E>,
    ) -> Result<Answer, E> {
        self.messages.push((Role::User, text.into()));
        let answer = self.reply(asking, show);
        match &answer {
            Ok(answer) => self.messages.push((Role::Assistant, answer.text.clone())),
            Err(_) => self.messages.truncate(self.messages.len() - 1),
        }
        answer
    }

    fn reply<E: From<EngineError>>(
        &mut self,
        asking: &Asking<'_>,
        show: impl FnMut(Channel, &str) -> Result<(), E>,
    ) -> Result<Answer, E> {
        let messages = self.messages.iter().map(|(role, content)| Message { role: *role, content });
        let messages: Vec<_> = messages.collect();
        check_length(&mut self.solo.encoder, &messages, self.solo.session.limits().context)?;
        let (tokens, start) = self.form.encode(&mut self.solo.encoder, &messages, self.thinks)?;
        let known = self.keep(&tokens).map_err(EngineError::from)?;
        let past = (self.sequence, known);
        let answer = self.solo.answer(&tokens, past, Some(start), asking, show)?;
        self.past.extend(tokens[known..].iter().chain(&answer.tokens));
        let position = self.solo.session.position(self.sequence).map_err(EngineError::from)?;
        self.past.truncate(position);
        Ok(answer)
    }

    /// Keeps what the sequence and a new prompt have in common, and returns how much that is: at
    /// least one token of the prompt is left to be read.
    fn keep(&mut self, tokens: &[u32]) -> Result<usize, Error> {
        let common = zip(&self.past, tokens).take_while(|(a, b)| a == b).count();
        let known = common.min(tokens.len().saturating_sub(1));
        self.solo.session.rewind(self.sequence, known)?;
        self.past.truncate(known);
        Ok(known)
    }
}
