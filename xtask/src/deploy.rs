//! The program, and a model if asked, on a board that is reached by ssh.

mod far;
mod trial;

use crate::arguments::Arguments;
use crate::program::{Linking, build};
use crate::step::Outcome;
use crate::triple::Triple;
use far::Far;
use std::path::Path;

/// Where programs and models of a user are, from their home.
const PROGRAMS: &str = ".local/bin";
const MODELS: &str = ".local/share/dram/models";

/// Puts the program where the arguments say, or tries that against a server of its own.
///
/// # Errors
///
/// If an argument is wrong, the program cannot be built, or the board is not reached, is of another
/// architecture, or has other bytes than were sent.
pub(crate) fn command(line: impl Iterator<Item = String>) -> Outcome {
    let valued = ["--board", "--model", "--to", "--models"];
    let arguments = Arguments::parse(line, &valued, &["--try"])?;
    if arguments.has("--try") {
        return trial::attempt();
    }
    let [host] = arguments.words(["USER@HOST"])?;
    let board = arguments.value("--board").ok_or("say which board it is: --board NAME")?;
    let triple = Triple::of_board(board)?;
    let program = build(&triple, Linking::Static)?;
    let deployment = Deployment {
        architecture: &triple.architecture,
        program: &program,
        model: arguments.value("--model").map(Path::new),
        programs: arguments.value("--to").unwrap_or(PROGRAMS),
        models: arguments.value("--models").unwrap_or(MODELS),
    };
    deployment.run(&Far::new(host, None))
}

/// What is put where.
struct Deployment<'a> {
    architecture: &'a str,
    program: &'a Path,
    model: Option<&'a Path>,
    /// Folders on the board; if not absolute, from the home of the user there.
    programs: &'a str,
    models: &'a str,
}

impl Deployment<'_> {
    fn run(&self, far: &Far) -> Outcome {
        let found = far.ask("uname -m")?;
        if found != self.architecture {
            let wanted = self.architecture;
            return Err(format!("the kernel there is of {found}, but the board is of {wanted}"));
        }
        let place = far.send(self.program, self.programs)?;
        if let Some(model) = self.model {
            far.send(model, self.models)?;
        }
        println!("{}", far.ask(&format!("{place} --version"))?);
        println!("{}", far.ask(RESTART)?);
        Ok(())
    }
}

/// Only a service that is installed and running is restarted.
const RESTART: &str = "\
if systemctl cat dram.service >/dev/null 2>&1; then \
    if [ \"$(id -u)\" = 0 ]; then systemctl try-restart dram.service; \
    else sudo -n systemctl try-restart dram.service; fi && echo 'dram.service started again'; \
else echo 'no dram.service is installed'; fi";
