//! Rendering the chat template that a file carries, which is a program nobody has checked.
//!
//! It is run as Python's Jinja does it with the settings of the library transformers: `trim_blocks`,
//! `lstrip_blocks`, loop controls, blocks `generation`, and a `tojson` that does not escape for HTML.
//! Work, memory, depth and output are bounded; whatever the template does, the result is a prompt or
//! an error. What a message says never becomes a mark of the format.

mod conversation;
mod date;
mod guard;
mod json;
mod lexeme;
mod methods;
mod namespaces;
mod nothing;
mod python;
mod source;

pub use conversation::Conversation;

use super::encode::Encoder;
use super::split::Channel;
use super::vocab::Vocab;
use crate::threads::has_room;
use core::fmt;
use core::ops::Range;
use guard::Guard;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value};
use nothing::Nothing;
use python::SECONDS;
use std::string::{String, ToString};
use std::thread;
use std::vec::Vec;

/// Bytes of the longest template that is read: twice the longest published.
const SOURCE_MAX: usize = 1 << 15;
/// Bytes of the longest prompt.
const PROMPT_MAX: usize = 1 << 24;
/// What a template may spend: one for an instruction or for 64 bytes of text it makes.
const FUEL: u64 = 500_000;
/// Calls inside calls.
const DEPTH_MAX: usize = 100;
/// Bytes of stack for reading and rendering. Both descend into expressions and values as deep as a
/// template of [`SOURCE_MAX`] with [`FUEL`] can nest them; what is not used takes no memory.
const STACK_BYTES: usize = 1 << 28;

/// A chat template, checked for its syntax.
pub struct Template<'s> {
    environment: Environment<'s>,
}

impl<'s> Template<'s> {
    /// Reads a template in Jinja, as `tokenizer.chat_template` has it.
    ///
    /// # Errors
    ///
    /// If it is too long or no template.
    pub fn new(source: &'s str) -> Result<Self, TemplateError> {
        if source.len() > SOURCE_MAX {
            return Err(TemplateError::Long { found: source.len() });
        }
        let syntax = syntax()?;
        let mut environment = Environment::new();
        environment.set_syntax(syntax.clone());
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(DEPTH_MAX);
        python::add_names(&mut environment);
        let source = source::translate(source, &syntax)?;
        deeply(|| Ok(environment.add_template_owned("chat", source)?))?;
        Ok(Self { environment })
    }

    /// Renders a conversation up to where the next reply starts.
    ///
    /// U+FDD0 is left out wherever a message has it: this noncharacter guards its text here.
    ///
    /// # Errors
    ///
    /// If the template fails, is too expensive, makes too long a prompt, or leaves out or changes
    /// what the user says last.
    pub fn render(
        &self,
        vocab: &Vocab<'_>,
        conversation: &Conversation,
    ) -> Result<Prompt, TemplateError> {
        deeply(|| self.prompt(vocab, conversation))
    }

    fn prompt(
        &self,
        vocab: &Vocab<'_>,
        conversation: &Conversation,
    ) -> Result<Prompt, TemplateError> {
        let mut output = Output(Vec::new());
        let template = self.environment.get_template("chat")?;
        template.render_captured_to(given(vocab, conversation), &mut output)?;
        let (text, plain) = guard::unguarded(&String::from_utf8_lossy(&output.0));
        match conversation.asks() {
            Some(question) if !text.contains(&*question) => Err(TemplateError::Lost),
            _ => Ok(Prompt { text, plain }),
        }
    }
}

/// The values that a template starts with.
fn given(vocab: &Vocab<'_>, conversation: &Conversation) -> Value {
    let guard = Guard::new(vocab);
    let token = |id| String::from_utf8_lossy(vocab.text(id).unwrap_or_default()).into_owned();
    let messages: Value = conversation.messages.iter().map(|it| guard.guarded(it)).collect();
    let mut pairs = Vec::from([
        ("messages", messages),
        ("tools", guard.guarded(&conversation.tools())),
        ("documents", Value::from_object(Nothing)),
        ("add_generation_prompt", true.into()),
        (SECONDS, conversation.seconds.into()),
    ]);
    pairs.extend(conversation.thinks.map(|thinks| ("enable_thinking", thinks.into())));
    let tokens = [("bos_token", vocab.bos()), ("eos_token", vocab.eos())];
    pairs.extend(tokens.into_iter().filter_map(|(name, id)| Some((name, token(id?).into()))));
    Value::from_pairs(pairs)
}

/// Does work on a stack that it cannot overflow.
fn deeply<T: Send>(
    work: impl FnOnce() -> Result<T, TemplateError> + Send,
) -> Result<T, TemplateError> {
    if !has_room() {
        return Err(TemplateError::NoRoom);
    }
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let result = thread.map_err(|_| TemplateError::NoRoom)?.join();
        result.unwrap_or(Err(TemplateError::Expensive))
    })
}

/// Lines that hold only a block leave no space behind: chat templates are written for that.
fn syntax() -> Result<SyntaxConfig, Error> {
    SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()
}

/// A rendered conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    text: String,
    /// Where characters lie with which no mark begins, because a message has them; in order.
    plain: Vec<Range<usize>>,
}

impl Prompt {
    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The part of the reply that the model is to begin with.
    pub fn channel(&self) -> Channel {
        Channel::after(&self.text)
    }

    /// Passes on the prompt's tokens. Marks of the format in messages' contents stay text.
    pub fn encode(&self, encoder: &mut Encoder<'_>, mut sink: impl FnMut(u32)) {
        encoder.lead(&self.text, true, &mut sink);
        encoder.encode_marked(&self.text, &self.plain, sink);
    }
}

/// A prompt while it is written; refuses to grow past [`PROMPT_MAX`].
struct Output(Vec<u8>);

impl std::io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > PROMPT_MAX {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Why a file's chat template gives no prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TemplateError {
    /// It is longer than any template.
    Long {
        /// Its bytes.
        found: usize,
    },
    /// It is not valid, or refuses the conversation; the reason, and the line if there is one.
    Failed {
        /// What is wrong.
        reason: String,
        /// Where, from 1.
        line: Option<usize>,
    },
    /// It takes too many steps.
    Expensive,
    /// The system gives no thread or no memory to render it with; that says nothing of the template.
    NoRoom,
    /// It makes too long a prompt.
    Prompt,
    /// It leaves out or changes what a message says.
    Lost,
}

impl From<Error> for TemplateError {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::OutOfFuel => Self::Expensive,
            ErrorKind::WriteFailure => Self::Prompt,
            kind => {
                let reason = error.detail().map_or_else(|| kind.to_string(), str::to_string);
                Self::Failed { reason, line: error.line() }
            }
        }
    }
}

/// What is wrong; what to use instead is for whoever knows whether a built-in format suits.
impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file's chat template ")?;
        match self {
            Self::Long { found } => write!(f, "has {found} bytes, at most {SOURCE_MAX} are read"),
            Self::Failed { reason, line: Some(line) } => {
                write!(f, "fails in line {line}: {reason}")
            }
            Self::Failed { reason, line: None } => write!(f, "fails: {reason}"),
            Self::Expensive => f.write_str("is too expensive to render"),
            Self::NoRoom => write!(
                f,
                "cannot be rendered: the system gives no thread with {} MB of memory for its stack",
                STACK_BYTES >> 20
            ),
            Self::Prompt => write!(f, "makes a prompt of more than {PROMPT_MAX} bytes"),
            Self::Lost => f.write_str("leaves out or changes what a message says"),
        }
    }
}

impl core::error::Error for TemplateError {}
