//! Predicted speeds, for programs and for people.

use dram_boards::Basis;
use dram_engine::fit::Speed;
use serde_json::{Value, json};
use std::io::{self, Write};

pub(super) fn to_json(speed: &Speed) -> Value {
    json!({
        "decode_tokens_per_second": speed.decode,
        "prefill_tokens_per_second": speed.prefill,
        "bytes_per_token": speed.bytes_per_token,
        "bandwidth": speed.bandwidth,
    })
}

/// In a few words.
pub(super) fn line(speed: &Speed) -> String {
    let decode = speed.decode.zip(speed.bandwidth.as_ref());
    decode.map_or_else(String::new, |(decode, bandwidth)| {
        let sign = if bandwidth.basis == Basis::Theoretical { "less than " } else { "" };
        format!("{sign}{decode:.1} tokens/s predicted")
    })
}

pub(super) fn print(speed: &Speed, out: &mut impl Write) -> io::Result<()> {
    let (Some(decode), Some(bandwidth)) = (speed.decode, &speed.bandwidth) else {
        return writeln!(out, "speed      not predicted: the board's memory was not measured");
    };
    let basis = match bandwidth.basis {
        Basis::OneCore => "as one core does",
        Basis::AllCores => "as measured",
        Basis::Theoretical => "which it does in theory",
    };
    let rate = bandwidth.gbytes_per_second;
    writeln!(out, "predicted  {decode:.1} tokens/s if its memory reads {rate:.1} GB/s, {basis}")?;
    let Some(prefill) = speed.prefill else { return Ok(()) };
    writeln!(out, "           less than {prefill:.0} tokens/s of a prompt, the cores' limit")
}
