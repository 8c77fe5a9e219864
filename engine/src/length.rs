//! Messages that no context holds.

use crate::error::Outcome;
use dram_runtime::SessionFault;
use dram_runtime::text::{Encoder, Message};

/// Refuses messages that alone have more tokens than the context, before a chat template is asked to
/// write them out: what it may spend is bounded, and it would be blamed.
///
/// # Errors
///
/// [`SessionFault::Prompt`], which tells how many tokens they have.
pub(crate) fn check_length(
    encoder: &mut Encoder<'_>,
    messages: &[Message<'_>],
    context: usize,
) -> Outcome {
    // No token is shorter than a byte.
    if messages.iter().map(|message| message.content.len()).sum::<usize>() <= context {
        return Ok(());
    }
    let mut tokens = 0;
    for message in messages {
        encoder.encode(message.content, false, |_| tokens += 1);
    }
    match tokens > context {
        true => {
            Err(dram_runtime::Error::from(SessionFault::Prompt { tokens, left: context }).into())
        }
        false => Ok(()),
    }
}
