//! The chat format that a model's conversation is written in.

use crate::error::{Class, EngineError, Outcome};
use crate::load::Model;
use dram_runtime::text::template::{Template, TemplateError};
use dram_runtime::text::{Channel, Chat, Encoder, Message};

/// A chat format, built in or from the model's file.
pub enum Form<'a> {
    /// One of ours.
    BuiltIn(Chat),
    /// The template that the file carries.
    File(Box<Template<'a>>),
}

impl<'a> Form<'a> {
    /// R1's own format is built in; other models bring theirs, and where that is no template one
    /// that suits the vocabulary takes its place, of which `notice` is told.
    ///
    /// # Errors
    ///
    /// [`Class::BadFile`] if there is none.
    pub fn of(model: &Model<'a>, notice: &mut dyn FnMut(&str)) -> Outcome<Self> {
        let chat = Chat::of(model.vocab);
        let source = model.gguf.find::<&str>("tokenizer.chat_template")?;
        match (chat, source.map(Template::new)) {
            (Some(Chat::R1), _) => Ok(Self::BuiltIn(Chat::R1)),
            (_, Some(Ok(template))) => Ok(Self::File(Box::new(template))),
            (Some(chat), Some(Err(error))) => {
                notice(&format!("{error}: {chat:?} is used"));
                Ok(Self::BuiltIn(chat))
            }
            (Some(chat), None) => Ok(Self::BuiltIn(chat)),
            (None, Some(Err(error))) => Err(refused(&error)),
            (None, None) => Err(EngineError::new(
                Class::BadFile,
                "the file has no chat template and its tokens suit none that is built in; --raw \
                 completes text without one",
            )),
        }
    }

    /// The tokens of a conversation up to where the next reply starts, and the part of the reply
    /// that it starts with.
    ///
    /// # Errors
    ///
    /// [`Class::BadFile`] if the file's template refuses the conversation.
    pub fn encode(
        &self,
        encoder: &mut Encoder<'_>,
        messages: &[Message<'_>],
        thinks: bool,
    ) -> Outcome<(Vec<u32>, Channel)> {
        let mut tokens = Vec::new();
        let channel = match self {
            Self::BuiltIn(chat) => {
                encoder.encode_chat(*chat, messages, thinks, |id| tokens.push(id))
            }
            Self::File(template) => {
                let prompt = template.render(encoder.vocab(), messages, thinks);
                let prompt = prompt.map_err(|error| refused(&error))?;
                prompt.encode(encoder, |id| tokens.push(id));
                prompt.channel()
            }
        };
        Ok((tokens, channel))
    }
}

fn refused(error: &TemplateError) -> EngineError {
    EngineError::new(Class::BadFile, format!("{error}; or complete text without one, with --raw"))
}
