//! What is in a model's file.

use crate::error::{EngineError, Outcome};
use crate::load::with_gguf;
use dram_quant::Order;
use dram_runtime::model::{Gguf, Tensor};
use std::collections::BTreeMap;
use std::path::Path;

/// What a model's file holds, as it says itself.
#[derive(Clone, Debug)]
pub struct Contents {
    /// `general.name`
    pub name: Option<String>,
    /// The family.
    pub architecture: String,
    /// Numbers of the architecture that the file has, in decimal: layers, heads and so on.
    pub sizes: Vec<(&'static str, String)>,
    /// Its tensors, in the order of the file.
    pub groups: Vec<Group>,
    /// Tokens of the vocabulary.
    pub tokens: usize,
    /// How the vocabulary is made: `tokenizer.ggml.model`.
    pub vocabulary: Option<String>,
    /// How words are cut: `tokenizer.ggml.pre`.
    pub pre_tokenizer: Option<String>,
    /// The chat template.
    pub template: Option<String>,
}

/// Tensors that differ only in their layer.
#[derive(Clone, Debug)]
pub struct Group {
    /// The name, with `*` for the layer's number.
    pub name: String,
    /// The format of the weights, and whether they are in tiles.
    pub format: String,
    /// How many tensors.
    pub tensors: usize,
    /// Weights in all of them.
    pub weights: usize,
    /// Bytes of all of them.
    pub bytes: usize,
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

impl Contents {
    /// Reads a file, or all parts of a split one.
    ///
    /// # Errors
    ///
    /// If there is no such file or it is damaged.
    pub fn read(path: &Path) -> Outcome<Self> {
        with_gguf(path, |gguf| Ok::<_, EngineError>(Self::of(gguf)))
    }

    fn of(gguf: &Gguf<'_>) -> Self {
        let text = |key| gguf.find::<&str>(key).ok().flatten().map(String::from);
        let tokens = gguf.value("tokenizer.ggml.tokens").and_then(|value| value.array());
        let size = |&(name, key)| Some((name, gguf.value(gguf.hyper(key))?.number()?.to_string()));
        Self {
            name: text("general.name"),
            architecture: gguf.architecture().into(),
            sizes: SIZES.iter().filter_map(size).collect(),
            groups: groups(gguf),
            tokens: tokens.map_or(0, |tokens| tokens.len()),
            vocabulary: text("tokenizer.ggml.model"),
            pre_tokenizer: text("tokenizer.ggml.pre"),
            template: text("tokenizer.chat_template"),
        }
    }

    /// Weights of all tensors.
    pub fn weights(&self) -> usize {
        self.groups.iter().map(|group| group.weights).sum()
    }

    /// Bytes of all tensors.
    pub fn bytes(&self) -> usize {
        self.groups.iter().map(|group| group.bytes).sum()
    }
}

/// Tensors of every layer together, in the order of the file.
fn groups(gguf: &Gguf<'_>) -> Vec<Group> {
    let (mut groups, mut places) = (Vec::<Group>::new(), BTreeMap::new());
    for tensor in gguf.tensors() {
        let (name, format) = (group_name(tensor.name()), format(&tensor));
        let place = *places.entry((name.clone(), format.clone())).or_insert(groups.len());
        if place == groups.len() {
            groups.push(Group { name, format, tensors: 0, weights: 0, bytes: 0 });
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
