//! Nothing allocates once a session has started. Alone in its program, whose allocator counts for
//! all threads.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod tiny;

use dram_runtime::text::{Channel, Encoder, Vocab};
use dram_runtime::{
    End, Gguf, KvFormat, Limits, Plan, Reply, Sampler, Sampling, Session, Step, Tiling,
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
            let limits = Limits { context: 200, sequences: 2, batch: 16, logits: 2, threads, kv };
            replies(limits);
        }
    }
}

/// Starts a session, then counts while it reads a prompt, replies, forks and replies again.
fn replies(limits: Limits) {
    let file = tiny::llama(Mix::Q4_K_M).file();
    let gguf = Gguf::parse(&file).unwrap();
    let mut slots = vec![None; Plan::layers_in(&gguf).unwrap()];
    let plan = Plan::new(&gguf, &mut slots).unwrap();
    let mut vocab_memory = vec![0; Vocab::bytes(&gguf).unwrap()];
    let mut encoder_memory = vec![0; Encoder::BYTES];
    let mut sampler_memory = vec![0; Sampler::bytes(plan.tokens())];
    let mut memory = vec![0; plan.bytes(&limits).unwrap()];
    let (mut tokens, mut text) = ([0; 100], String::with_capacity(10_000));
    let (mut room, mut layers) =
        (vec![0; plan.tile_bytes().unwrap()], vec![None; plan.config.layers]);
    let tiling = Tiling { room: &mut room, layers: &mut layers, release: &|_| () };

    let mut session = Session::new(&plan, dram_targets::best(), limits, &mut memory).unwrap();
    session.arrange_in(tiling).unwrap();
    let region = Region::new(ALLOCATOR);
    let vocab = Vocab::new(&gguf, &mut vocab_memory).unwrap();
    let mut encoder = Encoder::new(&vocab, &mut encoder_memory).unwrap();
    let sampling = Sampling { repeat_penalty: 1.1, seed: 3, ..Sampling::COMMON };
    let mut sampler = Sampler::new(sampling, plan.tokens(), &mut sampler_memory).unwrap();
    let count = encoder.encode_into(PROMPT, true, &mut tokens).unwrap();
    let first = session.open().unwrap();
    let end = reply(&mut session, &vocab, &mut sampler, first, &tokens[..count], &mut text);
    let second = session.fork(first).unwrap();
    session.rewind(second, count).unwrap();
    session.close(first).unwrap();
    session.set_threads(1, 1);
    reply(&mut session, &vocab, &mut sampler, second, &tokens[..1], &mut text);
    let change = region.change();

    assert!(matches!(end, End::Stop(_) | End::Length | End::Context));
    assert!(count > 16, "the prompt takes several passes");
    assert!(text.len() > 40, "the model has said something");
    assert_eq!((change.allocations, change.reallocations), (0, 0), "{limits:?}");
}

fn reply(
    session: &mut Session<'_>,
    vocab: &Vocab<'_>,
    sampler: &mut Sampler<'_>,
    sequence: dram_runtime::Sequence,
    prompt: &[u32],
    text: &mut String,
) -> End {
    let start = Some(Channel::Reasoning);
    let mut reply = Reply::new(session, vocab, sampler, sequence, prompt, start, 64).unwrap();
    for turn in 0.. {
        if let Step::End(end) = reply.step(|_, piece| text.push_str(piece)).unwrap() {
            return end;
        }
        reply.set_threads(1 + turn % 2, 2 - turn % 2);
    }
    unreachable!("a reply ends");
}
