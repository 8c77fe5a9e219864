//! The real model, to the last bit: what one machine computes, all do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod fetched;

use dram_runtime::{Constraints, Gguf, Limits, Plan, Sampler, Sampling, Scratch, Session};

/// Tokens that are made after each prompt.
const TOKENS: usize = 12;

/// Prompt, greedy reply, and a digest of the logits' bits after the last token.
const REPLIES: [(&[u32], [u32; TOKENS], u64); 2] = [
    (
        &[504, 3575, 282, 4649, 314],
        [7042, 30, 198, 198, 504, 2988, 314, 42, 216, 34, 32, 33],
        0xb8bb_6003_83c9_d445,
    ),
    (
        &[1, 9690, 198, 2683, 359, 253, 5356, 5646],
        [11173, 338, 2311, 3629, 351, 480, 2143, 284, 3544, 2397, 30, 1206],
        0x360c_fe7b_28e9_a299,
    ),
];

/// FNV-1a over the bits of all logits.
fn digest(logits: &[f32]) -> u64 {
    build::fnv(logits.iter().flat_map(|x| x.to_bits().to_le_bytes()).map(u64::from))
}

#[test]
fn every_machine_computes_the_same_bits() {
    let file = fetched::bytes("SmolLM2-135M-Instruct.Q4_1.gguf");
    let gguf = Gguf::parse(&file).unwrap();
    let mut slots = vec![None; Plan::layers_in(&gguf).unwrap()];
    let plan = Plan::new(&gguf, &mut slots).unwrap();
    let limits = Limits { context: 64, ..Limits::default() };
    let mut memory = vec![0; Session::bytes(&plan, &limits).unwrap()];
    let mut session = Session::new(&plan, dram_targets::best(), limits, &mut memory).unwrap();
    let mut scratch_memory = vec![0; Scratch::bytes(plan.tokens())];
    let mut scratch = Scratch::new(plan.tokens(), &mut scratch_memory).unwrap();
    let (mut sampler, free) = (Sampler::new(Sampling::GREEDY), Constraints::default());
    for (prompt, reply, bits) in REPLIES {
        let sequence = session.open().unwrap();
        session.prompt(sequence, prompt).unwrap();
        let found: [u32; TOKENS] = core::array::from_fn(|_| {
            let (kernels, logits) = (session.kernels(), session.logits(0));
            let token = sampler.choose(&mut scratch, kernels, logits, &free).unwrap();
            session.prompt(sequence, &[token]).unwrap();
            token
        });
        assert_eq!(found, reply, "{}", session.kernels().name());
        assert_eq!(digest(session.logits(0)), bits, "{}", session.kernels().name());
        session.close(sequence).unwrap();
    }
}
