//! `dram run`: an answer, or a chat.

use crate::args;
use crate::chat;
use crate::exit::{Code, Failure, Outcome, notice};
#[cfg(feature = "face")]
use crate::face::Face;
use crate::screen::Screen;
use crate::{interrupt, prompt, pull, report, sampling};
use dram_boards::Root;
use dram_engine::{
    Answer, Asking, Conversation, Heat, Host, Model, Solo, SoloMemory, Status, Work, with_session,
};
use dram_models::Known;
use dram_runtime::text::Channel;
use dram_targets::Kernels;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

/// What the user wants.
enum Wish {
    Prompt(String),
    Chat,
}

pub(crate) fn run(args: &args::Run, kernels: &'static Kernels, start: Instant) -> Outcome {
    let (named, words) = divide(&args.words);
    if let Some(named) = named {
        check_named(named, words)?;
    }
    let wish = wish(args, words)?;
    let options = args.load.options();
    let host = Host::read(Root::system(), args.load.board.name.as_deref(), &mut notice)?;
    #[cfg(feature = "face")]
    let face = args.face.then(|| Face::open(&host)).transpose()?;
    let path = path(named)?;
    let status = &Status::default();
    status.set(Work::Loading);
    let asking = Asking { most: most(args), asked: start, status };
    let work = || {
        with_session(&host, &path, &options, kernels, |model, session| {
            dram_models::last::remember(model.path);
            if named.is_none() {
                tell_model(model);
            }
            model.vocab.warnings().for_each(notice);
            let mut memory = SoloMemory::new(session);
            let sampling = sampling::choose(&args.sampling, model)?;
            let heat = Heat::watch(&host, model.threads, &host.cpus(&options));
            let solo = Solo::new(model, session, &mut memory, sampling, heat)?;
            match wish {
                Wish::Prompt(text) if args.raw => complete(args, solo, &text, &asking),
                Wish::Prompt(text) => answer(args, converse(args, solo)?, &text, &asking),
                Wish::Chat => chat::run(args, converse(args, solo)?, status),
            }
        })
    };
    #[cfg(feature = "face")]
    if let Some(face) = face {
        return face.beside(status, work);
    }
    work()
}

/// The model, if the first word is one, and the words of the prompt.
fn divide(words: &[OsString]) -> (Option<&OsStr>, &[OsString]) {
    match words.split_first() {
        Some((first, rest))
            if dram_models::is_model(first, rest.first().map(OsString::as_os_str)) =>
        {
            (Some(first), rest)
        }
        _ => (None, words),
    }
}

/// Refuses a model that is not there, before anything waits for a prompt.
fn check_named(model: &OsStr, words: &[OsString]) -> Outcome {
    if model.to_str().and_then(Known::named).is_some() {
        return Ok(());
    }
    let found = dram_models::find(model).map(drop).map_err(Failure::from);
    found.map_err(|failure| match words {
        [] => failure,
        _ => failure.with("if it begins the prompt, name a model before it"),
    })
}

/// A prompt from stdin and the command line, or a chat on a terminal.
fn wish(args: &args::Run, words: &[OsString]) -> Outcome<Wish> {
    let refuse = |message| Err(Failure::new(Code::Usage, message));
    let piped = prompt::piped()?;
    let text = match (piped, words) {
        (Some(piped), words) => prompt::join(piped, &sentence(words)?),
        (None, []) if args.raw || args.output.json => {
            return refuse("--raw and --json need a prompt");
        }
        (None, []) if !io::stdout().is_terminal() => {
            return refuse("no prompt, and without a terminal no chat; give a prompt");
        }
        (None, []) => return Ok(Wish::Chat),
        (None, words) => sentence(words)?,
    };
    if text.trim().is_empty() {
        return refuse("the prompt is empty; give one, or pass it on stdin");
    }
    Ok(Wish::Prompt(text))
}

/// The words of a prompt, as they stood on the command line.
fn sentence(words: &[OsString]) -> Outcome<String> {
    let words: Option<Vec<_>> = words.iter().map(|word| word.to_str()).collect();
    words.map(|words| words.join(" ")).ok_or_else(|| {
        let message = "the prompt is not UTF-8; set a terminal and locale of UTF-8";
        Failure::new(Code::BadFile, message)
    })
}

/// The file of the model, which is downloaded if that is possible and it is not there.
fn path(named: Option<&OsStr>) -> Outcome<PathBuf> {
    let model = named.map_or_else(dram_models::usual, |named| Ok(named.into()))?;
    if let Some(known) = model.to_str().and_then(Known::named)
        && !known.path()?.exists()
    {
        let (name, megabytes) = (known.name, known.megabytes);
        eprintln!("{name} is not here yet; it is downloaded now, once ({megabytes} MB).");
        pull::fetch(known)?;
    }
    Ok(dram_models::find(&model)?)
}

/// Tells which model answers, where the user has named none.
fn tell_model(model: &Model<'_>) {
    notice(&format!("{} answers, as no model is named", model.name()));
}

/// Starts a conversation with the user's instructions, or those that a known model needs.
fn converse<'c, 'a>(args: &args::Run, solo: Solo<'c, 'a>) -> Outcome<Conversation<'c, 'a>> {
    let known = Known::of(solo.model.path).map(|known| known.system);
    Ok(Conversation::new(solo, args.system.as_deref().or(known), &mut notice)?)
}

/// Answers one prompt.
fn answer(
    args: &args::Run,
    mut talk: Conversation<'_, '_>,
    text: &str,
    asking: &Asking<'_>,
) -> Outcome {
    interrupt::catch(&asking.status.stop)?;
    let mut screen = Screen::new(args.hide_think);
    let answer = talk.ask(text, asking, |channel, text| show(args, &mut screen, channel, text));
    screen.end(true)?;
    tell(args, &answer?, talk.model())
}

/// Completes one text without any template.
fn complete(args: &args::Run, mut solo: Solo<'_, '_>, text: &str, asking: &Asking<'_>) -> Outcome {
    interrupt::catch(&asking.status.stop)?;
    let mut screen = Screen::new(false);
    let answer =
        solo.complete(text, asking, |channel, text| show(args, &mut screen, channel, text));
    screen.end(io::stdout().is_terminal())?;
    tell(args, &answer?, solo.model)
}

/// Shows a piece of an answer, unless all of it is told in the end.
fn show(args: &args::Run, screen: &mut Screen, channel: Channel, text: &str) -> Outcome {
    match args.output.json {
        true => Ok(()),
        false => Ok(screen.show(channel, text)?),
    }
}

fn most(args: &args::Run) -> usize {
    args.tokens.unwrap_or(usize::MAX)
}

fn tell(args: &args::Run, answer: &Answer, model: &Model<'_>) -> Outcome {
    if args.output.json {
        writeln!(io::stdout(), "{:#}", report::to_json(answer, model))?;
    }
    if args.verbose {
        report::print_speed(answer, model);
    }
    report::print_ending(answer);
    report::outcome(answer)
}
