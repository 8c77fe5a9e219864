//! Published chat templates, beside what Python's Jinja makes of them.
#![cfg(feature = "template")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod fetched;
mod words;

use build::fnv;
use dram_runtime::text::template::{Conversation, Template, TemplateError};
use dram_runtime::text::{Encoder, Vocab};
use words::{CONTROL, Words, with};

/// Made by `golden/templates/render.py`.
const EXPECTED: &str = include_str!("golden/templates/expected.tsv");
const CONVERSATIONS: &str = include_str!("golden/templates/conversations.json");
/// What `strftime_now` tells there: 2026-03-07 09:05:02.
const SECONDS: u64 = 1_772_874_302;
/// Where we do better: Python refuses to write as JSON what `map` gives, and escapes a tool for HTML
/// because the template calls the text before it `safe`.
const DEFENDED: [(&str, usize); 2] =
    [("llama-cpp-deepseek-r1.jinja", 5), ("meetkai-functionary-medium-v3.1.jinja", 5)];

/// A vocabulary with the marks that templates are told of.
fn vocabulary() -> Vec<u8> {
    let words = Words::bytes(&[]).token("<s>", CONTROL).token("</s>", CONTROL);
    let words = words.u32("tokenizer.ggml.bos_token_id", 256);
    words.u32("tokenizer.ggml.eos_token_id", 257).file()
}

fn render(
    vocab: &Vocab<'_>,
    source: &str,
    conversation: &Conversation,
) -> Result<String, TemplateError> {
    let prompt = Template::new(source)?.render(vocab, conversation)?;
    Ok(prompt.text().to_string())
}

/// What is wrong with a line of the expected prompts.
fn fault(encoder: &mut Encoder<'_>, line: &str, conversations: &[Conversation]) -> Option<String> {
    let fields: Vec<&str> = line.split('\t').collect();
    let (file, number) = (fields[0], fields[1].parse::<usize>().unwrap());
    let source = String::from_utf8(fetched::bytes(&format!("templates/{file}"))).unwrap();
    let found = render(encoder.vocab(), &source, &conversations[number]);
    let what = format!("{file}, conversation {number}");
    match (found, &fields[2..]) {
        (Err(_), ["refused"]) => None,
        (Ok(_), _) if DEFENDED.contains(&(file, number)) => None,
        (Ok(text), ["refused"]) => Some(format!("{what} should be refused: {text}")),
        (Err(error), _) => Some(format!("{what}: {error}")),
        (Ok(text), [_, hash]) if format!("{:016x}", fnv(text.bytes().map(u64::from))) == *hash => {
            None
        }
        (Ok(text), _) => Some(format!("{what} is another text: {text}")),
    }
}

#[test]
fn published_templates_render_as_pythons_jinja_does() {
    let mut conversations: Vec<Conversation> = serde_json::from_str(CONVERSATIONS).unwrap();
    conversations.iter_mut().for_each(|conversation| conversation.seconds = SECONDS);
    let lines: Vec<&str> = EXPECTED.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!((conversations.len(), lines.len()), (6, 70 * 6));
    with(&vocabulary(), |encoder| {
        let faults = lines.iter().filter_map(|line| fault(encoder, line, &conversations));
        let faults: Vec<String> = faults.collect();
        let first: Vec<&String> = faults.iter().take(3).collect();
        assert!(faults.is_empty(), "{} of {}: {first:#?}", faults.len(), lines.len());
    });
}
