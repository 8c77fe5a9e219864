//! JSON as Python's `json.dumps` writes it, which templates know as `tojson`.

use super::guard::MARK;
use super::nothing::Nothing;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, Value};
use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

/// Values inside values.
const DEPTH_MAX: usize = 100;
/// Bytes of the longest text.
const BYTES_MAX: usize = 1 << 24;
/// Spaces a level at most.
const INDENT_MAX: usize = 16;

/// The filter: in the library transformers it does not escape for HTML.
pub(super) fn dumps(value: &Value, options: Kwargs) -> Result<String, Error> {
    let separators = options.get::<Option<Vec<String>>>("separators")?;
    let indent =
        options.get::<Option<Value>>("indent")?.map(|indent| spaces(&indent)).transpose()?;
    let (item, key) = match separators.as_deref() {
        Some([item, key]) => (item.clone(), key.clone()),
        Some(_) => return Err(failed("tojson takes two separators")),
        None => (if indent.is_some() { "," } else { ", " }.into(), ": ".into()),
    };
    let is_ascii = options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false);
    let is_sorted = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    options.assert_all_used()?;
    let mut writer = Writer { text: String::new(), indent, item, key, is_ascii, is_sorted };
    writer.value(value, 0)?;
    Ok(writer.text)
}

/// What a level is indented by: a number of spaces, or a text.
fn spaces(indent: &Value) -> Result<String, Error> {
    let text = match (indent.as_str(), indent.as_usize()) {
        (Some(text), _) => text.to_string(),
        (None, Some(count)) => " ".repeat(count.min(INDENT_MAX + 1)),
        _ => return Err(failed("tojson is indented by a number or a text")),
    };
    if text.len() > INDENT_MAX { Err(failed("tojson is indented too much")) } else { Ok(text) }
}

fn failed(reason: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

struct Writer {
    text: String,
    indent: Option<String>,
    item: String,
    key: String,
    is_ascii: bool,
    is_sorted: bool,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > DEPTH_MAX || self.text.len() > BYTES_MAX {
            return Err(failed("tojson is given too much"));
        }
        match value.kind() {
            ValueKind::String => self.quoted(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => self.items(value, depth)?,
            ValueKind::Map => self.pairs(value, depth)?,
            _ => self.text += &plain(value)?,
        }
        Ok(())
    }

    fn items(&mut self, list: &Value, depth: usize) -> Result<(), Error> {
        let items: Vec<Value> = list.try_iter()?.collect();
        self.text.push('[');
        for (i, item) in items.iter().enumerate() {
            self.next(i, depth + 1);
            self.value(item, depth + 1)?;
        }
        self.close(items.len(), depth, ']');
        Ok(())
    }

    fn pairs(&mut self, map: &Value, depth: usize) -> Result<(), Error> {
        let mut keys: Vec<Value> = map.try_iter()?.collect();
        if self.is_sorted {
            keys.sort();
        }
        self.text.push('{');
        for (i, key) in keys.iter().enumerate() {
            self.next(i, depth + 1);
            match key.as_str() {
                Some(key) => self.quoted(key),
                None => self.text += &format!("\"{}\"", plain(key)?),
            }
            self.text += &self.key;
            self.value(&map.get_item(key)?, depth + 1)?;
        }
        self.close(keys.len(), depth, '}');
        Ok(())
    }

    /// What stands before an item.
    fn next(&mut self, i: usize, depth: usize) {
        if i > 0 {
            self.text += &self.item;
        }
        self.new_line(depth);
    }

    fn close(&mut self, count: usize, depth: usize, close: char) {
        if count > 0 {
            self.new_line(depth);
        }
        self.text.push(close);
    }

    fn new_line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.text.push('\n');
            self.text += &indent.repeat(depth);
        }
    }

    fn quoted(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            match c {
                '"' => self.text += "\\\"",
                '\\' => self.text += "\\\\",
                '\n' => self.text += "\\n",
                '\r' => self.text += "\\r",
                '\t' => self.text += "\\t",
                '\u{8}' => self.text += "\\b",
                '\u{c}' => self.text += "\\f",
                '\0'..' ' => self.text += &format!("\\u{:04x}", u32::from(c)),
                // It guards what stands before it, and is no text.
                MARK => self.text.push(c),
                c if self.is_ascii && c >= '\u{7f}' => {
                    let mut units = [0; 2];
                    let units = c.encode_utf16(&mut units).iter();
                    self.text.extend(units.map(|unit| format!("\\u{unit:04x}")));
                }
                c => self.text.push(c),
            }
        }
        self.text.push('"');
    }
}

/// What is neither text nor made of values.
fn plain(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::None => Ok("null".into()),
        ValueKind::Plain if value.downcast_object_ref::<Nothing>().is_some() => Ok("null".into()),
        ValueKind::Bool => Ok(if value.is_true() { "true" } else { "false" }.into()),
        ValueKind::Number if value.is_integer() => Ok(value.to_string()),
        ValueKind::Number => Ok(float(f64::try_from(value.clone())?)),
        kind => Err(failed(format!("tojson cannot write a value of type {kind}"))),
    }
}

/// As Python's `repr`: the shortest digits that tell the number, with two digits of an exponent.
fn float(x: f64) -> String {
    if !x.is_finite() {
        let name = if x > 0.0 { "Infinity" } else { "-Infinity" };
        return if x.is_nan() { "NaN" } else { name }.into();
    }
    if x == 0.0 || (1e-4..1e16).contains(&x.abs()) {
        return format!("{x:?}");
    }
    let text = format!("{x:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::float;

    /// By Python 3.11's `json.dumps`.
    #[test]
    fn floats_are_pythons() {
        for (x, must) in [
            (0.5, "0.5"),
            (-0.0, "-0.0"),
            (3.0, "3.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(float(x), must);
        }
    }
}
