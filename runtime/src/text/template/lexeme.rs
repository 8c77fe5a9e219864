//! Words and signs of a template's source, and changes of them.

use minijinja::machinery::{Span, Token};

/// A word or sign of a template's source.
pub(super) struct Lexeme<'s> {
    pub(super) token: Token<'s>,
    pub(super) span: Span,
}

impl<'s> Lexeme<'s> {
    /// The word that it is, if it is one.
    pub(super) fn word(&self) -> Option<&'s str> {
        match self.token {
            Token::Ident(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.word() == Some(word)
    }

    pub(super) fn opens(&self) -> bool {
        matches!(self.token, Token::ParenOpen | Token::BracketOpen | Token::BraceOpen)
    }

    pub(super) fn closes(&self) -> bool {
        matches!(self.token, Token::ParenClose | Token::BracketClose | Token::BraceClose)
    }
}

/// A part of the source, in bytes, and what takes its place.
pub(super) struct Edit {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) text: &'static str,
}

impl Edit {
    pub(super) fn of(lexeme: &Lexeme<'_>, text: &'static str) -> Self {
        let Span { start_offset, end_offset, .. } = lexeme.span;
        Self { from: start_offset as usize, to: end_offset as usize, text }
    }
}
