//! The chat format that a model's conversation is written in.

use crate::error::{Class, EngineError, Outcome};
use crate::load::Model;
use dram_runtime::text::template::{Conversation, Template, TemplateError};
use dram_runtime::text::{Channel, Chat, Encoder, Message, Role, Vocab};

/// A chat format, built in or from the model's file.
pub enum Form<'a> {
    /// One of ours.
    BuiltIn(Chat),
    /// The template that the file carries.
    File(Box<Template<'a>>),
}

impl<'a> Form<'a> {
    /// The template that the file carries; where it has none, or one that writes what a format that is
    /// built in writes, that format. Where it is no template, one that suits the vocabulary takes
    /// its place, of which `notice` is told.
    ///
    /// # Errors
    ///
    /// [`Class::BadFile`] if there is none; [`Class::NoRoom`] if the system has too little memory to
    /// read the template.
    pub fn of(model: &Model<'a>, notice: &mut dyn FnMut(&str)) -> Outcome<Self> {
        let chat = Chat::of(model.vocab);
        let source = model.gguf.find::<&str>("tokenizer.chat_template")?;
        match (chat, source.map(Template::new)) {
            (_, Some(Err(error @ TemplateError::NoRoom))) => Err(refused(&error)),
            (Some(chat), Some(Ok(template))) if is_equal(chat, &template, model.vocab)? => {
                Ok(Self::BuiltIn(chat))
            }
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
                let prompt = template.render(encoder.vocab(), &Conversation::new(messages, thinks));
                let prompt = prompt.map_err(|error| refused(&error))?;
                prompt.encode(encoder, |id| tokens.push(id));
                prompt.channel()
            }
        };
        Ok((tokens, channel))
    }
}

/// Whether a file's template writes what a built-in format writes, but for the tag that opens the
/// reply's thought, which R1's first editions left to the model.
fn is_equal(chat: Chat, template: &Template<'_>, vocab: &Vocab<'_>) -> Outcome<bool> {
    let message = |role, content| Message { role, content };
    let messages = [
        message(Role::System, "Be brief."),
        message(Role::User, "Hello"),
        message(Role::Assistant, "<think>\nA greeting.\n</think>\n\nHi."),
        message(Role::User, "Bye"),
    ];
    let mut built_in = String::new();
    chat.segments(vocab, &messages, true, |segment| built_in.push_str(segment.text));
    match template.render(vocab, &Conversation::new(&messages, true)) {
        Ok(prompt) => {
            let open = built_in.strip_suffix("<think>\n");
            Ok([Some(&*built_in), open].contains(&Some(prompt.text())))
        }
        Err(error @ TemplateError::NoRoom) => Err(refused(&error)),
        // A conversation that it refuses tells nothing of others.
        Err(_) => Ok(false),
    }
}

fn refused(error: &TemplateError) -> EngineError {
    let class = match error {
        TemplateError::NoRoom => Class::NoRoom,
        TemplateError::Prompt => Class::Failed,
        _ => Class::BadFile,
    };
    match error {
        TemplateError::Prompt => EngineError::new(
            class,
            "the prompt has more than 16 MB, which no context holds; shorten it",
        ),
        _ => EngineError::new(class, format!("{error}; or complete text without one, with --raw")),
    }
}
