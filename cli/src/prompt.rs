//! Text from stdin.

use crate::exit::{Code, Failure, Outcome};
use std::io::{self, Read};

/// All of stdin.
///
/// # Errors
///
/// [`Code::BadFile`] if it is not UTF-8, with the place.
pub(crate) fn stdin() -> Outcome<String> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(Code::Runtime, format!("cannot read stdin: {error}")))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(
            Code::BadFile,
            format!("stdin is not UTF-8 at byte {at}; convert the text, for example with iconv"),
        )
    })
}
