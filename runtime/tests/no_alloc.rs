//! Nothing allocates once a session has started. Alone in its program, whose allocator counts for
//! all threads.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod tiny;

use core::sync::atomic::AtomicBool;
use dram_runtime::text::{Channel, Encoder, Vocab};
use dram_runtime::{
    Batch, Column, FinishReason, Gguf, KvFormat, Limits, Output, Plan, Reply, ReplyOptions,
    Request, Sampling, Scratch, Sequence, Session, Tiling,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use tiny::Mix;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PROMPT: &str = "the thin one in the tin, in the end, on the other hand: 1 2 3 — ö";

#[test]
fn a_session_and_its_replies() {
    let region = Region::new(ALLOCATOR);
    drop(Box::new(region.initial()));
    assert_eq!(region.change().allocations, 1, "the allocator counts");
    for kv in [KvFormat::F16, KvFormat::Q8_0] {
        for threads in [1, 2] {
            let limits =
                Limits { context: 200, sequences: 5, pages: 28, batch: 16, logits: 5, threads, kv };
            replies(limits);
        }
    }
}

/// Starts a session, then counts while four replies are made in one batch: three to a prompt of
/// their own, of which one is paused, and one by a fork of the first.
fn replies(limits: Limits) {
    let file = tiny::llama(Mix::Q4_K_M).file();
    let gguf = Gguf::parse(&file).unwrap();
    let mut slots = vec![None; Plan::layers_in(&gguf).unwrap()];
    let plan = Plan::new(&gguf, &mut slots).unwrap();
    let mut vocab_memory = vec![0; Vocab::bytes(&gguf).unwrap()];
    let mut encoder_memory = vec![0; Encoder::BYTES];
    let mut scratch_memory = vec![0; Scratch::bytes(plan.tokens())];
    let mut columns = [Column::default(); 16];
    let mut memory = vec![0; Session::bytes(&plan, &limits).unwrap()];
    let (mut rooms, mut texts) = ([[0; 150]; 4], [const { String::new() }; 4]);
    texts.iter_mut().for_each(|text| text.reserve(10_000));
    let (mut room, mut layers) =
        (vec![0; Tiling::bytes(&plan).unwrap()], vec![None; plan.config.layers]);
    let tiling = Tiling { room: &mut room, layers: &mut layers, release: &|_| () };

    let mut session = Session::new(&plan, dram_targets::best(), limits, &mut memory).unwrap();
    session.arrange_in(tiling).unwrap();
    let region = Region::new(ALLOCATOR);
    let vocab = Vocab::new(&gguf, &mut vocab_memory).unwrap();
    let mut encoder = Encoder::new(&vocab, &mut encoder_memory).unwrap();
    let mut batch = Batch::new(&vocab, plan.tokens(), &mut columns, &mut scratch_memory).unwrap();
    let sampling = Sampling { repeat_penalty: 1.1, seed: 3, ..Sampling::COMMON };
    let start = Some(Channel::Reasoning);
    let options = ReplyOptions { sampling, start, max_tokens: 64, logprobs: Some(5) };
    let mut count = 0;
    for room in &mut rooms {
        count = encoder.encode_into(PROMPT, true, room).unwrap();
    }
    let first = session.open().unwrap();
    let mut replies = {
        let [a, b, c, d] = &mut rooms;
        let mut outputs = texts.each_mut().into_iter();
        [a, b, c, d].map(|room| {
            let text = outputs.next().unwrap();
            let show = |_, piece: &str| text.push_str(piece);
            Reply::new(&mut room[..], show, count, &options).unwrap()
        })
    };
    take_turns(&mut session, &mut batch, &mut replies, (first, count));
    let change = region.change();

    let reasons = replies.each_ref().map(|reply| reply.finish_reason().unwrap());
    let equal = replies.each_ref().map(|reply| reply.reply_tokens() == replies[0].reply_tokens());
    assert!(matches!(reasons[0], FinishReason::Stop(_) | FinishReason::Length));
    assert_eq!((equal, reasons), ([true; 4], [reasons[0]; 4]), "paused, forked or alone");
    assert!(count > 16, "the prompt takes several passes");
    assert!(texts.iter().all(|text| text.len() > 40 && *text == texts[0]));
    assert_eq!((change.allocations, change.reallocations), (0, 0), "{limits:?}");
}

/// Ends four replies to one prompt of so many tokens. The first reads it alone into its sequence,
/// of which the fourth takes a fork, and the third is paused once.
fn take_turns<R: Request, O: Output>(
    session: &mut Session<'_>,
    batch: &mut Batch<'_>,
    replies: &mut [Reply<R, O>; 4],
    (first, count): (Sequence, usize),
) {
    let never = AtomicBool::new(false);
    replies[0].attach(first, 0);
    while !replies[0].wants().is_empty() && replies[0].reply_tokens().is_empty() {
        batch.step(session, &mut replies[..1], usize::MAX, &never).unwrap();
    }
    replies[3].attach(session.fork_at(first, count - 1).unwrap(), count - 1);
    replies[1].attach(session.open().unwrap(), 0);
    replies[2].attach(session.open().unwrap(), 0);
    for turn in 0.. {
        session.set_threads(1 + turn % 2, 2 - turn % 2);
        batch.step(session, replies, 7, &never).unwrap();
        if turn == 9 {
            session.close(replies[2].detach().unwrap()).unwrap();
            replies[2].attach(session.open().unwrap(), 0);
        }
        if replies.iter().all(|reply| reply.finish_reason().is_some()) {
            break;
        }
    }
}
