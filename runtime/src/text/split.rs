//! Dividing a reply into reasoning and answer while it streams.

/// Which part of a reply a piece of text belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// What the model thinks, between the tags of a thought.
    Reasoning,
    /// What it says.
    Answer,
}

impl Channel {
    /// The part that a reply to a prompt begins with: reasoning if the prompt opens a thought.
    pub fn after(prompt: &str) -> Self {
        let end = prompt.trim_end_matches(['\n', '\r']);
        let opens = THOUGHTS.iter().any(|(open, _)| end.ends_with(open));
        if opens { Self::Reasoning } else { Self::Answer }
    }
}

/// The tags before and after a thought, by family: DeepSeek, Qwen and most others; finetunes of
/// Granite and Gemma, and of others; OpenThinker; Magistral; Seed; MiniMax; Hunyuan; Command R;
/// Apertus.
pub(crate) const THOUGHTS: [(&str, &str); 11] = [
    ("<think>", "</think>"),
    ("<thought>", "</thought>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("<mm:think>", "</mm:think>"),
    ("<think:opensource>", "</think:opensource>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
];

/// Whether a text is the tag before or after a thought.
pub(crate) fn is_tag(text: &[u8]) -> bool {
    THOUGHTS.iter().any(|(open, close)| text == open.as_bytes() || text == close.as_bytes())
}

/// Bytes of white space at the start of a part that are held back, as a tag may follow.
const LEAD_MAX: usize = 16;

/// Divides streamed text at the tags of thoughts, also when a tag arrives in pieces.
///
/// Only what may be the start of a tag is held back, with white space or a byte order mark before it
/// where a part begins. One run of line breaks at the start of each part is left out, and so is a
/// tag there that opens or closes what is open or closed already.
///
/// In reasoning, the tag after it always ends it; a thought that never closes stays a thought and is
/// never made an answer. In an answer, a tag opens a thought at the start of a line only, and one that
/// closes is text: an answer may speak about tags.
#[derive(Clone, Debug)]
pub struct Split {
    channel: Channel,
    /// What closes the thought that is open, if its first tag was seen; else any does.
    close: Option<&'static str>,
    /// What is held back: the first `held` bytes of `tag`.
    tag: &'static str,
    held: usize,
    /// White space before what is held back, at the start of a part.
    lead: Lead,
    /// Whether the part has no text yet.
    is_fresh: bool,
    /// Whether the last character was a line break.
    is_line_start: bool,
}

impl Split {
    /// Starts a reply in the part that the prompt leads to.
    pub const fn new(channel: Channel) -> Self {
        Self {
            channel,
            close: None,
            tag: "",
            held: 0,
            lead: Lead { bytes: [0; LEAD_MAX], len: 0 },
            is_fresh: true,
            is_line_start: true,
        }
    }

    /// The part that the next text belongs to, as far as is known.
    pub const fn channel(&self) -> Channel {
        self.channel
    }

    /// Takes a piece of the reply and passes on what is known, in one piece or several.
    pub fn push(&mut self, text: &str, mut sink: impl FnMut(Channel, &str)) {
        let mut from = 0;
        for (at, c) in text.char_indices() {
            let end = at + c.len_utf8();
            if self.held > 0 {
                from = at;
                if self.hold(c) {
                    from = end;
                    continue;
                }
                self.release(&mut sink);
            }
            if self.begins(c) {
                self.show(&text[from..at], &mut sink);
                self.hold(c);
                from = end;
            } else if self.is_fresh && self.lead.takes(c) {
                from = end;
            } else {
                self.show_lead(&mut sink);
                self.is_fresh = false;
                self.is_line_start = c == '\n';
            }
        }
        self.show(&text[from..], &mut sink);
    }

    /// Ends the reply: passes on what is held back, which is no tag.
    pub fn finish(&mut self, mut sink: impl FnMut(Channel, &str)) {
        self.release(&mut sink);
    }

    /// The tags that count here.
    fn tags(&self) -> impl Iterator<Item = &'static str> + use<> {
        let (is_answer, is_fresh) = (self.channel == Channel::Answer, self.is_fresh);
        let (opens, known) = (is_fresh || is_answer && self.is_line_start, self.close);
        THOUGHTS
            .into_iter()
            .flat_map(move |(open, close)| {
                let closes = is_fresh || !is_answer && known.is_none_or(|known| known == close);
                [(open, opens), (close, closes)]
            })
            .filter_map(|(tag, counts)| counts.then_some(tag))
    }

    /// Whether a tag may begin with a character.
    fn begins(&self, c: char) -> bool {
        matches!(c, '<' | '[') && self.tags().any(|tag| tag.starts_with(c))
    }

    /// Holds a character back if it continues a tag; acts on a tag that is complete.
    fn hold(&mut self, c: char) -> bool {
        let held = &self.tag[..self.held];
        let next =
            self.tags().find(|tag| tag.strip_prefix(held).is_some_and(|rest| rest.starts_with(c)));
        let Some(tag) = next else { return false };
        (self.tag, self.held) = (tag, self.held + c.len_utf8());
        if self.held == tag.len() {
            let opened = THOUGHTS.iter().find(|(open, _)| *open == tag);
            *self = match opened {
                Some((_, close)) => Self { close: Some(close), ..Self::new(Channel::Reasoning) },
                None => Self::new(Channel::Answer),
            };
        }
        true
    }

    /// Passes on what is held back.
    fn release(&mut self, sink: &mut impl FnMut(Channel, &str)) {
        let held = core::mem::take(&mut self.held);
        if held > 0 {
            self.show_lead(sink);
            (self.is_fresh, self.is_line_start) = (false, false);
            self.show(&self.tag[..held], sink);
        }
    }

    /// Passes on white space at the start of a part, which no tag followed.
    fn show_lead(&mut self, sink: &mut impl FnMut(Channel, &str)) {
        let lead = core::mem::take(&mut self.lead);
        self.show(lead.text(), sink);
    }

    fn show(&self, text: &str, sink: &mut impl FnMut(Channel, &str)) {
        if !text.is_empty() {
            sink(self.channel, text);
        }
    }
}

/// White space at the start of a part.
#[derive(Clone, Debug, Default)]
struct Lead {
    bytes: [u8; LEAD_MAX],
    len: usize,
}

impl Lead {
    /// Holds a character back if it is white space or a byte order mark; line breaks before all others
    /// are left out at once.
    fn takes(&mut self, c: char) -> bool {
        if self.len == 0 && matches!(c, '\n' | '\r') {
            return true;
        }
        let is_space = c.is_whitespace() || c == '\u{feff}';
        let Some(room) = self.bytes[self.len..].get_mut(..c.len_utf8()).filter(|_| is_space) else {
            return false;
        };
        c.encode_utf8(room);
        self.len += c.len_utf8();
        true
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).expect("characters were entered whole")
    }
}
