//! Rendering the chat template that a file carries, which is a program nobody has checked.
//!
//! Work, memory, depth and output are bounded; whatever the template does, the result is a prompt
//! or an error. What a message says never becomes a mark of the format: its place in the output is
//! known, because it is rendered between two characters that occur in no text.

mod date;
mod namespaces;

use super::chat::Message;
use super::encode::Encoder;
use super::split::Channel;
use super::vocab::Vocab;
use core::fmt;
use core::ops::Range;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use minijinja_contrib::pycompat::unknown_method_callback;
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

/// Around what a message says: noncharacters, which Unicode keeps for use inside programs.
const START: char = '\u{FDD0}';
const END: char = '\u{FDD1}';

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
        let source = namespaces::confine(source)?;
        let mut environment = Environment::new();
        environment.set_syntax(syntax()?);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(DEPTH_MAX);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.add_function("raise_exception", |reason: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, reason))
        });
        environment.add_function("strftime_now", |format: &str| {
            date::now(format).map_err(|reason| Error::new(ErrorKind::InvalidOperation, reason))
        });
        environment.remove_global("namespace");
        environment.add_function(namespaces::FUNCTION, minijinja::functions::namespace);
        deeply(|| Ok(environment.add_template_owned("chat", source)?))?;
        Ok(Self { environment })
    }

    /// Renders a conversation up to where the next reply starts.
    ///
    /// `think` is the template's `enable_thinking`. The model's earlier thoughts are left out, and so are
    /// U+FDD0 and U+FDD1 wherever a message has them: these noncharacters mark its content here.
    ///
    /// # Errors
    ///
    /// If the template fails, is too expensive, makes too long a prompt, or leaves out or changes
    /// what the last message says.
    pub fn render(
        &self,
        vocab: &Vocab<'_>,
        messages: &[Message<'_>],
        think: bool,
    ) -> Result<Prompt, TemplateError> {
        deeply(|| self.prompt(vocab, messages, think))
    }

    fn prompt(
        &self,
        vocab: &Vocab<'_>,
        messages: &[Message<'_>],
        think: bool,
    ) -> Result<Prompt, TemplateError> {
        let token = |id| String::from_utf8_lossy(vocab.text(id).unwrap_or_default()).into_owned();
        let marked: Vec<Value> = messages.iter().map(message).collect();
        let context = context! {
            messages => marked,
            bos_token => vocab.bos().map(token),
            eos_token => vocab.eos().map(token),
            add_generation_prompt => true,
            enable_thinking => think,
        };
        let mut output = Output(Vec::new());
        let template = self.environment.get_template("chat")?;
        template.render_captured_to(context, &mut output)?;
        let prompt = Prompt::new(&String::from_utf8_lossy(&output.0))?;
        match messages.last() {
            Some(last) if !prompt.says(last) => Err(TemplateError::Lost),
            _ => Ok(prompt),
        }
    }
}

/// Does work on a stack that it cannot overflow.
fn deeply<T: Send>(
    work: impl FnOnce() -> Result<T, TemplateError> + Send,
) -> Result<T, TemplateError> {
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

/// A message as the template sees it, its content marked.
fn message(message: &Message<'_>) -> Value {
    context! { role => message.role.name(), content => mark(&clean(message)) }
}

/// What a message says, without the characters that mark contents: U+FDD0 and U+FDD1, which Unicode
/// reserves for a program's own use, are deleted from what a user wrote.
fn clean(message: &Message<'_>) -> String {
    message.without_thought().replace([START, END], "")
}

/// Marks a content inside the space around it, because templates trim that.
fn mark(content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    let body = content.trim();
    let (before, after) = content.split_at(content.len() - content.trim_start().len());
    let after = &after[body.len()..];
    [before, START.encode_utf8(&mut [0; 4]), body, END.encode_utf8(&mut [0; 4]), after].concat()
}

/// A rendered conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    text: String,
    /// Where messages' contents lie, in order.
    contents: Vec<Range<usize>>,
}

impl Prompt {
    /// Takes the marks out of a rendered text.
    fn new(rendered: &str) -> Result<Self, TemplateError> {
        let (mut text, mut contents) = (String::with_capacity(rendered.len()), Vec::new());
        let mut start = None;
        for c in rendered.chars() {
            match (c, start) {
                (START, None) => start = Some(text.len()),
                (END, Some(from)) => {
                    contents.push(from..text.len());
                    start = None;
                }
                (START | END, _) => return Err(TemplateError::Lost),
                _ => text.push(c),
            }
        }
        if start.is_some() { Err(TemplateError::Lost) } else { Ok(Self { text, contents }) }
    }

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
        encoder.encode_marked(&self.text, &self.contents, sink);
    }

    /// Whether a message's content is in the text.
    fn says(&self, message: &Message<'_>) -> bool {
        let content = clean(message);
        let body = content.trim();
        body.is_empty() || self.contents.iter().any(|range| &self.text[range.clone()] == body)
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
