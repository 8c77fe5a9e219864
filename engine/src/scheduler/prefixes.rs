//! The pasts of replies that are over, for prompts that begin like them.

use std::iter::zip;

/// Sequences that nobody writes to any more, with their tokens. They stay while there are pages.
#[derive(Debug)]
pub(super) struct Prefixes<S> {
    all: Vec<Prefix<S>>,
    /// Counts uses: what was used last has the highest number.
    uses: u64,
}

#[derive(Debug)]
struct Prefix<S> {
    tokens: Vec<u32>,
    sequence: S,
    used: u64,
}

impl<S: Copy> Prefixes<S> {
    pub(super) const fn new() -> Self {
        Self { all: Vec::new(), uses: 0 }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The sequence that has most in common with the start of a prompt, and how many tokens that is.
    pub(super) fn longest(&mut self, prompt: &[u32]) -> Option<(S, usize)> {
        self.uses += 1;
        let prefixes = self.all.iter_mut().map(|prefix| (common(&prefix.tokens, prompt), prefix));
        let (length, prefix) = prefixes.max_by_key(|(length, _)| *length)?;
        if length == 0 {
            return None;
        }
        prefix.used = self.uses;
        Some((prefix.sequence, length))
    }

    /// Keeps a sequence with its tokens. Returns those that are of no use beside it, or itself if it
    /// is of none beside another, for the caller to close.
    pub(super) fn keep(&mut self, tokens: Vec<u32>, sequence: S) -> Vec<S> {
        self.uses += 1;
        if let Some(longer) = self.all.iter_mut().find(|prefix| prefix.tokens.starts_with(&tokens))
        {
            longer.used = self.uses;
            return vec![sequence];
        }
        let within = |prefix: &mut Prefix<S>| tokens.starts_with(&prefix.tokens);
        let shorter = self.all.extract_if(.., within).map(|prefix| prefix.sequence).collect();
        self.all.push(Prefix { tokens, sequence, used: self.uses });
        shorter
    }

    /// Forgets the one that has not been used for longest, for the caller to close.
    pub(super) fn evict(&mut self) -> Option<S> {
        let all = self.all.iter().enumerate();
        let (oldest, _) = all.min_by_key(|(_, prefix)| prefix.used)?;
        Some(self.all.swap_remove(oldest).sequence)
    }
}

/// How many tokens two texts begin with alike.
pub(super) fn common(a: &[u32], b: &[u32]) -> usize {
    zip(a, b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::Prefixes;

    #[test]
    fn the_longest_common_start_is_found_not_the_longest_text() {
        let mut prefixes = Prefixes::new();
        assert_eq!(prefixes.longest(&[1]), None);
        assert!(prefixes.keep(vec![1, 2, 3, 9, 9, 9], 'a').is_empty());
        assert!(prefixes.keep(vec![1, 2, 3, 4], 'b').is_empty());
        assert_eq!(prefixes.longest(&[1, 2, 3, 4, 5]), Some(('b', 4)));
        assert_eq!(prefixes.longest(&[1, 2, 3, 9]), Some(('a', 4)));
        assert_eq!(prefixes.longest(&[2, 3]), None);
    }

    #[test]
    fn what_another_holds_already_is_not_kept_twice() {
        let mut prefixes = Prefixes::new();
        assert!(prefixes.keep(vec![1, 2], 'a').is_empty());
        assert!(prefixes.keep(vec![1, 3], 'b').is_empty());
        assert_eq!(prefixes.keep(vec![1, 2, 3], 'c'), ['a']);
        assert_eq!(prefixes.keep(vec![1, 2], 'd'), ['d']);
        assert_eq!(prefixes.keep(vec![1, 2, 3], 'e'), ['e']);
        assert_eq!(prefixes.len(), 2);
    }

    #[test]
    fn what_was_used_last_goes_last() {
        let mut prefixes = Prefixes::new();
        for (name, token) in [('a', 1), ('b', 2), ('c', 3)] {
            prefixes.keep(vec![token, 0], name);
        }
        prefixes.longest(&[1]);
        prefixes.keep(vec![2], 'd');
        assert_eq!(prefixes.evict(), Some('c'));
        assert_eq!(prefixes.evict(), Some('a'));
        assert_eq!(prefixes.evict(), Some('b'));
        assert_eq!(prefixes.evict(), None);
    }
}
