//! Showing a reply while it is made: the answer on stdout, thoughts on stderr.

use dram_runtime::text::Channel;
use std::env;
use std::io::{self, IsTerminal, Write};

/// What stands around a thought that is dimmed.
const DIM: [&str; 2] = ["\x1b[2m", "\x1b[0m\n\n"];
/// What stands around it where nothing can be dimmed: the marks that models use.
const PLAIN: [&str; 2] = ["<think>\n", "\n</think>\n\n"];

/// Where a reply goes, and what was shown of it last.
pub(crate) struct Screen {
    /// Whether thoughts are shown.
    shows_thoughts: bool,
    /// What stands around a thought.
    marks: [&'static str; 2],
    /// Whether a terminal reads stdout: it must not obey what a model writes.
    is_terminal: bool,
    /// The part that was shown last.
    last: Option<Channel>,
    /// Whether the last character of the answer was a line break.
    is_line_start: bool,
}

impl Screen {
    pub(crate) fn new(hide_think: bool) -> Self {
        let no_color = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            shows_thoughts: !hide_think,
            marks: if io::stderr().is_terminal() && !no_color { DIM } else { PLAIN },
            is_terminal: io::stdout().is_terminal(),
            last: None,
            is_line_start: true,
        }
    }

    /// Shows a piece of a reply.
    pub(crate) fn show(&mut self, channel: Channel, text: &str) -> io::Result<()> {
        match channel {
            Channel::Reasoning => {
                if self.shows_thoughts {
                    self.think(text);
                }
                Ok(())
            }
            Channel::Answer => self.say(text),
        }
    }

    /// Ends a reply, with a line break if `line` and it has none.
    pub(crate) fn end(&mut self, line: bool) -> io::Result<()> {
        self.end_thought();
        self.last = None;
        if line && !std::mem::replace(&mut self.is_line_start, true) {
            writeln!(io::stdout())?;
        }
        io::stdout().flush()
    }

    fn think(&mut self, text: &str) {
        if self.last.replace(Channel::Reasoning) != Some(Channel::Reasoning) {
            tell(self.marks[0]);
        }
        tell(&harmless(text));
    }

    fn say(&mut self, text: &str) -> io::Result<()> {
        self.end_thought();
        self.last = Some(Channel::Answer);
        self.is_line_start = text.ends_with('\n');
        let mut out = io::stdout().lock();
        if self.is_terminal {
            out.write_all(harmless(text).as_bytes())?;
        } else {
            out.write_all(text.as_bytes())?;
        }
        out.flush()
    }

    fn end_thought(&mut self) {
        if self.last == Some(Channel::Reasoning) {
            tell(self.marks[1]);
        }
    }
}

/// Writes to stderr. An answer is worth more than its thoughts: what fails here ends nothing.
fn tell(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The text with control characters, which a terminal would obey, made visible.
fn harmless(text: &str) -> String {
    let visible =
        |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{fffd}' } else { c };
    text.chars().map(visible).collect()
}
