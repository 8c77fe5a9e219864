//! `dram show`: what is in a model's file.

use crate::args;
use crate::exit::Outcome;
use dram_engine::words::megabytes;
use dram_engine::{Contents, Group};
use serde_json::{Number, Value, json};
use std::io::{self, Write};
use std::path::Path;

pub(crate) fn run(args: &args::Show) -> Outcome {
    let path = &dram_models::find(&args.model)?;
    let contents = Contents::read(path)?;
    let mut out = io::stdout().lock();
    if args.output.json {
        writeln!(out, "{:#}", to_json(path, &contents))?;
    } else {
        print(&mut out, path, &contents)?;
    }
    Ok(())
}

fn to_json(path: &Path, contents: &Contents) -> Value {
    let number = |number: &str| number.parse::<Number>().map_or(Value::Null, Value::from);
    let sizes = contents.sizes.iter().map(|(name, size)| (name.to_string(), number(size)));
    let tensors = contents.groups.iter().map(|group| {
        json!({
            "name": group.name, "format": group.format, "tensors": group.tensors,
            "weights": group.weights, "bytes": group.bytes,
        })
    });
    json!({
        "path": path.to_string_lossy(),
        "name": contents.name,
        "architecture": contents.architecture,
        "sizes": sizes.collect::<serde_json::Map<_, _>>(),
        "weights": contents.weights(),
        "bytes": contents.bytes(),
        "tensors": tensors.collect::<Vec<_>>(),
        "vocabulary": {
            "tokens": contents.tokens,
            "model": contents.vocabulary,
            "pre": contents.pre_tokenizer,
        },
        "template": contents.template,
    })
}

fn print(out: &mut impl Write, path: &Path, contents: &Contents) -> io::Result<()> {
    let sizes = contents.sizes.iter();
    let sizes = sizes.map(|(name, size)| format!("{} {size}", name.replace('_', " ")));
    let or = |text: &Option<String>, or| text.clone().unwrap_or(String::from(or));
    let weights = contents.weights() as f64 / 1e6;
    writeln!(out, "file          {}", path.display())?;
    writeln!(out, "name          {}", or(&contents.name, "none"))?;
    writeln!(out, "architecture  {}", contents.architecture)?;
    writeln!(out, "sizes         {}", sizes.collect::<Vec<_>>().join(", "))?;
    writeln!(out, "weights       {weights:.1} million, {}", megabytes(contents.bytes()))?;
    let pre = or(&contents.pre_tokenizer, "nothing named");
    writeln!(out, "vocabulary    {} tokens, words cut as {pre}", contents.tokens)?;
    let template = contents.template.as_ref();
    let template = template.map_or("none".into(), |text| format!("{} bytes", text.len()));
    writeln!(out, "template      {template}\n")?;
    writeln!(out, "{:24} {:>12} {:>7} {:>10}", "tensors", "format", "count", "size")?;
    contents.groups.iter().try_for_each(|group| {
        let Group { name, format, tensors, bytes, .. } = group;
        writeln!(out, "{name:24} {format:>12} {tensors:>7} {:>10}", megabytes(*bytes))
    })
}
