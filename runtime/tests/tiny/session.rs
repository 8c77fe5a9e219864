//! Sessions on a model's file, for the length of a call.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use core::sync::atomic::AtomicBool;
use dram_runtime::{Column, Gguf, Limits, Plan, Session};
use dram_targets::Kernels;

/// Starts a session on a file's bytes and hands it to `work`.
pub(crate) fn start<T>(
    file: &[u8],
    kernels: &'static Kernels,
    limits: Limits,
    work: impl FnOnce(&mut Session<'_>) -> T,
) -> T {
    let gguf = Gguf::parse(file).unwrap();
    let mut slots = vec![None; Plan::layers_in(&gguf).unwrap()];
    let plan = Plan::new(&gguf, &mut slots).unwrap();
    let mut memory = vec![0; Session::bytes(&plan, &limits).unwrap()];
    work(&mut Session::new(&plan, kernels, limits, &mut memory).unwrap())
}

/// Limits with room for `positions` of one sequence and their logits, `batch` columns a pass.
pub(crate) fn limits(positions: usize, batch: usize) -> Limits {
    Limits { context: positions, batch, logits: batch, ..Limits::default() }
}

/// The logits at every position of a sequence that begins with `tokens`, in passes as long as the
/// session allows.
pub(crate) fn logits(session: &mut Session<'_>, tokens: &[u32]) -> Vec<Vec<f32>> {
    let sequence = session.open().unwrap();
    let column = |&token| Column { sequence, token, wants_logits: true };
    let columns: Vec<Column> = tokens.iter().map(column).collect();
    let mut logits = Vec::new();
    for columns in columns.chunks(session.limits().batch) {
        session.forward(columns, &AtomicBool::new(false)).unwrap();
        logits.extend((0..columns.len()).map(|i| session.logits(i).to_vec()));
    }
    session.close(sequence).unwrap();
    logits
}
