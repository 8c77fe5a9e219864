//! Whom the kernel ends when memory runs out.

use std::fs;

/// How much likelier than others, from -1000 to 1000: as if it had half of all memory more. Programs
/// of a desktop have at most 300, and a shell or `sshd` 0.
const LIKELIHOOD: i32 = 500;

const FILE: &str = "/proc/self/oom_score_adj";

/// Asks the kernel to end this program before others: what it holds can be loaded again, and a
/// desktop or a remote shell is worth more. One that is likelier already stays so. Where the system
/// does not take the wish, all goes on as before.
pub(crate) fn volunteer() {
    let now = fs::read_to_string(FILE).ok().and_then(|text| text.trim().parse::<i32>().ok());
    if now.is_some_and(|now| now < LIKELIHOOD) {
        let _ = fs::write(FILE, LIKELIHOOD.to_string());
    }
}
