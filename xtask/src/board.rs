//! The boards' files, as far as builds and tests of programs need to know them.

use crate::step::Outcome;
use crate::table::{tables, text};
use toml::Table;

/// A board.
pub(crate) struct Board {
    /// Its name, as `--board` takes it.
    pub id: String,
    /// The kernels that it runs.
    pub kernels: Option<String>,
    /// Its fastest kind of core.
    pub core: Option<String>,
    /// Its architecture.
    pub architecture: String,
}

impl Board {
    /// All that there are.
    ///
    /// # Errors
    ///
    /// If a file is not what it must be.
    pub(crate) fn all() -> Outcome<Vec<Self>> {
        tables("boards/data")?.into_iter().map(|(id, table)| Self::new(id, &table)).collect()
    }

    /// The board of a name.
    ///
    /// # Errors
    ///
    /// If there is no such board.
    pub(crate) fn named(id: &str) -> Outcome<Self> {
        let mut boards = Self::all()?;
        let place = boards.iter().position(|board| board.id == id).ok_or_else(|| {
            let names: Vec<_> = boards.iter().map(|board| board.id.as_str()).collect();
            format!("there is no board {id}, but {}", names.join(", "))
        })?;
        Ok(boards.swap_remove(place))
    }

    fn new(id: String, table: &Table) -> Outcome<Self> {
        let core = table.get("cores").and_then(|cores| cores.get(0)?.get("name")?.as_str());
        Ok(Self {
            id,
            kernels: text(table, "kernels").ok(),
            core: core.map(String::from),
            architecture: text(table, "architecture")?,
        })
    }
}
