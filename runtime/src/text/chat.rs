//! Writing a conversation as the prompt of its next reply.

use super::split::{Channel, THOUGHTS};
use super::vocab::Vocab;

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Whoever set up the conversation.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The name that chat formats use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// One message of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'m> {
    /// Who wrote it.
    pub role: Role,
    /// What it says; of the model, also with the thought that led to it.
    pub content: &'m str,
}

impl<'m> Message<'m> {
    /// The content without the model's thoughts, which are not shown to it again: what follows the
    /// last tag that closes one, and nothing of a thought that was never closed.
    pub fn without_thought(&self) -> &'m str {
        if self.role != Role::Assistant {
            return self.content;
        }
        let after = |said: &'m str, close| said.rsplit_once(close).map_or(said, |(_, said)| said);
        let said = THOUGHTS.iter().fold(self.content, |said, (_, close)| after(said, close));
        let opens = |said: &str| THOUGHTS.iter().any(|(open, _)| said.starts_with(open));
        if opens(said.trim_start()) { "" } else { said }
    }
}

/// A piece of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'m> {
    /// Its text.
    pub text: &'m str,
    /// Whether it is the format's: only there, marks become tokens.
    pub special: bool,
}

/// A chat format that is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chat {
    /// DeepSeek R1 and its distills. The last system message counts; a reply starts with a thought.
    R1,
    /// `<|im_start|>role … <|im_end|>`, as Qwen and SmolLM have it.
    ChatMl,
}

impl Chat {
    /// The format whose marks a vocabulary has; `None` if it has neither's.
    pub fn of(vocab: &Vocab<'_>) -> Option<Self> {
        let has = |mark| vocab.find(mark).is_some();
        match vocab.is_r1() {
            true => Some(Self::R1),
            false if has("<|im_start|>") && has("<|im_end|>") => Some(Self::ChatMl),
            false => None,
        }
    }

    /// Passes on the pieces of a conversation's prompt, up to where the next reply starts; returns
    /// the part of the reply that the model is to begin with.
    ///
    /// Without `think`, the prompt holds an empty thought where the format knows thoughts, so that
    /// the model answers at once.
    pub fn segments<'m>(
        self,
        vocab: &Vocab<'m>,
        messages: &[Message<'m>],
        think: bool,
        mut sink: impl FnMut(Segment<'m>),
    ) -> Channel {
        let mut write = |text, special| sink(Segment { text, special });
        match self {
            Self::R1 => r1(vocab, messages, think, &mut write),
            Self::ChatMl => chat_ml(vocab, messages, think, &mut write),
        }
    }
}

/// `{bos}{system}<｜User｜>{…}<｜Assistant｜>{…}<｜end▁of▁sentence｜>…<｜Assistant｜><think>\n`, the
/// published template with its later edition's ending.
fn r1<'m>(
    vocab: &Vocab<'m>,
    messages: &[Message<'m>],
    think: bool,
    write: &mut impl FnMut(&'m str, bool),
) -> Channel {
    let bos = vocab.bos().and_then(|id| vocab.text(id));
    write(bos.and_then(|text| str::from_utf8(text).ok()).unwrap_or_default(), true);
    let system = messages.iter().rfind(|message| message.role == Role::System);
    write(system.map_or("", |message| message.content), false);
    for message in messages {
        match message.role {
            Role::System => continue,
            Role::User => write("<｜User｜>", true),
            Role::Assistant => write("<｜Assistant｜>", true),
        }
        write(message.without_thought(), false);
        if message.role == Role::Assistant {
            write("<｜end▁of▁sentence｜>", true);
        }
    }
    write("<｜Assistant｜><think>\n", true);
    if think {
        return Channel::Reasoning;
    }
    write("</think>\n\n", true);
    Channel::Answer
}

fn chat_ml<'m>(
    vocab: &Vocab<'m>,
    messages: &[Message<'m>],
    think: bool,
    write: &mut impl FnMut(&'m str, bool),
) -> Channel {
    for message in messages {
        write(
            match message.role {
                Role::System => "<|im_start|>system\n",
                Role::User => "<|im_start|>user\n",
                Role::Assistant => "<|im_start|>assistant\n",
            },
            true,
        );
        write(message.without_thought(), false);
        write("<|im_end|>\n", true);
    }
    write("<|im_start|>assistant\n", true);
    if !think && vocab.find("<think>").is_some() {
        write("<think>\n\n</think>\n\n", true);
    }
    Channel::Answer
}
