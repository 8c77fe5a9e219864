//! How much of a model's distribution is lost on the way from its weights to our logits.

use crate::divergence::Divergence;
use crate::reference::Reference;
use dram_runtime::text::{Encoder, Vocab};
use dram_runtime::{Column, Error, Gguf, Limits, Map, Plan, Session};
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// Tokens of a window, of which the second half is scored, as llama-perplexity has it.
const WINDOW: usize = 512;

/// Columns of a pass whose logits are compared.
const BATCH: usize = 64;

/// What the command line asks for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A GGUF file
    model: PathBuf,
    /// A text file
    text: PathBuf,
    /// Threads
    #[arg(short, long, default_value_t = NonZero::new(2).expect("2 is not 0"))]
    threads: NonZero<usize>,
    /// Windows of the text to compare over
    #[arg(long, default_value_t = 4)]
    windows: usize,
}

/// Compares over the windows of a text and prints what was found.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let Arguments { model, text, threads, windows } = arguments;
    let text = std::fs::read_to_string(text).map_err(|e| format!("{}: {e}", text.display()))?;
    let maps = Map::open_all(model)?;
    let parts: Vec<&[u8]> = maps.iter().map(|map| &**map).collect();
    let gguf = Gguf::join(&parts)?;
    let (tokens, leading) = tokens(&gguf, &text)?;
    let (most, count) = (tokens.len() / WINDOW, tokens.len());
    if most < *windows {
        return Err(format!("the text has {count} tokens; take at most --windows {most}").into());
    }
    let divergence = divergence(&gguf, &tokens[..windows * WINDOW], leading, threads.get())?;
    report(&divergence);
    Ok(())
}

/// The divergence over windows of tokens, each with `leading` as its first, if it is some.
fn divergence(
    gguf: &Gguf<'_>,
    tokens: &[u32],
    leading: Option<u32>,
    threads: usize,
) -> Result<Divergence, Error> {
    let mut slots = vec![None; Plan::layers_in(gguf)?];
    let plan = Plan::new(gguf, &mut slots)?;
    let limits =
        Limits { context: WINDOW, batch: BATCH, logits: BATCH, threads, ..Limits::default() };
    let mut memory = vec![0; Session::bytes(&plan, &limits)?];
    let mut session = Session::new(&plan, dram_targets::best(), limits, &mut memory)?;
    let reference = Reference::new(gguf, threads)?;
    let mut divergence = Divergence::default();
    for (i, window) in tokens.chunks_exact(WINDOW).enumerate() {
        eprintln!("window {} of {}", i + 1, tokens.len() / WINDOW);
        compare(&mut session, &reference, window, leading, &mut divergence)?;
    }
    Ok(divergence)
}

/// The tokens of a text, and the one the model wants before it, if any.
fn tokens(gguf: &Gguf<'_>, text: &str) -> Result<(Vec<u32>, Option<u32>), Error> {
    let mut memory = vec![0; Vocab::bytes(gguf)?];
    let vocab = Vocab::new(gguf, &mut memory)?;
    let mut scratch = vec![0; Encoder::BYTES];
    let mut tokens = Vec::new();
    Encoder::new(&vocab, &mut scratch)?.encode_leading(text, false, |token| tokens.push(token));
    Ok((tokens, vocab.bos_to_add()))
}

/// Adds the second half of a window, except its last position, whose next token is not in it.
fn compare(
    session: &mut Session<'_>,
    reference: &Reference<'_>,
    window: &[u32],
    leading: Option<u32>,
    divergence: &mut Divergence,
) -> Result<(), Error> {
    let mut tokens = window.to_vec();
    tokens[0] = leading.unwrap_or(tokens[0]);
    let first = WINDOW / 2;
    let scored = WINDOW - 1 - first;
    let reference = reference.logits(&tokens, first)?;
    let mut reference = reference.chunks_exact(reference.len() / (WINDOW - first)).take(scored);
    let sequence = session.open()?;
    session.prompt(sequence, &tokens[..first])?;
    for (tokens, next) in
        tokens[first..WINDOW - 1].chunks(BATCH).zip(tokens[first + 1..].chunks(BATCH))
    {
        let column = |&token| Column { sequence, token, wants_logits: true };
        session.forward(&tokens.iter().map(column).collect::<Vec<_>>(), &AtomicBool::new(false))?;
        for ((i, next), reference) in next.iter().enumerate().zip(&mut reference) {
            divergence.add(session.logits(i), reference, *next);
        }
    }
    session.close(sequence)
}

fn report(divergence: &Divergence) {
    let Divergence { kl, same_top, ours, reference } = divergence;
    let perplexity = |mean: f64, error: f64| (mean.exp(), mean.exp() * error);
    println!("positions              {}", kl.count());
    println!("mean KL divergence     {:.5} ± {:.5}", kl.mean(), kl.error());
    println!(
        "same top token         {:.2} ± {:.2} %",
        100.0 * same_top.mean(),
        100.0 * same_top.error()
    );
    let (value, error) = perplexity(ours.mean(), ours.error());
    println!("perplexity, dram       {value:.3} ± {error:.3}");
    let (value, error) = perplexity(reference.mean(), reference.error());
    println!("perplexity, f32        {value:.3} ± {error:.3}");
}
