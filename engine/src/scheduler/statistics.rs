//! What a scheduler has done and how it stands.

use std::time::Duration;

/// Counts since the start, and how it is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Replies that are made now.
    pub active: usize,
    /// Requests that wait to be admitted, and replies that wait for pages to go on.
    pub queued: usize,
    /// Requests that are over, however they ended.
    pub finished: u64,
    /// Tokens that were read in chunks: of prompts, and of replies that were paused.
    pub prompt_tokens: u64,
    /// Tokens of prompts that were there already.
    pub reused_tokens: u64,
    /// Tokens that were made.
    pub reply_tokens: u64,
    /// Times that a reply was paused.
    pub pauses: u64,
    /// Pages of keys and values.
    pub pages: usize,
    /// Pages that nothing uses.
    pub free_pages: usize,
    /// Pasts that are kept for prompts which begin like them.
    pub prefixes: usize,
    /// How long steps took.
    pub steps: Steps,
    /// Whether heat makes it slower.
    pub is_hot: bool,
}

/// How long steps took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps {
    /// How many there were.
    pub count: u64,
    /// The last one.
    pub last: Duration,
    /// The longest.
    pub longest: Duration,
    /// All together.
    pub total: Duration,
}

impl Steps {
    /// Adds one.
    pub(super) fn add(&mut self, step: Duration) {
        self.count += 1;
        self.last = step;
        self.longest = self.longest.max(step);
        self.total += step;
    }

    /// The mean; nothing before the first.
    pub fn mean(&self) -> Duration {
        let count = u32::try_from(self.count).unwrap_or(u32::MAX);
        self.total.checked_div(count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Steps;
    use std::time::Duration;

    #[test]
    fn steps_add_up() {
        let mut steps = Steps::default();
        assert_eq!(steps.mean(), Duration::ZERO);
        [2, 7, 3].map(Duration::from_millis).into_iter().for_each(|step| steps.add(step));
        assert_eq!((steps.count, steps.mean()), (3, Duration::from_millis(4)));
        assert_eq!([steps.last, steps.longest].map(|step| step.as_millis()), [3, 7]);
    }
}
