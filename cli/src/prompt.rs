//! Text from stdin.

use crate::exit::{Code, Failure, Outcome, notice};
use nix::poll::{PollFd, PollFlags, poll};
use std::io::{self, IsTerminal, Read};
use std::os::fd::AsFd;

/// Longer than any context: a source that never ends is refused, not kept.
const MAX_BYTES: u64 = 256 << 20;
/// How long stdin may say nothing before the user is told who is waiting for it, in milliseconds.
const PATIENCE: u16 = 2_000;

/// All of stdin, where it is no terminal: a file, or what another program writes.
///
/// # Errors
///
/// As [`stdin`].
pub(crate) fn piped() -> Outcome<Option<String>> {
    if io::stdin().is_terminal() {
        return Ok(None);
    }
    if is_silent() {
        notice(
            "waiting for the end of stdin, which is part of the prompt; `</dev/null` gives none",
        );
    }
    stdin().map(Some)
}

/// All of stdin.
///
/// # Errors
///
/// [`Code::BadFile`] if it is not UTF-8, with the place; [`Code::Runtime`] if it cannot be read or
/// does not end.
pub(crate) fn stdin() -> Outcome<String> {
    let mut bytes = Vec::new();
    let failed = |reason| Failure::new(Code::Runtime, format!("cannot read stdin: {reason}"));
    let read = io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(failed(format!("it has more than {MAX_BYTES} bytes; shorten it")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(
            Code::BadFile,
            format!("stdin is not UTF-8 at byte {at}; convert the text, for example with iconv"),
        )
    })
}

/// A prompt of what stdin held and of words, which stand on lines of their own behind it.
pub(crate) fn join(piped: String, words: &str) -> String {
    let is_blank = piped.trim().is_empty();
    match (is_blank, words) {
        (_, "") => piped,
        (true, words) => words.into(),
        (false, words) if piped.ends_with('\n') => piped + words,
        (false, words) => piped + "\n" + words,
    }
}

/// Whether nothing comes, not even the end. Where the system cannot tell, reading will.
fn is_silent() -> bool {
    let stdin = io::stdin();
    let mut descriptors = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
    poll(&mut descriptors, PATIENCE) == Ok(0)
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn words_stand_behind_what_was_piped() {
        for (piped, words, must) in [
            ("a b\n", "Sum up", "a b\nSum up"),
            ("a b", "Sum up", "a b\nSum up"),
            ("a\n\n", "Sum up", "a\n\nSum up"),
            ("", "Sum up", "Sum up"),
            (" \n", "Sum up", "Sum up"),
            ("a \n", "", "a \n"),
        ] {
            assert_eq!(join(piped.into(), words), must);
        }
    }
}
