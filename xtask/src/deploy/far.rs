//! A machine that is reached by ssh.

use crate::step::{Outcome, printed, require_flag, run};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A machine and how it is reached.
pub(super) struct Far {
    host: String,
    /// Settings for ssh in place of the user's own.
    settings: Option<PathBuf>,
}

impl Far {
    /// A machine as `settings` reach it, or else the user's own settings for ssh.
    pub(super) fn new(host: &str, settings: Option<PathBuf>) -> Self {
        Self { host: host.into(), settings }
    }

    /// What a line prints in the shell there.
    ///
    /// # Errors
    ///
    /// If the machine is not reached, or the line does not succeed.
    pub(super) fn ask(&self, line: &str) -> Outcome<String> {
        let mut ssh = self.tool("ssh");
        Ok(printed(ssh.args(["--", &self.host, line]))?.trim().into())
    }

    /// Sends a file into a folder, unless it is there; returns its place, quoted for the shell there.
    ///
    /// It has its name only once its bytes are found to be right, so what runs there is never half
    /// of a program, nor is a model.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or sent, or other bytes arrive.
    pub(super) fn send(&self, file: &Path, folder: &str) -> Outcome<String> {
        require_flag("ssh", "-V", "openssh-client")?;
        let name = file.file_name().ok_or(format!("{file:?} is no file"))?.to_string_lossy();
        let place = format!("{folder}/{name}");
        let new = format!("{place}.new");
        let sum = sum(file)?;
        if self.verify(&sum, &place).is_ok() {
            println!("{place} is there");
            return Ok(quote(&place));
        }
        self.ask(&format!("mkdir -p -- {}", quote(folder)))?;
        run(self.tool("scp").arg("--").arg(file).arg(format!("{}:{new}", self.host)))?;
        self.verify(&sum, &new)?;
        self.ask(&format!("mv -- {} {}", quote(&new), quote(&place)))?;
        println!("{place} has SHA-256 {sum}");
        Ok(quote(&place))
    }

    /// Checks that a file there has this checksum.
    ///
    /// # Errors
    ///
    /// If it has another or is missing.
    pub(super) fn verify(&self, sum: &str, place: &str) -> Outcome {
        let found = self.ask(&format!("sha256sum < {}", quote(place)))?;
        match found.split_whitespace().next() {
            Some(found) if found == sum => Ok(()),
            found => Err(format!("{place} has SHA-256 {found:?}, must have {sum}; send it again")),
        }
    }

    fn tool(&self, name: &str) -> Command {
        let mut tool = Command::new(name);
        if let Some(settings) = &self.settings {
            tool.arg("-F").arg(settings);
        }
        tool
    }
}

/// The SHA-256 of a file here.
fn sum(file: &Path) -> Outcome<String> {
    let said = printed(Command::new("sha256sum").arg("--").arg(file))?;
    // A backslash says that the name after the sum is escaped.
    let sum = said.trim_start_matches('\\').split_whitespace().next();
    sum.map(String::from).ok_or_else(|| format!("sha256sum says nothing of {file:?}"))
}

/// A word for a shell.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn quotes_are_quoted() {
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
    }
}
