//! Namespaces, kept from holding themselves.
//!
//! They cannot come to do so if a template takes them only apart (`ns.name`) and never uses one as a
//! value, but for an argument of a macro of its own: then the macro's parameter counts as a namespace
//! as well. All published templates keep to that.

use super::TemplateError;
use super::lexeme::{Edit, Lexeme};
use minijinja::machinery::Token;
use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::vec::Vec;

/// The name under which a template finds the function `namespace`, where it defines a name by it.
pub(super) const FUNCTION: &str = "dram_namespace";

/// The changes that put [`FUNCTION`] for `namespace` in each `set NAME = namespace(`.
///
/// # Errors
///
/// If the template uses a namespace as a value, or [`FUNCTION`].
pub(super) fn confine(lexemes: &[Lexeme<'_>]) -> Result<Vec<Edit>, TemplateError> {
    let definitions: Vec<usize> = (0..lexemes.len()).filter(|&i| defines(lexemes, i)).collect();
    let mut source = Source::new(lexemes, &definitions);
    while source.follow() {}
    if let Some(i) = (0..lexemes.len()).find(|&i| source.is_value(i)) {
        let name = lexemes[i].word().unwrap_or_default();
        let reason = format!("the namespace {name:?} is used as a value");
        let line = Some(lexemes[i].span.start_line.into());
        return Err(TemplateError::Failed { reason, line });
    }
    Ok(definitions.iter().map(|&i| Edit::of(&lexemes[i + 3], FUNCTION)).collect())
}

/// Whether `set NAME = namespace(` starts at a lexeme.
fn defines(lexemes: &[Lexeme<'_>], i: usize) -> bool {
    let Some([set, name, equals, function, open]) = lexemes.get(i..i + 5) else { return false };
    set.is("set")
        && name.word().is_some()
        && matches!(equals.token, Token::Assign)
        && function.is("namespace")
        && matches!(open.token, Token::ParenOpen)
}

struct Source<'l, 's> {
    lexemes: &'l [Lexeme<'s>],
    /// Names that namespaces have.
    names: BTreeSet<&'s str>,
    /// Where these stand without being used: where they are defined.
    harmless: BTreeSet<usize>,
    /// The parameters of each macro, of all that have its name.
    macros: BTreeMap<&'s str, Vec<Vec<&'s str>>>,
    /// For each lexeme that is an argument of a call, alone: the called name, and the argument's place.
    arguments: BTreeMap<usize, (&'s str, usize)>,
}

impl<'l, 's> Source<'l, 's> {
    fn new(lexemes: &'l [Lexeme<'s>], definitions: &[usize]) -> Self {
        let names = definitions.iter().filter_map(|&i| lexemes[i + 1].word());
        let mut source = Self {
            lexemes,
            names: names.chain([FUNCTION]).collect(),
            harmless: definitions.iter().map(|&i| i + 1).collect(),
            macros: BTreeMap::new(),
            arguments: BTreeMap::new(),
        };
        source.read_calls();
        source
    }

    /// Finds parameters and arguments.
    fn read_calls(&mut self) {
        // Of each bracket that is open: the name before it, and the arguments so far.
        let mut open: Vec<(Option<usize>, usize)> = Vec::new();
        for (i, lexeme) in self.lexemes.iter().enumerate() {
            match lexeme.token {
                Token::ParenOpen => open.push((i.checked_sub(1), 0)),
                Token::BracketOpen | Token::BraceOpen => open.push((None, 0)),
                Token::ParenClose | Token::BracketClose | Token::BraceClose => drop(open.pop()),
                // Nobody knows how many arguments these are.
                Token::Mul | Token::Pow => {
                    open.last_mut().into_iter().for_each(|call| call.0 = None)
                }
                Token::Comma => open.last_mut().into_iter().for_each(|call| call.1 += 1),
                Token::Ident(_) => {
                    if let Some(&(Some(name), place)) = open.last() {
                        self.read_argument(i, name, place);
                    }
                }
                _ => {}
            }
        }
    }

    fn read_argument(&mut self, i: usize, name: usize, place: usize) {
        let (Some(called), Some(argument)) = (self.lexemes[name].word(), self.lexemes[i].word())
        else {
            return;
        };
        let before = name.checked_sub(1).map(|before| &self.lexemes[before]);
        let is_first = matches!(self.lexemes[i - 1].token, Token::ParenOpen | Token::Comma);
        if before.is_some_and(|before| before.is("macro")) {
            if is_first {
                let macros = self.macros.entry(called).or_default();
                if place == 0 {
                    macros.push(Vec::new());
                }
                macros.last_mut().into_iter().for_each(|parameters| parameters.push(argument));
                self.harmless.insert(i);
            }
            return;
        }
        let is_method =
            before.is_some_and(|before| matches!(before.token, Token::Dot | Token::Pipe));
        let next = self.lexemes.get(i + 1).map(|next| &next.token);
        let is_last = matches!(next, Some(Token::Comma | Token::ParenClose));
        if is_first && is_last && !is_method {
            self.arguments.insert(i, (called, place));
        }
    }

    /// Takes the parameters for namespaces that are given one; whether any was not known as such.
    fn follow(&mut self) -> bool {
        let given = self.arguments.iter().filter(|(i, _)| self.is_name(**i));
        let parameters = given.flat_map(|(_, (called, place))| {
            let macros = self.macros.get(called).into_iter().flatten();
            macros.filter_map(|parameters| parameters.get(*place).copied())
        });
        let parameters: Vec<&str> = parameters.collect();
        let known = self.names.len();
        self.names.extend(parameters);
        self.names.len() > known
    }

    /// Whether a lexeme is the name of a namespace.
    fn is_name(&self, i: usize) -> bool {
        self.lexemes[i].word().is_some_and(|word| self.names.contains(word))
    }

    /// Whether a namespace is used as a value there, and not handed to a macro that keeps to the rule.
    fn is_value(&self, i: usize) -> bool {
        let before = i.checked_sub(1).map(|before| &self.lexemes[before].token);
        let next = self.lexemes.get(i + 1).map(|next| &next.token);
        let is_apart = matches!(before, Some(Token::Dot)) || matches!(next, Some(Token::Dot));
        let is_handed =
            self.arguments.get(&i).is_some_and(|(called, place)| self.takes(called, *place));
        self.is_name(i) && !is_apart && !is_handed && !self.harmless.contains(&i)
    }

    /// Whether a name stands for macros of the template wherever it is used, all of which have a
    /// parameter at a place.
    fn takes(&self, name: &str, place: usize) -> bool {
        let is_called =
            |pair: &[Lexeme<'_>]| !pair[0].is(name) || matches!(pair[1].token, Token::ParenOpen);
        let macros = self.macros.get(name);
        macros.is_some_and(|all| all.iter().all(|parameters| place < parameters.len()))
            && self.lexemes.windows(2).all(is_called)
    }
}
