//! Numbers of an architecture, as `llama.block_count` is one, checked as they are read.

use super::Gguf;
use super::number::Number;
use crate::error::{Error, KeyFault};

/// The largest size of anything but layers: far above every model, and no product of two overflows.
pub(super) const SIZE_MAX: usize = 1 << 24;

/// Says what a number of the architecture must be.
pub(super) fn refusal(gguf: &Gguf<'_>, key: &str, found: usize, must: &'static str) -> Error {
    let found = Number::Unsigned(found as u64);
    Error::key(gguf.hyper(key), KeyFault::Number { found, must })
}

/// A number of the architecture, between `min` and `max`.
pub(super) fn size(gguf: &Gguf<'_>, key: &str, min: usize, max: usize) -> Result<usize, Error> {
    within(gguf, key, gguf.get::<u32>(gguf.hyper(key))? as usize, min, max)
}

fn within(
    gguf: &Gguf<'_>,
    key: &str,
    found: usize,
    min: usize,
    max: usize,
) -> Result<usize, Error> {
    if (min..=max).contains(&found) {
        return Ok(found);
    }
    let must = if found < min { "larger" } else { "smaller" };
    Err(refusal(gguf, key, found, must))
}

/// The same of all layers, also where the file has one for each, if these are equal.
pub(super) fn of_layers(
    gguf: &Gguf<'_>,
    key: &str,
    min: usize,
    max: usize,
) -> Result<usize, Error> {
    let Some(array) = gguf.value(gguf.hyper(key)).and_then(|value| value.array()) else {
        return size(gguf, key, min, max);
    };
    let number = |i| array.get(i).and_then(|value| value.unsigned());
    let Some(first) = number(0) else {
        return Err(Error::key(
            gguf.hyper(key),
            KeyFault::Elements { found: array.ty(), must: "numbers" },
        ));
    };
    match (1..array.len()).all(|i| number(i) == Some(first)) {
        true => within(gguf, key, usize::try_from(first).unwrap_or(usize::MAX), min, max),
        false => Err(Error::key(gguf.hyper(key), KeyFault::Layers)),
    }
}

/// The same of all layers, or `or` where the file says nothing.
pub(super) fn of_layers_or(
    gguf: &Gguf<'_>,
    key: &str,
    min: usize,
    max: usize,
    or: usize,
) -> Result<usize, Error> {
    match gguf.value(gguf.hyper(key)) {
        Some(_) => of_layers(gguf, key, min, max),
        None => Ok(or),
    }
}

/// A number of the architecture, or `or` where the file says nothing.
pub(super) fn size_or(
    gguf: &Gguf<'_>,
    key: &str,
    min: usize,
    max: usize,
    or: usize,
) -> Result<usize, Error> {
    match gguf.value(gguf.hyper(key)) {
        Some(_) => size(gguf, key, min, max),
        None => Ok(or),
    }
}

/// A finite number above 0, or `or` where the file says nothing.
pub(super) fn positive(gguf: &Gguf<'_>, key: &str, or: Option<f32>) -> Result<f32, Error> {
    let key = gguf.hyper(key);
    let found = match (gguf.value(key), or) {
        (None, Some(or)) => return Ok(or),
        _ => gguf.get::<f32>(key)?,
    };
    if found.is_finite() && found > 0.0 {
        return Ok(found);
    }
    let found = Number::Float(found.into());
    Err(Error::key(key, KeyFault::Number { found, must: "a finite number above 0" }))
}
