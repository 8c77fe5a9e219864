//! How tokens are chosen: what the command line says, else what suits the model.

use crate::args::{self, Seed};
use crate::exit::Outcome;
use dram_engine::{Model, sampling};
use dram_runtime::Sampling;

/// The choice for a model.
///
/// # Errors
///
/// As [`sampling::advice`].
pub(crate) fn choose(args: &args::Sampling, model: &Model<'_>) -> Outcome<Sampling> {
    let advised = sampling::advice(model)?;
    Ok(Sampling {
        temperature: args.temp.unwrap_or(advised.temperature),
        top_k: args.top_k.unwrap_or(advised.top_k),
        top_p: args.top_p.unwrap_or(advised.top_p),
        min_p: args.min_p.unwrap_or(advised.min_p),
        repeat_penalty: args.repeat_penalty.unwrap_or(advised.repeat_penalty),
        seed: match args.seed {
            Some(Seed::Fixed(seed)) => seed,
            Some(Seed::Random) | None => advised.seed,
        },
        ..advised
    })
}
