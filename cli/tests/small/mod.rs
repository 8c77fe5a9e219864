//! Files of small random models, for what does not depend on what a model says.
#![allow(unreachable_pub, dead_code, reason = "each test takes what it needs")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../../runtime/tests/tiny/mod.rs"]
mod tiny;

use crate::build::{Entry, File, TEXT, U16, string};
use dram_quant::Order;
use std::fs;
use std::path::{Path, PathBuf};
use tiny::Mix;

/// A template that suits any vocabulary.
const TEMPLATE: &str =
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:";

/// A model's file, with a chat template.
pub fn model() -> Vec<u8> {
    model_with(&[])
}

/// The same with other keys, too.
pub fn model_with(keys: &[Vec<u8>]) -> Vec<u8> {
    let template = key("tokenizer.chat_template", TEXT, &string(TEMPLATE));
    with_keys(&tiny::llama(Mix::Q8_0).file(), &[&[template], keys].concat())
}

/// A model whose replies begin inside a thought.
pub fn thinking() -> Vec<u8> {
    let source = format!("{TEMPLATE}<think>\n");
    let template = key("tokenizer.chat_template", TEXT, &string(&source));
    with_keys(&tiny::llama(Mix::Q8_0).file(), &[template])
}

/// Writes a model to a folder.
pub fn write(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, model()).unwrap();
    path
}

/// Writes a model in two parts, and returns the path of the first.
pub fn write_split(folder: &Path, stem: &str) -> PathBuf {
    let mut first = tiny::llama(Mix::Q8_0);
    let rest = first.tensors.split_off(9);
    let split = |i: u16| {
        [("split.no", i), ("split.count", 2)].map(|(name, n)| key(name, U16, &n.to_le_bytes()))
    };
    let file = rest.iter().fold(File::bare(), |file, tensor| {
        let dims: Vec<u64> =
            [tensor.len].into_iter().chain(tensor.rows).map(|n| n as u64).collect();
        let entry = Entry::new(&tensor.name, &dims, tensor.format.id(Order::Rows));
        file.entry(Entry { data: tensor.bytes.clone(), ..entry })
    });
    let parts = [first.file(), file.bytes()];
    let name = |i: usize| folder.join(format!("{stem}-{:05}-of-00002.gguf", i + 1));
    for (i, part) in parts.iter().enumerate() {
        fs::write(name(i), with_keys(part, &split(i as u16))).unwrap();
    }
    name(0)
}

/// A key as it lies in a file.
pub fn key(name: &str, id: u32, value: &[u8]) -> Vec<u8> {
    [&string(name)[..], &id.to_le_bytes(), value].concat()
}

/// A file with more keys before its own, which is done to a file once. Behind them its bytes lie as they did, as tensors begin at
/// multiples of 32.
fn with_keys(file: &[u8], keys: &[Vec<u8>]) -> Vec<u8> {
    let mut more = keys.concat();
    let filler = |len: usize| key("test.filler", TEXT, &string(" ".repeat(len)));
    let len = (0..32).find(|&len| (more.len() + filler(len).len()).is_multiple_of(32)).unwrap();
    more.extend(filler(len));
    let count = u64::from_le_bytes(file[16..24].try_into().unwrap()) + keys.len() as u64 + 1;
    [&file[..16], &count.to_le_bytes(), &more, &file[24..]].concat()
}
