//! `dram tokenize`: text on stdin to tokens.

use crate::args;
use crate::exit::{Failure, Outcome};
use crate::prompt;
use dram_engine::tokenize;
use std::io::{self, BufWriter, Write};

pub(crate) fn run(args: &args::Tokenize) -> Outcome {
    let text = prompt::stdin()?;
    let path = &dram_models::find(&args.model)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let mut ids = Vec::new();
    tokenize(path, &text, args.special, |id, text| {
        match args.ids {
            true => ids.push(id.to_string()),
            // Not every token is text of its own.
            false => writeln!(out, "{id:6}  {}", String::from_utf8_lossy(text).escape_debug())?,
        }
        Ok::<_, Failure>(())
    })?;
    if args.ids {
        writeln!(out, "{}", ids.join(" "))?;
    }
    Ok(out.flush()?)
}
