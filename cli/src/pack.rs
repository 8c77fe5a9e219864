//! `dram pack`: a model's file with its weights in tiles.

use crate::args;
use crate::exit::Outcome;
use crate::models;

pub(crate) fn run(args: &args::Pack) -> Outcome {
    let input = models::find(&args.input)?;
    dram_engine::pack(&input, &args.output)?;
    eprintln!("{} is written", args.output.display());
    Ok(())
}
