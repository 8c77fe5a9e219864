//! A conversation on a terminal.

use crate::args;
use crate::exit::{Code, Failure, Outcome};
use crate::interrupt;
use crate::report;
use crate::screen::Screen;
use dram_engine::{Asking, Conversation, Status, Work};
use nix::sys::termios::{FlushArg, tcflush};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;
use std::io;
use std::time::Instant;

const HELP: &str = "\
/think  think before answering, or no longer
/reset  forget the conversation
/bye    leave, as Ctrl-D does
Ctrl-C  stop the answer";

/// What a line asks for.
enum Line<'l> {
    Help,
    Think,
    Reset,
    Bye,
    Unknown(&'l str),
    Nothing,
    Ask(&'l str),
}

impl<'l> Line<'l> {
    fn parse(line: &'l str) -> Self {
        match line.trim() {
            "" => Self::Nothing,
            "/help" | "/?" => Self::Help,
            "/think" => Self::Think,
            "/reset" => Self::Reset,
            "/bye" => Self::Bye,
            command if command.starts_with('/') && !command.contains(char::is_whitespace) => {
                Self::Unknown(command)
            }
            text => Self::Ask(text),
        }
    }
}

/// Talks until the user leaves. Nothing of it is written to disk.
pub(crate) fn run(args: &args::Run, mut talk: Conversation<'_, '_>, status: &Status) -> Outcome {
    eprintln!("{}: /help tells the commands, /bye leaves", talk.model().name());
    interrupt::catch(&status.stop)?;
    status.set(Work::Ready);
    let mut editor = DefaultEditor::new().map_err(refused)?;
    loop {
        let line = match editor.readline(">>> ") {
            Ok(line) => line,
            Err(ReadlineError::Eof) => return Ok(()),
            Err(ReadlineError::Interrupted) => {
                eprintln!("/bye leaves");
                continue;
            }
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                forget_line();
                continue;
            }
            Err(error) => return Err(refused(error)),
        };
        // Fails only for text without content, which need not be recalled.
        let _ = editor.add_history_entry(&line);
        match Line::parse(&line) {
            Line::Bye => return Ok(()),
            Line::Help => eprintln!("{HELP}"),
            Line::Reset => talk.reset(),
            Line::Think => {
                talk.thinks = !talk.thinks;
                eprintln!("thinking is {}", if talk.thinks { "on" } else { "off" });
            }
            Line::Unknown(command) => eprintln!("there is no {command}; /help tells the commands"),
            Line::Nothing => {}
            Line::Ask(text) => ask(args, &mut talk, text, status)?,
        }
    }
}

/// Answers; what fails is told, and the conversation goes on.
fn ask(args: &args::Run, talk: &mut Conversation<'_, '_>, text: &str, status: &Status) -> Outcome {
    status.stop.forget();
    if status.take_reset() {
        talk.reset();
    }
    let most = args.tokens.unwrap_or(usize::MAX);
    let asking = Asking { most, asked: Instant::now(), status };
    let mut screen = Screen::new(args.hide_think);
    let answer: Outcome<_> =
        talk.ask(text, &asking, |channel, text| Ok(screen.show(channel, text)?));
    screen.end(true)?;
    status.set(if answer.is_ok() { Work::Ready } else { Work::Failed });
    match answer {
        Ok(answer) => {
            if args.verbose {
                report::print_speed(&answer, talk.model());
            }
            report::print_ending(&answer);
        }
        Err(failure) => {
            failure.report();
            eprintln!("/reset starts again");
        }
    }
    Ok(())
}

/// Drops what was typed of a line with a byte that is not UTF-8, from a console of another encoding or
/// noise on a serial line, and tells of it.
fn forget_line() {
    // What cannot be dropped is read as a line of its own.
    let _ = tcflush(io::stdin(), FlushArg::TCIFLUSH);
    eprintln!("\nthis line is not UTF-8 and is forgotten; set the terminal to UTF-8");
}

fn refused(error: ReadlineError) -> Failure {
    Failure::new(Code::Runtime, format!("cannot read from the terminal: {error}"))
}
