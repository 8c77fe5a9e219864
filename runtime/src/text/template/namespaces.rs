//! Namespaces: the only values of a template that change once they are made.
//!
//! A namespace that holds itself would be printed or compared without end. It cannot come to be if
//! a template takes namespaces only apart (`ns.name`) and never uses one as a value, which nearly all
//! published templates keep to. That is read off the words of the source, whatever they mean where they stand:
//! a template may be refused for its prose, but none gets by.

use super::TemplateError;
use core::ops::Range;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::vec::Vec;

/// The name under which a template finds the function `namespace`, where it defines a name by it.
pub(super) const FUNCTION: &str = "dram_namespace";

/// The source with [`FUNCTION`] for `namespace` in each `set NAME = namespace(`, and without effect of
/// the blocks `generation`, by which trainers mark what a model is to learn.
///
/// # Errors
///
/// If it has the name of such a namespace anywhere without an attribute, or [`FUNCTION`].
pub(super) fn confine(source: &str) -> Result<Cow<'_, str>, TemplateError> {
    let words = words(source);
    let definitions = (0..words.len()).filter(|&i| defines(source, &words, i));
    let definitions: BTreeSet<usize> = definitions.map(|i| i + 1).collect();
    let mut names: BTreeSet<&str> = BTreeSet::from([FUNCTION]);
    names.extend(definitions.iter().map(|&i| &source[words[i].clone()]));
    let mut confined = String::with_capacity(source.len());
    let mut from = 0;
    for (i, word) in words.iter().enumerate() {
        let name = &source[word.clone()];
        if names.contains(name) && !definitions.contains(&i) && is_value(source, word) {
            let reason = format!("the namespace {name:?} is used as a value");
            let line = source[..word.start].matches('\n').count() + 1;
            return Err(TemplateError::Failed { reason, line: Some(line) });
        }
        let replacement = match name {
            _ if i > 0 && definitions.contains(&(i - 1)) => FUNCTION,
            "generation" if is_block(source, word) => "if true",
            "endgeneration" if is_block(source, word) => "endif",
            _ => continue,
        };
        confined.push_str(&source[from..word.start]);
        confined.push_str(replacement);
        from = word.end;
    }
    if from == 0 {
        return Ok(source.into());
    }
    confined.push_str(&source[from..]);
    Ok(confined.into())
}

/// Where runs of letters, digits and underscores lie.
fn words(source: &str) -> Vec<Range<usize>> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut words = Vec::new();
    let mut from = 0;
    while let Some(start) = source[from..].find(is_word).map(|at| from + at) {
        let end = source[start..].find(|c| !is_word(c)).map_or(source.len(), |len| start + len);
        words.push(start..end);
        from = end;
    }
    words
}

/// Whether `set NAME = namespace(` starts at a word.
fn defines(source: &str, words: &[Range<usize>], i: usize) -> bool {
    let Some([set, name, function]) = words.get(i..i + 3) else { return false };
    let gap = |left: &Range<usize>, right: &Range<usize>| source[left.end..right.start].trim();
    let is = |word: &Range<usize>, text| &source[word.clone()] == text;
    is(set, "set")
        && gap(set, name).is_empty()
        && gap(name, function) == "="
        && is(function, "namespace")
        && source[function.end..].starts_with('(')
}

/// Whether a word is all that a block says.
fn is_block(source: &str, word: &Range<usize>) -> bool {
    let (before, after) = (source[..word.start].trim_end(), source[word.end..].trim_start());
    let opens = ["{%", "{%-", "{%+"].iter().any(|open| before.ends_with(open));
    opens && ["%}", "-%}", "+%}"].iter().any(|close| after.starts_with(close))
}

/// Whether a word may stand for a value: it is no attribute, has none, and is no text in quotes.
fn is_value(source: &str, word: &Range<usize>) -> bool {
    let (before, after) =
        (source[..word.start].chars().next_back(), source[word.end..].chars().next());
    let is_quoted = before == after && matches!(before, Some('\'' | '"'));
    !(before == Some('.') || after == Some('.') || is_quoted)
}
