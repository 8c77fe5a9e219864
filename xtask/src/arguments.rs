//! What follows a command on its line.

use crate::step::Outcome;

/// Flags with values, flags alone, and words, each in the order they came.
pub(crate) struct Arguments {
    values: Vec<(String, String)>,
    flags: Vec<String>,
    words: Vec<String>,
}

impl Arguments {
    /// Sorts what `line` has; `valued` and `alone` are the flags that there are.
    ///
    /// # Errors
    ///
    /// If there is no such flag, or its value is missing.
    pub(crate) fn parse(
        mut line: impl Iterator<Item = String>,
        valued: &[&str],
        alone: &[&str],
    ) -> Outcome<Self> {
        let mut arguments = Self { values: Vec::new(), flags: Vec::new(), words: Vec::new() };
        while let Some(word) = line.next() {
            if valued.contains(&word.as_str()) {
                let value = line.next().ok_or(format!("{word} wants a value"))?;
                arguments.values.push((word, value));
            } else if alone.contains(&word.as_str()) {
                arguments.flags.push(word);
            } else if word.starts_with('-') {
                let flags = [valued, alone].concat().join(" ");
                return Err(format!("there is no flag {word}, but {flags}"));
            } else {
                arguments.words.push(word);
            }
        }
        Ok(arguments)
    }

    /// The last value of a flag.
    pub(crate) fn value(&self, flag: &str) -> Option<&str> {
        self.values.iter().rev().find(|(name, _)| name == flag).map(|(_, value)| value.as_str())
    }

    /// Whether a flag is there.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|name| name == flag)
    }

    /// The words, if there are as many as `names`.
    ///
    /// # Errors
    ///
    /// If there are more or fewer.
    pub(crate) fn words<const COUNT: usize>(&self, names: [&str; COUNT]) -> Outcome<[&str; COUNT]> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        <[&str; COUNT]>::try_from(words).map_err(|words| match COUNT {
            0 => format!("found {}, but no words are wanted", words.join(" ")),
            _ => format!("found \"{}\", wanted {}", words.join(" "), names.join(" ")),
        })
    }
}
