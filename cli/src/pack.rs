//! `dram pack`: a model's file with its weights in tiles.

use crate::args;
use crate::exit::Outcome;
use crate::models;
use dram_engine::{about, all_threads};

pub(crate) fn run(args: &args::Pack) -> Outcome {
    let input = models::find(&args.input)?;
    dram_runtime::model::pack(&input, &args.output, all_threads()).map_err(about(&input))?;
    eprintln!("{} is written", args.output.display());
    Ok(())
}
