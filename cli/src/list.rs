//! `dram list`: the models that are here.

use crate::args;
use crate::exit::Outcome;
use dram_engine::words::megabytes;
use dram_models::{Description, Installed, folder, installed, last};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{self, Write};

/// A model, and what is told of it.
struct Entry {
    model: Installed,
    bytes: dram_models::Outcome<u64>,
    description: dram_models::Outcome<Description>,
    ran_last: bool,
}

pub(crate) fn run(args: &args::List) -> Outcome {
    let (folder, last) = (folder()?, last::name());
    let models = installed(&folder).into_iter();
    let entries: Vec<Entry> = models.map(|model| Entry::of(model, last.as_ref())).collect();
    let mut out = io::stdout().lock();
    if args.output.json {
        let entries: Vec<Value> = entries.iter().map(Entry::to_json).collect();
        writeln!(out, "{:#}", json!({ "folder": folder.to_string_lossy(), "models": entries }))?;
        return Ok(());
    }
    if entries.is_empty() {
        writeln!(out, "{} has no models; `dram pull` downloads one", folder.display())?;
        return Ok(());
    }
    Ok(print(&mut out, &entries)?)
}

impl Entry {
    fn of(model: Installed, last: Option<&OsString>) -> Self {
        let (bytes, description) = (model.bytes(), model.describe());
        let ran_last = last == Some(&model.name);
        Self { model, bytes, description, ran_last }
    }

    fn name(&self) -> String {
        self.model.name.to_string_lossy().into_owned()
    }

    fn fault(&self) -> Option<&dram_models::Error> {
        self.bytes.as_ref().err().or(self.description.as_ref().err())
    }

    fn to_json(&self) -> Value {
        let description = self.description.as_ref().ok();
        json!({
            "name": self.name(),
            "path": self.model.path.to_string_lossy(),
            "bytes": self.bytes.as_ref().ok(),
            "architecture": description.map(|description| &description.architecture),
            "format": description.and_then(|description| description.format),
            "ran_last": self.ran_last,
            "error": self.fault().map(ToString::to_string),
        })
    }
}

/// A line for each model, in columns.
fn print(out: &mut impl Write, entries: &[Entry]) -> io::Result<()> {
    let width = entries.iter().map(|entry| entry.name().chars().count()).max().unwrap_or(0);
    for entry in entries {
        let (name, mark) = (entry.name(), if entry.ran_last { "  ran last" } else { "" });
        match (&entry.bytes, &entry.description) {
            (Ok(bytes), Ok(Description { architecture, format })) => {
                let (size, format) = (megabytes(*bytes as usize), format.unwrap_or("-"));
                writeln!(out, "{name:width$}  {size:>11}  {format:7} {architecture}{mark}")?;
            }
            (Err(error), _) | (_, Err(error)) => writeln!(out, "{name:width$}  {error}")?,
        }
    }
    Ok(())
}
