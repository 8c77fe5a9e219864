//! Dividing a reply into reasoning and answer while it streams.

/// Which part of a reply a piece of text belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// What the model thinks, between `<think>` and `</think>`.
    Reasoning,
    /// What it says.
    Answer,
}

impl Channel {
    /// The part that a reply to a prompt begins with: reasoning if the prompt opens a thought.
    pub fn after(prompt: &str) -> Self {
        let opens = prompt.trim_end_matches(['\n', '\r']).ends_with(OPEN);
        if opens { Self::Reasoning } else { Self::Answer }
    }
}

/// The tag before a thought.
pub(crate) const OPEN: &str = "<think>";
/// The tag after a thought.
pub(crate) const CLOSE: &str = "</think>";

/// Divides streamed text at `<think>` and `</think>`, also when a tag arrives in pieces.
///
/// Only what may be the start of a tag is held back. One run of line breaks at the start of each
/// part is left out, and so is a tag there that opens or closes what is open or closed already.
///
/// In reasoning, `</think>` always ends it; a thought that never closes stays a thought and is
/// never made an answer. In an answer, `<think>` opens a thought at the start of a line only, and
/// `</think>` is text: an answer may speak about tags.
#[derive(Clone, Debug)]
pub struct Split {
    channel: Channel,
    /// What is held back: the first `held` bytes of `tag`.
    tag: &'static str,
    held: usize,
    /// Whether the part has no text yet.
    is_fresh: bool,
    /// Whether the last character was a line break.
    is_line_start: bool,
}

impl Split {
    /// Starts a reply in the part that the prompt leads to.
    pub const fn new(channel: Channel) -> Self {
        Self { channel, tag: OPEN, held: 0, is_fresh: true, is_line_start: true }
    }

    /// The part that the next text belongs to, as far as is known.
    pub const fn channel(&self) -> Channel {
        self.channel
    }

    /// Takes a piece of the reply and passes on what is known, in one piece or several.
    pub fn push(&mut self, text: &str, mut sink: impl FnMut(Channel, &str)) {
        let mut from = 0;
        for (at, byte) in text.bytes().enumerate() {
            if self.held > 0 {
                from = at;
                if self.hold(byte) {
                    from += 1;
                    continue;
                }
                self.release(&mut sink);
            }
            if byte == b'<' && (self.may_be(OPEN) || self.may_be(CLOSE)) {
                self.show(&text[from..at], &mut sink);
                self.held = 1;
                from = at + 1;
            } else if self.is_fresh && matches!(byte, b'\n' | b'\r') {
                from = at + 1;
            } else {
                self.is_fresh = false;
                self.is_line_start = byte == b'\n';
            }
        }
        self.show(&text[from..], &mut sink);
    }

    /// Ends the reply: passes on what is held back, which is no tag.
    pub fn finish(&mut self, mut sink: impl FnMut(Channel, &str)) {
        self.release(&mut sink);
    }

    /// Whether a tag counts here.
    fn may_be(&self, tag: &str) -> bool {
        match self.channel {
            Channel::Reasoning => self.is_fresh || tag == CLOSE,
            Channel::Answer => self.is_fresh || self.is_line_start && tag == OPEN,
        }
    }

    /// Holds a byte back if it continues a tag; acts on a tag that is complete.
    fn hold(&mut self, byte: u8) -> bool {
        let is_next = |tag: &str| tag.as_bytes()[self.held] == byte;
        let tag = match self.held {
            1 => [OPEN, CLOSE].into_iter().find(|tag| self.may_be(tag) && is_next(tag)),
            _ => Some(self.tag).filter(|tag| is_next(tag)),
        };
        let Some(tag) = tag else { return false };
        (self.tag, self.held) = (tag, self.held + 1);
        if self.held == tag.len() {
            let channel = if tag == OPEN { Channel::Reasoning } else { Channel::Answer };
            *self = Self::new(channel);
        }
        true
    }

    /// Passes on what is held back.
    fn release(&mut self, sink: &mut impl FnMut(Channel, &str)) {
        let held = core::mem::take(&mut self.held);
        if held > 0 {
            (self.is_fresh, self.is_line_start) = (false, false);
            self.show(&self.tag[..held], sink);
        }
    }

    fn show(&self, text: &str, sink: &mut impl FnMut(Channel, &str)) {
        if !text.is_empty() {
            sink(self.channel, text);
        }
    }
}
