//! `dram rm`: deleting models.

use crate::args;
use crate::exit::{Code, Failure, Outcome};
use dram_engine::words::megabytes;
use dram_models::{Installed, find_installed};
use std::io::{self, IsTerminal};

/// Deletes all of them, or none if one is not there or the user does not want it.
pub(crate) fn run(args: &args::Rm) -> Outcome {
    let models = args.models.iter().map(|name| Ok(find_installed(name)?));
    let models = models.collect::<Outcome<Vec<Installed>>>()?;
    if !args.yes {
        ask(&models)?;
    }
    for model in models {
        model.remove()?;
        eprintln!("{} is deleted", model.name.to_string_lossy());
    }
    Ok(())
}

fn ask(models: &[Installed]) -> Outcome {
    if !io::stdin().is_terminal() {
        let message = "deleting is asked for on a terminal; without one, add --yes";
        return Err(Failure::new(Code::Usage, message));
    }
    for model in models {
        let size = model.bytes().map_or("damaged".into(), |bytes| megabytes(bytes as usize));
        eprintln!("{} ({size})", model.name.to_string_lossy());
    }
    eprintln!("Delete? y, or anything else to keep:");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new(Code::Runtime, "nothing is deleted")),
    }
}
