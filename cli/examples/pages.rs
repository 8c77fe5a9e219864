//! Writes the manual pages and the shell completions of `dram` into the folders given.
//!
//! An example, so that what makes them is not in the program.

#[path = "../src/args.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    reason = "the flags' names and help are used, not their values"
)]
mod args;

use clap::CommandFactory;
use clap_complete::{Shell, generate_to};
use std::ffi::OsString;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let folders: Vec<OsString> = env::args_os().skip(1).collect();
    let [manual, completions] = &folders[..] else {
        return Err(io::Error::other("usage: pages MANUAL_FOLDER COMPLETIONS_FOLDER"));
    };
    folders.iter().try_for_each(fs::create_dir_all)?;
    clap_mangen::generate_to(args::Cli::command(), manual)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut args::Cli::command(), "dram", completions)?;
    }
    Ok(())
}
