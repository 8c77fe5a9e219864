//! Methods of Python's texts that `minijinja-contrib` lacks.

use core::fmt;
use minijinja::value::{ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;
use std::string::{String, ToString};
use std::vec::Vec;

/// Calls a method by its name.
///
/// # Errors
///
/// If Python has none of the name here, or its arguments are others.
pub(super) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    name: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let text = value.as_str().filter(|_| value.kind() == ValueKind::String);
    let found = text.map_or(Ok(None), |text| of_text(text, name, args))?;
    found.map_or_else(|| unknown_method_callback(state, value, name, args), Ok)
}

/// What a method of a text gives; `None` if it is none of ours.
fn of_text(text: &str, name: &str, args: &[Value]) -> Result<Option<Value>, Error> {
    let one = || from_args::<(&str,)>(args).map(|(part,)| part);
    Ok(Some(match name {
        "removeprefix" => text.strip_prefix(one()?).unwrap_or(text).into(),
        "removesuffix" => text.strip_suffix(one()?).unwrap_or(text).into(),
        "partition" => {
            let separator = separator(one()?)?;
            let cut = text.split_once(separator).map(|(left, right)| [left, separator, right]);
            cut.unwrap_or([text, "", ""]).into_iter().collect()
        }
        "rpartition" => {
            let separator = separator(one()?)?;
            let cut = text.rsplit_once(separator).map(|(left, right)| [left, separator, right]);
            cut.unwrap_or(["", "", text]).into_iter().collect()
        }
        "rsplit" => {
            let (separator, most) = from_args::<(Option<&str>, Option<i64>)>(args)?;
            rsplit(text, separator, most)?
        }
        "index" => {
            let at = text.find(one()?).ok_or_else(|| failed("substring not found"))?;
            text[..at].chars().count().into()
        }
        _ => return Ok(None),
    }))
}

/// The parts of a text, cut from its end at most so often, or at all places.
fn rsplit(text: &str, separator_or_blank: Option<&str>, most: Option<i64>) -> Result<Value, Error> {
    let most = most.and_then(|most| usize::try_from(most).ok()).unwrap_or(text.len());
    let Some(separator) = separator_or_blank else {
        return Ok(rsplit_at_blanks(text, most));
    };
    let parts = text.rsplitn(most.saturating_add(1), self::separator(separator)?);
    Ok(reversed(parts.map(String::from).collect()))
}

fn rsplit_at_blanks(text: &str, most: usize) -> Value {
    let (mut parts, mut rest) = (Vec::new(), text.trim_end());
    while parts.len() < most
        && let Some((left, right)) = rest.rsplit_once(char::is_whitespace)
    {
        parts.push(right.to_string());
        rest = left.trim_end();
    }
    parts.extend((!rest.is_empty()).then(|| rest.to_string()));
    reversed(parts)
}

fn reversed(mut parts: Vec<String>) -> Value {
    parts.reverse();
    parts.into_iter().collect()
}

fn separator(text: &str) -> Result<&str, Error> {
    if text.is_empty() { Err(failed("empty separator")) } else { Ok(text) }
}

fn failed(reason: impl fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason.to_string())
}
