//! How tokens are chosen where nobody says: what suits the model.

use crate::error::{Class, EngineError, Outcome};
use crate::load::Model;
use dram_runtime::{Gguf, Sampling};
use std::ops::RangeInclusive;
use std::time::{SystemTime, UNIX_EPOCH};

/// The choice that suits a model: R1's own for its distills, else what its file advises. It starts
/// from a seed of its own every time.
///
/// # Errors
///
/// [`Class::BadFile`] if the model's file advises what cannot be.
pub fn advice(model: &Model<'_>) -> Outcome<Sampling> {
    let advised = match model.vocab.is_r1() {
        true => Sampling::R1,
        false => in_file(model.gguf).map_err(|error| error.about(model.path.display()))?,
    };
    Ok(Sampling { seed: random_seed(), ..advised })
}

/// What the file's author advises, where the file says it.
fn in_file(gguf: &Gguf<'_>) -> Outcome<Sampling> {
    let common = Sampling::COMMON;
    let top_k = gguf.find::<u32>("general.sampling.top_k")?;
    Ok(Sampling {
        temperature: number(gguf, "general.sampling.temp", 0.0..=f32::MAX)?
            .unwrap_or(common.temperature),
        top_k: top_k.map_or(common.top_k, |count| count as usize),
        top_p: number(gguf, "general.sampling.top_p", 0.0..=1.0)?.unwrap_or(common.top_p),
        min_p: number(gguf, "general.sampling.min_p", 0.0..=1.0)?.unwrap_or(common.min_p),
        repeat_penalty: number(gguf, "general.sampling.penalty_repeat", 0.01..=100.0)?
            .unwrap_or(common.repeat_penalty),
        ..common
    })
}

fn number(gguf: &Gguf<'_>, key: &str, range: RangeInclusive<f32>) -> Outcome<Option<f32>> {
    match gguf.find::<f32>(key)? {
        Some(found) if !range.contains(&found) => {
            let (least, most) = range.into_inner();
            let message = format!("key \"{key}\": is {found}, must be from {least} to {most}");
            Err(EngineError::new(Class::BadFile, message))
        }
        found => Ok(found),
    }
}

/// Another one every time.
fn random_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_nanos() as u64 ^ u64::from(std::process::id()) << 32
}
