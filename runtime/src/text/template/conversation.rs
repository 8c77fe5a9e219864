//! What a template is given to write.

use super::date;
use super::guard::MARK;
use super::nothing::Nothing;
use crate::text::chat::Message;
use minijinja::{Value, context};
use serde::Deserialize;
use std::string::{String, ToString};
use std::vec::Vec;

/// Messages that are to be answered, and what else templates ask for.
///
/// It is read from JSON as clients of servers write it: an object with `messages`, perhaps `tools`,
/// and perhaps `enable_thinking`, which fields keep the order they come in.
#[derive(Clone, Debug, Deserialize)]
pub struct Conversation {
    pub(super) messages: Vec<Value>,
    pub(super) tools: Option<Value>,
    #[serde(rename = "enable_thinking")]
    pub(super) thinks: Option<bool>,
    /// The time that templates find, in seconds since 1970, in UTC.
    #[serde(skip, default = "date::now")]
    pub seconds: u64,
}

impl Conversation {
    /// Takes messages, without what the model thought, and whether it is to think now.
    pub fn new(messages: &[Message<'_>], think: bool) -> Self {
        let message = |message: &Message<'_>| {
            context! { role => message.role.name(), content => message.without_thought() }
        };
        let messages = messages.iter().map(message).collect();
        Self { messages, tools: None, thinks: Some(think), seconds: date::now() }
    }

    /// What the last message says, without the space around it, if it is a user's: it must be in the
    /// prompt.
    pub(super) fn asks(&self) -> Option<String> {
        let last = self.messages.last()?;
        let field = |name| last.get_attr(name).ok();
        let is_user = field("role")?.as_str() == Some("user");
        let content = field("content").filter(|_| is_user)?;
        Some(content.as_str()?.replace(MARK, "").trim().to_string())
    }

    /// The tools, or what stands for none of them.
    pub(super) fn tools(&self) -> Value {
        self.tools.clone().unwrap_or_else(|| Value::from_object(Nothing))
    }
}
