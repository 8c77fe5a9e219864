//! `dram pack`: a model's file with its weights in tiles.

use crate::args;
use crate::exit::Outcome;
use crate::{host, load, models};

pub(crate) fn run(args: &args::Pack) -> Outcome {
    let input = models::find(&args.input)?;
    dram_runtime::model::pack(&input, &args.output, host::all_threads())
        .map_err(load::about(&input))?;
    eprintln!("{} is written", args.output.display());
    Ok(())
}
