//! All boards, and which of them a machine is.

use crate::{Board, Error, Identity, Root};
use serde::Serialize;

macro_rules! builtin {
    ($($id:literal)*) => {
        /// Each board's name and file.
        const BUILTIN: &[(&str, &str)] =
            &[$(($id, include_str!(concat!("../data/", $id, ".toml")))),*];
    };
}

builtin! {
    "raspberry-pi-zero-2-w"
    "raspberry-pi-3b-plus"
    "raspberry-pi-4b"
    "raspberry-pi-400"
    "raspberry-pi-cm4"
    "raspberry-pi-5"
    "raspberry-pi-500"
    "raspberry-pi-cm5"
    "jetson-nano"
    "jetson-xavier-nx"
    "jetson-orin-nano"
    "jetson-orin-nx"
    "jetson-agx-orin"
    "jetson-thor"
    "orange-pi-5"
    "generic-aarch64"
    "generic-x86_64"
}

/// Where a machine's owner describes boards of their own.
const OVERRIDES: &str = "/etc/dram/boards";
/// Most files taken from there.
const MAX_OVERRIDES: usize = 256;

/// All boards; those of the machine's owner before those built in.
#[derive(Debug, Clone)]
pub struct Catalog {
    boards: Vec<Board>,
}

/// A board and why it is this one.
#[derive(Debug, Clone, Copy)]
pub struct Match<'a> {
    /// The board.
    pub board: &'a Board,
    /// What proved it.
    pub evidence: Evidence<'a>,
}

/// What proved that a machine is a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "by", content = "value")]
pub enum Evidence<'a> {
    /// Somebody said so.
    Request,
    /// This entry of the device tree's `compatible`.
    Compatible(&'a str),
    /// What the device tree's `model` begins with.
    Model(&'a str),
    /// Nothing but the architecture.
    Architecture,
}

impl Catalog {
    /// The boards built into the program.
    ///
    /// # Panics
    ///
    /// Never: a test reads every file.
    pub fn builtin() -> Self {
        let parse = |&(id, text): &(&str, &str)| Board::parse(id, text).expect("a test reads it");
        Self { boards: BUILTIN.iter().map(parse).collect() }
    }

    /// The boards of `/etc/dram/boards/*.toml` before those built in, which they replace where the
    /// name of the file is the same. Files that cannot be used are left out and reported.
    pub fn load(root: &Root) -> (Self, Vec<Error>) {
        let mut errors = Vec::new();
        let mut boards = Vec::new();
        for name in root.names(OVERRIDES, "").iter().take(MAX_OVERRIDES) {
            let Some(id) = name.strip_suffix(".toml") else { continue };
            let text = root.long_text(&format!("{OVERRIDES}/{name}")).unwrap_or_default();
            match Board::parse(id, &text) {
                Ok(board) => boards.push(board),
                Err(error) => errors.push(error),
            }
        }
        let is_new = |board: &Board| !boards.iter().any(|own: &Board| own.id == board.id);
        let builtin: Vec<_> = Self::builtin().boards.into_iter().filter(is_new).collect();
        boards.extend(builtin);
        (Self { boards }, errors)
    }

    /// Puts a board before all others.
    pub fn add(&mut self, board: Board) -> &Board {
        self.boards.insert(0, board);
        &self.boards[0]
    }

    /// Every board.
    pub fn boards(&self) -> &[Board] {
        &self.boards
    }

    /// The board with this id or name, however its letters are cased.
    pub fn named(&self, name: &str) -> Option<&Board> {
        let is = |board: &&Board| {
            board.id.eq_ignore_ascii_case(name) || board.name.eq_ignore_ascii_case(name)
        };
        self.boards.iter().find(is)
    }

    /// The board a machine is: by its device tree's `compatible`, entry by entry since the first is
    /// the most specific; else by the longest match of its `model`; else the generic board of its
    /// architecture; else none.
    ///
    /// `compatible` comes first because modules that share a carrier board may share its name.
    pub fn detect<'a>(&'a self, identity: &'a Identity) -> Option<Match<'a>> {
        let by_compatible = identity.compatible.iter().find_map(|entry| {
            let board = self.boards.iter().find(|board| board.detect.compatible.contains(entry))?;
            Some(Match { board, evidence: Evidence::Compatible(entry) })
        });
        by_compatible.or_else(|| self.by_model(identity.model.as_deref()?)).or_else(|| {
            let is = |board: &&Board| {
                board.is_generic() && Some(board.architecture) == identity.architecture
            };
            let board = self.boards.iter().find(is)?;
            Some(Match { board, evidence: Evidence::Architecture })
        })
    }

    fn by_model(&self, model: &str) -> Option<Match<'_>> {
        let candidates = self.boards.iter().flat_map(|board| {
            let prefixes = board.detect.models.iter().filter(|prefix| begins(model, prefix));
            prefixes.map(move |prefix| Match { board, evidence: Evidence::Model(prefix) })
        });
        candidates.min_by_key(|found| match found.evidence {
            Evidence::Model(prefix) => usize::MAX - prefix.len(),
            _ => usize::MAX,
        })
    }
}

/// Whether a text begins with whole words: "Raspberry Pi 500" is no "Raspberry Pi 5".
fn begins(text: &str, words: &str) -> bool {
    let rest = text.strip_prefix(words);
    rest.is_some_and(|rest| !words.is_empty() && !rest.starts_with(char::is_alphanumeric))
}
