//! `dram tokenize`: text on stdin to tokens.

use crate::args;
use crate::exit::Outcome;
use crate::models;
use crate::prompt;
use dram_engine::{about, with_gguf};
use dram_runtime::text::{Encoder, Vocab};
use std::io::{self, BufWriter, Write};

pub(crate) fn run(args: &args::Tokenize) -> Outcome {
    let text = prompt::stdin()?;
    let path = &models::find(&args.model)?;
    with_gguf(path, |gguf| {
        let mut memory = vec![0; Vocab::bytes(gguf).map_err(about(path))?];
        let vocab = Vocab::new(gguf, &mut memory).map_err(about(path))?;
        let mut scratch = vec![0; Encoder::BYTES];
        let mut tokens = Vec::new();
        Encoder::new(&vocab, &mut scratch)?.encode(&text, args.special, |id| tokens.push(id));
        let mut out = BufWriter::new(io::stdout().lock());
        if args.ids {
            let ids: Vec<_> = tokens.iter().map(u32::to_string).collect();
            writeln!(out, "{}", ids.join(" "))?;
        } else {
            tokens.iter().try_for_each(|&id| print(&mut out, &vocab, id))?;
        }
        Ok(out.flush()?)
    })
}

/// A line with the id and the text as the file writes it, where a space is `Ġ`.
fn print(out: &mut impl Write, vocab: &Vocab<'_>, id: u32) -> io::Result<()> {
    let text = String::from_utf8_lossy(vocab.text(id).unwrap_or_default()).into_owned();
    writeln!(out, "{id:6}  {}", text.escape_debug())
}
