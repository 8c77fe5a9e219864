//! `dram run`: an answer, or a chat.

use crate::args;
use crate::chat;
use crate::exit::{Code, Failure, Outcome, notice};
#[cfg(feature = "face")]
use crate::face::Face;
use crate::models::{self, Known};
use crate::screen::Screen;
use crate::{interrupt, prompt, pull, report, sampling};
use dram_boards::Root;
use dram_engine::{
    Answer, Asking, Conversation, Heat, Host, Model, Solo, SoloMemory, Status, Work, with_session,
};
use dram_runtime::text::Channel;
use dram_targets::Kernels;
use std::io::{self, IsTerminal, Write};
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Instant;

/// What the user wants.
enum Wish {
    Prompt(String),
    Chat,
}

pub(crate) fn run(args: &args::Run, kernels: &'static Kernels, start: Instant) -> Outcome {
    let (model, words) = divide(&args.words);
    let wish = wish(args, words)?;
    let options = args.load.options();
    let host = Host::read(Root::system(), args.load.board.name.as_deref(), &mut notice)?;
    #[cfg(feature = "face")]
    let face = args.face.then(|| Face::open(&host)).transpose()?;
    let path = path(model.as_deref())?;
    let status = &Status::default();
    status.set(Work::Loading);
    let asking = Asking { most: most(args), asked: start, status };
    let work = || {
        with_session(&host, &path, &options, kernels, |model, session| {
            models::remember(model.path);
            if let Some(warning) = model.vocab.warning() {
                notice(warning);
            }
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
fn divide(words: &[String]) -> (Option<String>, &[String]) {
    match words.split_first() {
        Some((first, rest)) if models::is_model(first) => (Some(first.clone()), rest),
        _ => (None, words),
    }
}

/// A prompt from the command line or stdin, or a chat on a terminal.
fn wish(args: &args::Run, words: &[String]) -> Outcome<Wish> {
    let refuse = |message| Err(Failure::new(Code::Usage, message));
    let text = match words {
        [] if !io::stdin().is_terminal() => prompt::stdin()?,
        [] if args.raw || args.output.json => return refuse("--raw and --json need a prompt"),
        [] if !io::stdout().is_terminal() => {
            return refuse("no prompt, and without a terminal no chat; give a prompt");
        }
        [] => return Ok(Wish::Chat),
        words => words.join(" "),
    };
    if text.trim().is_empty() {
        return refuse("the prompt is empty; give one, or pass it on stdin");
    }
    Ok(Wish::Prompt(text))
}

/// The file of the model, which is downloaded if that is possible and it is not there.
fn path(model: Option<&str>) -> Outcome<PathBuf> {
    let model = model.map_or_else(models::default, |model| Ok(model.into()))?;
    if let Some(known) = Known::named(&model)
        && !known.path()?.exists()
    {
        let (name, megabytes) = (known.name, known.megabytes);
        eprintln!("{name} is not here yet; it is downloaded now, once ({megabytes} MB).");
        pull::fetch(known)?;
    }
    models::find(&model)
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
    args.tokens.map_or(usize::MAX, NonZero::get)
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
