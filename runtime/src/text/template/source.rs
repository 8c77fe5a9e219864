//! Templates as they are written for Python, for the Jinja that is built in here.
//!
//! Blocks `generation`, by which trainers mark what a model is to learn, and `'%s' % x` are spelled
//! otherwise here. And namespaces, the only values of a template that change once they are made, are
//! confined: one that holds itself would be printed or compared without end.

use super::TemplateError;
use super::lexeme::{Edit, Lexeme};
use super::namespaces;
use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use std::string::String;
use std::vec::Vec;

/// The same template as this program's Jinja has it.
///
/// # Errors
///
/// If it is none, or a namespace in it may come to hold itself.
pub(super) fn translate(source: &str, syntax: &SyntaxConfig) -> Result<String, TemplateError> {
    let lexemes = tokenize(source, false, syntax.clone())
        .map(|found| found.map(|(token, span)| Lexeme { token, span }))
        .collect::<Result<Vec<_>, _>>()?;
    let mut edits = namespaces::confine(&lexemes)?;
    edits.extend(generations(&lexemes));
    edits.extend(formats(&lexemes));
    edits.sort_by_key(|edit| (edit.from, edit.to));
    let (mut text, mut from) = (String::with_capacity(source.len()), 0);
    for edit in edits {
        text += &source[from..edit.from];
        text += edit.text;
        from = edit.to;
    }
    Ok(text + &source[from..])
}

/// Blocks of this name have no effect.
fn generations(lexemes: &[Lexeme<'_>]) -> impl Iterator<Item = Edit> {
    lexemes.windows(3).filter_map(|three| {
        let [Lexeme { token: Token::BlockStart, .. }, word, Lexeme { token: Token::BlockEnd, .. }] =
            three
        else {
            return None;
        };
        match word.word()? {
            "generation" => Some(Edit::of(word, "if true")),
            "endgeneration" => Some(Edit::of(word, "endif")),
            _ => None,
        }
    })
}

/// `'…' % x` and `'…' % (x, y)`: what follows becomes the arguments of a filter.
fn formats(lexemes: &[Lexeme<'_>]) -> impl Iterator<Item = Edit> {
    let formats = (1..lexemes.len()).filter(|&i| {
        let is_text = matches!(lexemes[i - 1].token, Token::Str(_) | Token::String(_));
        is_text && matches!(lexemes[i].token, Token::Mod)
    });
    formats
        .filter_map(|i| {
            let end = operand(lexemes, i + 1)?;
            let is_tuple = matches!(lexemes[i + 1].token, Token::ParenOpen)
                && close(lexemes, i + 1) == Some(end);
            if is_tuple {
                return Some([Edit::of(&lexemes[i], "| format"), nothing(end, lexemes)]);
            }
            Some([Edit::of(&lexemes[i], "| format("), Edit { text: ")", ..nothing(end, lexemes) }])
        })
        .flatten()
}

/// No change behind a word or sign.
fn nothing(i: usize, lexemes: &[Lexeme<'_>]) -> Edit {
    let at = lexemes[i].span.end_offset as usize;
    Edit { from: at, to: at, text: "" }
}

/// The last lexeme of the operand of `%` that starts at one: signs, a value, and what is asked of it.
fn operand(lexemes: &[Lexeme<'_>], mut i: usize) -> Option<usize> {
    while matches!(lexemes.get(i)?.token, Token::Minus | Token::Plus) {
        i += 1;
    }
    let mut end = if lexemes[i].opens() { close(lexemes, i)? } else { i };
    loop {
        let next = lexemes.get(end + 1)?;
        end = match next.token {
            Token::Dot | Token::Pipe => end + 2,
            Token::ParenOpen | Token::BracketOpen => close(lexemes, end + 1)?,
            _ => return Some(end),
        };
    }
}

/// Where what opens at a lexeme closes.
fn close(lexemes: &[Lexeme<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (i, lexeme) in lexemes.iter().enumerate().skip(open) {
        depth += usize::from(lexeme.opens());
        depth = depth.checked_sub(usize::from(lexeme.closes()))?;
        if depth == 0 {
            return Some(i);
        }
    }
    None
}
