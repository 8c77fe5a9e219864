//! Sizes and threads for people.

use dram_boards::Threads;

/// A size.
pub fn megabytes(bytes: usize) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// Threads, of which there may be more to read a prompt than to generate.
pub fn threads(threads: Threads) -> String {
    match threads {
        Threads { decode, prefill } if decode == prefill => format!("{decode} threads"),
        Threads { decode, prefill } => {
            format!("{decode} threads to generate and {prefill} to read the prompt")
        }
    }
}
