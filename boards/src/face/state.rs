//! What a face can show, and how a light tells it.

/// What goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A model is being loaded.
    Loading,
    /// It waits for a question.
    Ready,
    /// Somebody is asking.
    Listening,
    /// It reads the question or reasons.
    Thinking,
    /// It answers.
    Answering,
    /// It is too hot to go at full speed.
    Hot,
    /// The last thing asked for failed.
    Error,
}

/// A time in which brightness goes evenly from one percentage to another.
pub(super) struct Ramp {
    pub millis: u32,
    pub from: u8,
    pub to: u8,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 7] = [
        Self::Loading,
        Self::Ready,
        Self::Listening,
        Self::Thinking,
        Self::Answering,
        Self::Hot,
        Self::Error,
    ];

    /// Its name, in at most nine letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Ready => "ready",
            Self::Listening => "listening",
            Self::Thinking => "thinking",
            Self::Answering => "answering",
            Self::Hot => "hot",
            Self::Error => "error",
        }
    }

    /// What the light does again and again. The patterns differ even where it can only be on or off.
    pub(super) fn pattern(self) -> &'static [Ramp] {
        const FLASH: Ramp = on(100);
        const GAP: Ramp = off(150);
        const UP: Ramp = Ramp { millis: 1000, from: 0, to: 100 };
        const DOWN: Ramp = Ramp { millis: 1000, from: 100, to: 0 };
        match self {
            Self::Loading => const { &[on(500), off(500)] },
            Self::Ready => const { &[on(1000)] },
            Self::Listening => const { &[on(900), off(100)] },
            Self::Thinking => &[UP, DOWN],
            Self::Answering => const { &[on(150), off(150)] },
            Self::Hot => const { &[FLASH, GAP, FLASH, off(1650)] },
            Self::Error => const { &[FLASH, GAP, FLASH, GAP, FLASH, off(1400)] },
        }
    }
}

const fn on(millis: u32) -> Ramp {
    Ramp { millis, from: 100, to: 100 }
}

const fn off(millis: u32) -> Ramp {
    Ramp { millis, from: 0, to: 0 }
}
