//! `dram show`: what is in a model's file.

use crate::args;
use crate::exit::Outcome;
use crate::models;
use dram_engine::with_gguf;
use dram_engine::words::megabytes;
use dram_quant::Order;
use dram_runtime::Error;
use dram_runtime::model::{Gguf, Tensor};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

/// Tensors that differ only in their layer.
struct Group {
    name: String,
    format: String,
    tensors: usize,
    weights: usize,
    bytes: usize,
}

/// Numbers of the architecture: what they are called here, and in the file.
const SIZES: [(&str, &str); 7] = [
    ("layers", "block_count"),
    ("embedding_length", "embedding_length"),
    ("heads", "attention.head_count"),
    ("kv_heads", "attention.head_count_kv"),
    ("feed_forward_length", "feed_forward_length"),
    ("context_length", "context_length"),
    ("rope_base", "rope.freq_base"),
];

pub(crate) fn run(args: &args::Show) -> Outcome {
    let path = &models::find(&args.model)?;
    with_gguf(path, |gguf| {
        let mut out = io::stdout().lock();
        if args.output.json {
            writeln!(out, "{:#}", to_json(path, gguf)?)?;
        } else {
            print(&mut out, path, gguf)?;
        }
        Ok(())
    })
}

fn to_json(path: &Path, gguf: &Gguf<'_>) -> Result<Value, Error> {
    let groups = groups(gguf);
    let sizes = sizes(gguf).map(|(name, number)| (name.to_string(), number));
    let tensors = groups.iter().map(|group| {
        json!({
            "name": group.name, "format": group.format, "tensors": group.tensors,
            "weights": group.weights, "bytes": group.bytes,
        })
    });
    Ok(json!({
        "path": path,
        "name": text(gguf, "general.name"),
        "architecture": gguf.architecture(),
        "sizes": sizes.collect::<serde_json::Map<_, _>>(),
        "weights": groups.iter().map(|group| group.weights).sum::<usize>(),
        "bytes": groups.iter().map(|group| group.bytes).sum::<usize>(),
        "tensors": tensors.collect::<Vec<_>>(),
        "vocabulary": {
            "tokens": tokens(gguf),
            "model": text(gguf, "tokenizer.ggml.model"),
            "pre": text(gguf, "tokenizer.ggml.pre"),
        },
        "template": text(gguf, "tokenizer.chat_template"),
    }))
}

fn print(out: &mut impl Write, path: &Path, gguf: &Gguf<'_>) -> io::Result<()> {
    let groups = groups(gguf);
    let weights: usize = groups.iter().map(|group| group.weights).sum();
    let bytes = groups.iter().map(|group| group.bytes).sum();
    let sizes = sizes(gguf).map(|(name, number)| format!("{} {number}", name.replace('_', " ")));
    writeln!(out, "file          {}", path.display())?;
    writeln!(out, "name          {}", text(gguf, "general.name").unwrap_or("none"))?;
    writeln!(out, "architecture  {}", gguf.architecture())?;
    writeln!(out, "sizes         {}", sizes.collect::<Vec<_>>().join(", "))?;
    writeln!(out, "weights       {:.1} million, {}", weights as f64 / 1e6, megabytes(bytes))?;
    let pre = text(gguf, "tokenizer.ggml.pre").unwrap_or("nothing named");
    writeln!(out, "vocabulary    {} tokens, words cut as {pre}", tokens(gguf))?;
    let template = text(gguf, "tokenizer.chat_template");
    let template = template.map_or("none".into(), |text| format!("{} bytes", text.len()));
    writeln!(out, "template      {template}\n")?;
    writeln!(out, "{:24} {:>12} {:>7} {:>10}", "tensors", "format", "count", "size")?;
    groups.iter().try_for_each(|group| {
        let Group { name, format, tensors, bytes, .. } = group;
        writeln!(out, "{name:24} {format:>12} {tensors:>7} {:>10}", megabytes(*bytes))
    })
}

/// The architecture's numbers that the file has and that are plain numbers.
fn sizes(gguf: &Gguf<'_>) -> impl Iterator<Item = (&'static str, Value)> {
    SIZES.iter().filter_map(|&(name, key)| {
        let value = gguf.value(gguf.hyper(key))?;
        let number = value.unsigned().map(Value::from);
        Some((name, number.or_else(|| value.to_string().parse().ok())?))
    })
}

fn text<'a>(gguf: &Gguf<'a>, key: &str) -> Option<&'a str> {
    gguf.find(key).ok().flatten()
}

fn tokens(gguf: &Gguf<'_>) -> usize {
    gguf.value("tokenizer.ggml.tokens").and_then(|value| value.array()).map_or(0, |all| all.len())
}

/// Tensors of every layer together, in the order of the file.
fn groups(gguf: &Gguf<'_>) -> Vec<Group> {
    let (mut groups, mut places) = (Vec::<Group>::new(), BTreeMap::new());
    for tensor in gguf.tensors() {
        let key = (group_name(tensor.name()), format(&tensor));
        let place = *places.entry(key.clone()).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group { name: key.0, format: key.1, tensors: 0, weights: 0, bytes: 0 });
        }
        let group = &mut groups[place];
        group.tensors += 1;
        group.weights += tensor.dims().iter().product::<usize>();
        group.bytes += tensor.bytes().len();
    }
    groups
}

/// `blk.7.attn_q.weight` belongs to `blk.*.attn_q.weight`.
fn group_name(tensor: &str) -> String {
    let mut parts = tensor.split('.').collect::<Vec<_>>();
    if let ["blk", layer, _, ..] = &mut parts[..] {
        *layer = "*";
    }
    parts.join(".")
}

fn format(tensor: &Tensor<'_>) -> String {
    let order = if tensor.order() == Order::Tiles { " tiles" } else { "" };
    format!("{}{order}", tensor.format().name())
}
