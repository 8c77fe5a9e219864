//! `dram pull`: a model's file in the models folder.

use crate::exit::{Code, Failure, Outcome, notice};
use dram_models::{Before, DEMO, Known, Pulled};

/// Downloads a model unless it is there and intact, and tells where.
pub(crate) fn run(name: &str) -> Outcome {
    let known = Known::named(name).ok_or_else(|| {
        let demo = DEMO.name;
        Failure::new(Code::Missing, format!("\"{name}\" cannot be pulled; {demo} can"))
    })?;
    fetch(known)
}

/// Puts a model's file into the models folder, and tells where it is.
///
/// # Errors
///
/// If it cannot be downloaded, is not what it must be, or cannot be stored.
pub(crate) fn fetch(known: &Known) -> Outcome {
    let Pulled { path, before } = dram_models::pull(known, &mut notice)?;
    let how = match before {
        Before::Nothing => "is there now",
        Before::Other => "was damaged and is intact now",
        Before::Same => "is already there",
    };
    eprintln!("{} {how}: {}", known.name, path.display());
    Ok(())
}
