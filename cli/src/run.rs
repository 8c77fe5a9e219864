//! `dram run`: an answer, or a chat.

use crate::answer::{Answer, Question};
use crate::args;
use crate::chat;
use crate::conversation::{Asking, Conversation};
use crate::exit::{Code, Failure, Outcome};
#[cfg(feature = "face")]
use crate::face::Face;
use crate::heat::Heat;
use crate::host::Host;
use crate::load::{self, Model};
use crate::models::{self, Known};
use crate::screen::Screen;
use crate::status::{Status, Work};
use crate::{prompt, pull, sampling};
use dram_boards::Root;
use dram_runtime::text::Encoder;
use dram_runtime::{Batch, Column, ReplyOptions, Sampling, Scratch, Session};
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
    let host = Host::read(Root::system(), args.load.board.as_deref())?;
    #[cfg(feature = "face")]
    let face = args.face.then(|| Face::open(&host)).transpose()?;
    let path = path(model.as_deref())?;
    let status = &Status::default();
    status.set(Work::Loading);
    let asking = Asking { most: most(args), asked: start, status };
    let work = || {
        load::with_session(&host, &path, &args.load, kernels, |model, session| {
            models::remember(model.path);
            if let Some(warning) = model.vocab.warning() {
                eprintln!("dram: {warning}");
            }
            let tokens = session.plan().tokens();
            let mut memory = vec![0; Scratch::bytes(tokens)];
            let mut columns = vec![Column::default(); session.limits().batch];
            let batch = Batch::new(model.vocab, tokens, &mut columns, &mut memory)?;
            let sampling = sampling::choose(&args.sampling, model)?;
            let choosing = (batch, sampling);
            let mut scratch = vec![0; Encoder::BYTES];
            let mut encoder = Encoder::new(model.vocab, &mut scratch)?;
            let heat = Heat::watch(&host, model.threads, &host.cpus(&args.load));
            match wish {
                Wish::Prompt(text) if args.raw => {
                    let mut tokens = Vec::new();
                    encoder.encode_leading(&text, true, |id| tokens.push(id));
                    complete(args, model, session, choosing, heat, &tokens, &asking)
                }
                Wish::Prompt(text) => {
                    let talk = converse(args, model, session, choosing, encoder, heat)?;
                    answer(args, talk, &text, &asking)
                }
                Wish::Chat => chat::run(
                    args,
                    converse(args, model, session, choosing, encoder, heat)?,
                    status,
                ),
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
        [] if args.raw || args.json => return refuse("--raw and --json need a prompt"),
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
fn converse<'c, 'a>(
    args: &args::Run,
    model: &'c Model<'c>,
    session: &'c mut Session<'a>,
    choosing: (Batch<'c>, Sampling),
    encoder: Encoder<'c>,
    heat: Heat,
) -> Outcome<Conversation<'c, 'a>> {
    let known = Known::of(model.path).map(|known| known.system);
    Conversation::new(model, session, choosing, encoder, heat, args.system.as_deref().or(known))
}

/// Answers one prompt.
fn answer(
    args: &args::Run,
    mut talk: Conversation<'_, '_>,
    text: &str,
    asking: &Asking<'_>,
) -> Outcome {
    asking.status.interrupt.catch_once()?;
    let mut screen = Screen::new(args.hide_think);
    let answer = if args.json {
        talk.ask(text, asking, |_, _| Ok(()))?
    } else {
        let answer = talk.ask(text, asking, |channel, text| screen.show(channel, text));
        screen.end(true)?;
        answer?
    };
    report(args, &answer, talk.model, talk.session)
}

/// Completes the tokens of one text without any template.
fn complete(
    args: &args::Run,
    model: &Model<'_>,
    session: &mut Session<'_>,
    (mut batch, sampling): (Batch<'_>, Sampling),
    mut heat: Heat,
    tokens: &[u32],
    asking: &Asking<'_>,
) -> Outcome {
    asking.status.interrupt.catch_once()?;
    let (sequence, mut screen) = (session.open()?, Screen::new(false));
    let options = ReplyOptions { sampling, start: None, max_tokens: asking.most, logprobs: None };
    let question = Question { tokens, sequence, known: 0, options };
    let answer = if args.json {
        Answer::make(session, &mut batch, &mut heat, &question, asking, |_, _| Ok(()))?
    } else {
        let show = |channel, text: &str| screen.show(channel, text);
        let answer = Answer::make(session, &mut batch, &mut heat, &question, asking, show);
        screen.end(io::stdout().is_terminal())?;
        answer?
    };
    report(args, &answer, model, session)
}

fn most(args: &args::Run) -> usize {
    args.tokens.map_or(usize::MAX, NonZero::get)
}

fn report(args: &args::Run, answer: &Answer, model: &Model<'_>, session: &Session<'_>) -> Outcome {
    if args.json {
        writeln!(io::stdout(), "{:#}", answer.to_json(model, session))?;
    }
    if args.verbose {
        answer.print_speed(model, session);
    }
    answer.print_ending();
    answer.outcome()
}
