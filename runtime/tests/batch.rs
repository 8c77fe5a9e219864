//! Many replies in one batch: each is what it is alone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod tiny;

use core::sync::atomic::AtomicBool;
use dram_runtime::text::{Channel, Vocab};
use dram_runtime::{
    Batch, Column, FinishReason, Gguf, Limits, Output, Plan, Reply, ReplyOptions, Request,
    Sampling, Scratch, Session, SessionFault, Step, Window,
};
use dram_targets::best;
use tiny::Mix;
use tiny::session::limits;

/// A request that owns all it asks for, and keeps all it is told.
#[derive(Clone, Default)]
struct Asked {
    tokens: Vec<u32>,
    stops: Vec<String>,
    allowed: Option<Vec<u32>>,
}

impl Request for Asked {
    fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    fn tokens_mut(&mut self) -> &mut [u32] {
        &mut self.tokens
    }

    fn stop_text(&self, i: usize) -> Option<&str> {
        self.stops.get(i).map(String::as_str)
    }

    fn allowed(&self) -> Option<&[u32]> {
        self.allowed.as_deref()
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Told {
    text: String,
    steps: Vec<Step>,
}

impl Output for Told {
    fn text(&mut self, _: Channel, text: &str) {
        self.text.push_str(text);
    }

    fn step(&mut self, step: &Step) {
        self.steps.push(*step);
    }
}

type Spoken = Reply<Asked, Told>;

static NEVER: AtomicBool = AtomicBool::new(false);

fn options(seed: u64, max_tokens: usize) -> ReplyOptions {
    let sampling = Sampling { temperature: 1.2, seed, ..Sampling::COMMON };
    let sampling = Sampling { presence_penalty: 0.5, window: Window::Reply, ..sampling };
    ReplyOptions { sampling, start: None, max_tokens, logprobs: Some(3) }
}

fn ask(prompt: &[u32], options: &ReplyOptions) -> Spoken {
    let mut tokens = prompt.to_vec();
    tokens.resize(prompt.len() + options.max_tokens, 0);
    let asked = Asked { tokens, ..Asked::default() };
    Reply::new(asked, Told::default(), prompt.len(), options).unwrap()
}

/// Lends a session of a tiny model, its vocabulary and a batch.
fn with_batch(limits: Limits, f: impl FnOnce(&mut Session<'_>, &Vocab<'_>, &mut Batch<'_>)) {
    let file = tiny::qwen2(Mix::Q4_0).file();
    let gguf = Gguf::parse(&file).unwrap();
    let mut slots = vec![None; Plan::layers_in(&gguf).unwrap()];
    let plan = Plan::new(&gguf, &mut slots).unwrap();
    let mut memory = vec![0; Session::bytes(&plan, &limits).unwrap()];
    let mut session = Session::new(&plan, best(), limits, &mut memory).unwrap();
    let mut tables = vec![0; Vocab::bytes(&gguf).unwrap()];
    let vocab = Vocab::new(&gguf, &mut tables).unwrap();
    let mut columns = vec![Column::default(); limits.batch];
    let mut scratch = vec![0; Scratch::bytes(plan.tokens())];
    let mut batch = Batch::new(&vocab, plan.tokens(), &mut columns, &mut scratch).unwrap();
    f(&mut session, &vocab, &mut batch);
}

/// The reply alone, in passes of one token.
fn alone(session: &mut Session<'_>, batch: &mut Batch<'_>, mut reply: Spoken) -> Spoken {
    let sequence = session.open().unwrap();
    reply.attach(sequence, 0);
    while reply.finish_reason().is_none() {
        batch.step(session, core::slice::from_mut(&mut reply), 1, &NEVER).unwrap();
    }
    session.close(sequence).unwrap();
    reply
}

/// What does not depend on passes: text, tokens, likelihoods and the end.
fn outcome(reply: &Spoken) -> (String, Vec<Step>, Vec<u32>) {
    let told = reply.output();
    let steps = told.steps.iter().filter(|step| !matches!(step, Step::Read(_)));
    (told.text.clone(), steps.copied().collect(), reply.reply_tokens().to_vec())
}

#[test]
fn every_reply_of_a_crowd_is_what_it_is_alone() {
    let shape = tiny::qwen2(Mix::Q4_0).shape;
    let limits = Limits { sequences: 8, logits: 8, threads: 2, ..limits(200, 24) };
    with_batch(limits, |session, _, batch| {
        let asks: Vec<Spoken> = (0..20)
            .map(|i| ask(&shape.tokens(5 + 7 * i % 40), &options(i as u64, 3 + i * 5 % 30)))
            .collect();
        let expected: Vec<_> =
            asks.iter().map(|ask| outcome(&alone(session, batch, ask.clone()))).collect();
        let free = session.free_pages();
        let (mut waiting, mut replies) = (asks.into_iter().enumerate(), Vec::new());
        let mut numbers = Vec::new();
        for turn in 0.. {
            while replies.len() < 8
                && let Some((number, mut reply)) = waiting.next()
            {
                reply.attach(session.open().unwrap(), 0);
                replies.push(reply);
                numbers.push(number);
            }
            if replies.is_empty() {
                break;
            }
            // A reply may be paused: its past is forgotten and read again.
            if turn % 40 == 39 {
                let last = replies.last_mut().unwrap();
                session.close(last.detach().unwrap()).unwrap();
                last.attach(session.open().unwrap(), 0);
            }
            batch.step(session, &mut replies, 1 + turn % 11, &NEVER).unwrap();
            while let Some(at) = replies.iter().position(|r| r.finish_reason().is_some()) {
                let mut reply = replies.remove(at);
                session.close(reply.detach().unwrap()).unwrap();
                assert_eq!(outcome(&reply), expected[numbers.remove(at)]);
            }
        }
        assert_eq!(session.free_pages(), free);
    });
}

#[test]
fn a_stopped_step_changes_no_reply() {
    let shape = tiny::qwen2(Mix::Q4_0).shape;
    with_batch(limits(200, 24), |session, _, batch| {
        let reply = ask(&shape.tokens(50), &options(1, 10));
        let expected = outcome(&alone(session, batch, reply.clone()));
        let (mut reply, sequence) = (reply, session.open().unwrap());
        reply.attach(sequence, 0);
        while reply.finish_reason().is_none() {
            let replies = core::slice::from_mut(&mut reply);
            let stopped = batch.step(session, replies, 9, &AtomicBool::new(true));
            assert_eq!(stopped, Err(SessionFault::Stopped.into()));
            batch.step(session, replies, 9, &NEVER).unwrap();
        }
        assert_eq!(outcome(&reply), expected);
    });
}

#[test]
fn a_reply_starts_from_logits_that_are_there() {
    let shape = tiny::qwen2(Mix::Q4_0).shape;
    let limits = Limits { sequences: 3, logits: 3, ..limits(200, 64) };
    with_batch(limits, |session, _, batch| {
        let prompt = shape.tokens(40);
        let asks = [1, 2, 3].map(|seed| ask(&prompt, &options(seed, 12)));
        let expected = asks.each_ref().map(|ask| outcome(&alone(session, batch, ask.clone())));
        let first = session.open().unwrap();
        session.prompt(first, &prompt).unwrap();
        let mut replies = asks.map(|mut reply| {
            reply.attach(session.fork(first).unwrap_or(first), prompt.len());
            batch.take(session, 0, &mut reply);
            reply
        });
        while replies.iter().any(|reply| reply.finish_reason().is_none()) {
            batch.step(session, &mut replies, 64, &NEVER).unwrap();
        }
        assert_eq!(replies.each_ref().map(outcome), expected);
    });
}

#[test]
fn forced_tokens_are_part_of_the_reply_and_of_its_length() {
    let shape = tiny::qwen2(Mix::Q4_0).shape;
    with_batch(limits(200, 64), |session, vocab, batch| {
        let (prompt, options) = (shape.tokens(20), options(5, 8));
        let expected = outcome(&alone(session, batch, ask(&prompt, &options)));
        let mut reply = ask(&prompt, &options);
        let sequence = session.open().unwrap();
        reply.attach(sequence, 0);
        batch.step(session, core::slice::from_mut(&mut reply), 64, &NEVER).unwrap();
        let forced = [7, 8, 9];
        reply.force(&forced, vocab);
        assert_eq!(reply.wants(), [&expected.2[..1], &forced].concat());
        while reply.finish_reason().is_none() {
            batch.step(session, core::slice::from_mut(&mut reply), 64, &NEVER).unwrap();
        }
        assert_eq!(reply.reply_tokens()[1..4], forced);
        assert!(reply.reply_tokens().len() <= 8);
    });
}

#[test]
fn stop_texts_end_a_reply_and_are_not_shown() {
    let shape = tiny::qwen2(Mix::Q4_0).shape;
    with_batch(limits(200, 64), |session, _, batch| {
        let (prompt, options) = (shape.tokens(20), options(5, 40));
        let whole = outcome(&alone(session, batch, ask(&prompt, &options))).0;
        let bounds: Vec<usize> = whole.char_indices().map(|(at, _)| at).collect();
        for (from, to) in [(1, 3), (2, 9), (5, 6), (0, 4)] {
            let stop = &whole[bounds[from]..bounds[to]];
            let mut tokens = prompt.clone();
            tokens.resize(60, 0);
            let asked = Asked { tokens, stops: vec![stop.into()], allowed: None };
            let reply = Reply::new(asked, Told::default(), prompt.len(), &options).unwrap();
            let reply = alone(session, batch, reply);
            assert_eq!(reply.output().text, whole[..whole.find(stop).unwrap()]);
            assert_eq!(reply.finish_reason(), Some(FinishReason::StopText));
        }
    });
}

#[test]
fn what_cannot_be_chosen_ends_one_reply_and_no_other() {
    let shape = tiny::qwen2(Mix::Q4_0).shape;
    let limits = Limits { sequences: 3, logits: 3, ..limits(200, 64) };
    with_batch(limits, |session, _, batch| {
        let (prompt, options) = (shape.tokens(20), options(5, 8));
        let expected = outcome(&alone(session, batch, ask(&prompt, &options)));
        let mut refused = ask(&prompt, &options);
        refused.request_mut().allowed = Some(vec![0; 3]);
        let unknown = ask(&[1, 2, u32::MAX], &options);
        let mut replies = [refused, unknown, ask(&prompt, &options)];
        replies.iter_mut().for_each(|reply| reply.attach(session.open().unwrap(), 0));
        while replies[2].finish_reason().is_none() {
            batch.step(session, &mut replies, 64, &NEVER).unwrap();
        }
        let nothing = FinishReason::Failed(SessionFault::NothingAllowed);
        assert_eq!(replies[0].finish_reason(), Some(nothing));
        assert!(matches!(
            replies[1].finish_reason(),
            Some(FinishReason::Failed(SessionFault::Column { .. }))
        ));
        assert_eq!(outcome(&replies[2]), expected);
    });
}
