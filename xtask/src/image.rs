//! A folder to copy to a card's boot partition or to a stick: program, model, first-boot script.

use crate::arguments::Arguments;
use crate::program::{Linking, build, bytes};
use crate::step::{Outcome, printed, run, workspace};
use crate::triple::Triple;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The largest file that a boot partition, which is FAT, can hold.
const MOST_BYTES: u64 = u32::MAX as u64;

/// Fills the folder that the arguments name.
///
/// # Errors
///
/// If an argument is wrong, the program cannot be built, or a file cannot be copied.
pub(crate) fn command(line: impl Iterator<Item = String>) -> Outcome {
    let arguments = Arguments::parse(line, &["--board", "--model"], &[])?;
    let [folder] = arguments.words(["FOLDER"])?;
    let board = arguments.value("--board").ok_or("say which board it is for: --board NAME")?;
    let program = build(&Triple::of_board(board)?, Linking::Static)?;
    fill(Path::new(folder), &program, arguments.value("--model").map(Path::new))
}

/// Copies the program, a model and the script into a folder, with their checksums.
fn fill(folder: &Path, program: &Path, model: Option<&Path>) -> Outcome {
    if let Some(model) = model {
        let bytes = bytes(model)?;
        if bytes > MOST_BYTES {
            return Err(format!(
                "{model:?} has {bytes} bytes, but a boot partition holds files of {MOST_BYTES} at \
                 most; take a smaller quant, or send it with `cargo x deploy --model`"
            ));
        }
    }
    fs::create_dir_all(folder).map_err(|reason| format!("cannot create {folder:?}: {reason}"))?;
    let script = workspace().join("xtask/packaging/first-boot.sh");
    let files = [program, &script].into_iter().chain(model);
    run(Command::new("cp").args(files.clone()).arg(folder))?;
    let names = files.filter_map(Path::file_name);
    let sums = printed(Command::new("sha256sum").arg("--").args(names).current_dir(folder))?;
    let place = folder.join("SHA256SUMS");
    fs::write(&place, sums).map_err(|reason| format!("cannot write {place:?}: {reason}"))?;
    println!("copy {} and run there, once and as root: sh first-boot.sh", folder.display());
    Ok(())
}
