//! What is told of an answer: to programs, and to people beside it.

use crate::exit::{Code, Failure, Outcome, notice};
use dram_engine::words::{self, megabytes};
use dram_engine::{Answer, Ending, Model, Story};
use serde_json::{Value, json};

/// Everything about an answer, for programs.
pub(crate) fn to_json(answer: &Answer, model: &Model<'_>) -> Value {
    json!({
        "model": model.name(),
        "kernels": model.kernels.name(),
        "threads": model.threads.decode,
        "prefill_threads": model.threads.prefill,
        "prompt_tokens": answer.prompt_tokens,
        "tokens": answer.tokens,
        "reasoning": answer.reasoning,
        "text": answer.text,
        "end": answer.ending.name(),
        "prefill_ts": answer.prefill_speed(),
        "decode_ts": answer.decode_speed(),
        "first_token_seconds": answer.first_token.as_secs_f64(),
        "weights_bytes": model.weights_bytes,
        "weights_are_mapped": model.is_mapped,
        "session_bytes": model.session_bytes,
        "heat": heat(&answer.heat),
    })
}

fn heat(story: &Story) -> Value {
    json!({
        "highest_celsius": story.highest_celsius,
        "lowest_khz": story.lowest_khz,
        "was_throttled": story.was_throttled,
        "fewest_threads": story.fewest_threads,
        "threads_at_the_end": story.threads,
        "rested_seconds": story.rested.as_secs_f64(),
    })
}

/// Speed and memory, for people.
pub(crate) fn print_speed(answer: &Answer, model: &Model<'_>) {
    let how = match (model.in_tiles, model.is_mapped) {
        (true, _) => "in tiles",
        (false, true) => "mapped",
        (false, false) => "read",
    };
    let (threads, kernels) = (words::threads(model.threads), model.kernels.name());
    eprintln!("\nprompt  {} tokens, {:.1} a second", answer.prompt_tokens, answer.prefill_speed());
    eprintln!("answer  {} tokens, {:.1} a second", answer.tokens.len(), answer.decode_speed());
    eprintln!("first   token after {:.2} s", answer.first_token.as_secs_f64());
    eprintln!(
        "memory  {} weights {how}, {} session",
        megabytes(model.weights_bytes),
        megabytes(model.session_bytes)
    );
    eprintln!("with    {kernels} kernels, {threads}");
    if let Some(temperature) = answer.heat.temperature() {
        eprintln!("heat    {temperature}");
    }
}

/// Tells why an answer is not complete, unless the user wanted it so, and why it was slow.
pub(crate) fn print_ending(answer: &Answer) {
    if let Some(message) = unanswered(answer) {
        notice(message);
    } else if answer.ending == Ending::Context {
        notice("the context is full; --ctx takes a larger one");
    }
    if let Some(slowdown) = answer.heat.slowdown() {
        notice(&slowdown);
    }
}

/// Success, unless it was interrupted, or over before there was an answer.
pub(crate) fn outcome(answer: &Answer) -> Outcome {
    match answer.ending {
        Ending::Interrupted => Err(Failure::interrupted()),
        // It has been told.
        _ if unanswered(answer).is_some() => Err(Failure::new(Code::Unanswered, "")),
        _ => Ok(()),
    }
}

/// What is told where the reply's room was full before its thought was over.
fn unanswered(answer: &Answer) -> Option<&'static str> {
    match answer.ending {
        Ending::Length if answer.is_thinking => Some(
            "the limit of tokens was reached inside the thought, so there is no answer; raise -n",
        ),
        Ending::Context if answer.is_thinking => Some(
            "the context was full inside the thought, so there is no answer; --ctx takes a larger one",
        ),
        _ => None,
    }
}
