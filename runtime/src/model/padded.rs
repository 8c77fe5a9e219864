//! Models whose lengths kernels do not take, as equal models whose lengths they do.
//!
//! Kernels multiply rows of a multiple of 32 numbers and attend with heads of a multiple of 8. Any
//! other model becomes one with zeros behind each row and each head, in memory, before it is used:
//! its residual stream, heads and hidden numbers are the same, followed by zeros. Two things would
//! differ and are set right in the weights: norms divide by the longer length, and scores are scaled
//! for the longer head.

use super::arch::Architecture;
use super::header;
use super::hyper::{SIZE_MAX, of_layers, of_layers_or, positive, size, size_or};
use super::{Gguf, Map, Room, Tensor};
use crate::error::Error;
use byteorder::{ByteOrder, LE};
use dram_quant::{Format, Matrix, Order};
use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

/// Where tensors lie in the image.
const ALIGNMENT: usize = 32;
/// Type ids of values, as `docs/gguf.md` of ggml has them.
const U32: u32 = 4;
const F32: u32 = 6;

/// The lengths that kernels care for.
#[derive(Clone, Copy, PartialEq)]
struct Lengths {
    embedding: usize,
    feed_forward: usize,
    head: usize,
}

/// A model to be padded.
pub struct Padding<'a> {
    gguf: &'a Gguf<'a>,
    from: Lengths,
    to: Lengths,
    heads: usize,
    kv_heads: usize,
    has_head_norm: bool,
    header: Vec<u8>,
    tensors: Vec<Padded<'a>>,
}

/// What a dimension of a tensor counts.
#[derive(Clone, Copy, PartialEq)]
enum Axis {
    /// What stays: tokens, or nothing.
    Other,
    Embedding,
    FeedForward,
    /// Numbers of so many heads.
    Heads(usize),
}

/// A tensor on its way to the image.
struct Padded<'a> {
    tensor: Tensor<'a>,
    /// Rows, and numbers in each.
    axes: [Axis; 2],
    /// What its numbers are multiplied by.
    scale: f32,
    /// Whether its bytes stay.
    is_same: bool,
    bytes: usize,
    /// In the data.
    offset: usize,
}

impl<'a> Padding<'a> {
    /// Finds out what to do; `None` for a model that can be used as it is, or not at all:
    /// [`Config::read`](super::Config::read) then tells why.
    ///
    /// # Errors
    ///
    /// [`TensorFault::Shape`](crate::error::TensorFault::Shape) if a tensor has not the lengths that
    /// the file's keys say.
    pub fn of(gguf: &'a Gguf<'a>) -> Result<Option<Self>, Error> {
        let Ok(mut padding) = Self::lengths(gguf) else { return Ok(None) };
        let is_in_tiles = || gguf.tensors().any(|tensor| tensor.order() == Order::Tiles);
        if padding.from == padding.to || is_in_tiles() {
            return Ok(None);
        }
        let mut offset = 0_usize;
        for tensor in gguf.tensors() {
            let padded = padding.tensor(tensor, offset)?;
            offset = (offset + padded.bytes).next_multiple_of(ALIGNMENT);
            padding.tensors.push(padded);
        }
        padding.header = padding.header()?;
        Ok(Some(padding))
    }

    fn lengths(gguf: &'a Gguf<'a>) -> Result<Self, Error> {
        let embedding = size(gguf, "embedding_length", 1, SIZE_MAX)?;
        let feed_forward = of_layers(gguf, "feed_forward_length", 1, SIZE_MAX)?;
        let heads = of_layers(gguf, "attention.head_count", 1, embedding)?;
        let kv_heads = of_layers_or(gguf, "attention.head_count_kv", 1, heads, heads)?;
        let head = size_or(gguf, "attention.key_length", 1, 1024, embedding / heads)?;
        size_or(gguf, "attention.value_length", head, head, head)?;
        let mut padded = head.next_multiple_of(8);
        while !(heads * padded).is_multiple_of(32) {
            padded += 8;
        }
        let to = Lengths {
            embedding: embedding.next_multiple_of(32),
            feed_forward: feed_forward.next_multiple_of(32),
            head: padded,
        };
        let has_head_norm = Architecture::named(gguf.architecture())?.qk_norm.is_usual();
        Ok(Self {
            gguf,
            from: Lengths { embedding, feed_forward, head },
            to,
            heads,
            kv_heads,
            has_head_norm,
            header: Vec::new(),
            tensors: Vec::new(),
        })
    }

    fn tensor(&self, tensor: Tensor<'a>, offset: usize) -> Result<Padded<'a>, Error> {
        let part = tensor.name().strip_prefix("blk.").and_then(|name| name.split_once('.'));
        let part = part.map_or(tensor.name(), |(_, part)| part);
        let (axes, scale) = (self.axes(part), self.scale(part));
        let [rows, len] = axes.map(|axis| axis.len(self.from, &tensor));
        if axes != [Axis::Other; 2] {
            tensor.matrix(rows, len)?;
        }
        let is_same = scale == 1.0 && axes.iter().all(|axis| axis.is_same(self));
        let [rows, len] = axes.map(|axis| axis.len(self.to, &tensor));
        let bytes = if is_same { tensor.bytes().len() } else { 4 * rows * len };
        Ok(Padded { tensor, axes, scale, is_same, bytes, offset })
    }

    /// What the rows of a tensor count, and the numbers in them.
    fn axes(&self, part: &str) -> [Axis; 2] {
        use Axis::{Embedding, FeedForward, Heads, Other};
        let (q, kv) = (Heads(self.heads), Heads(self.kv_heads));
        match part {
            "token_embd.weight" | "output.weight" => [Other, Embedding],
            "attn_q.weight" => [q, Embedding],
            "attn_k.weight" | "attn_v.weight" => [kv, Embedding],
            "attn_output.weight" => [Embedding, q],
            "ffn_gate.weight" | "ffn_up.weight" => [FeedForward, Embedding],
            "ffn_down.weight" => [Embedding, FeedForward],
            "attn_q.bias" => [Other, q],
            "attn_k.bias" | "attn_v.bias" => [Other, kv],
            "attn_q_norm.weight" | "attn_k_norm.weight" => [Other, Heads(1)],
            "ffn_gate.bias" | "ffn_up.bias" => [Other, FeedForward],
            "attn_norm.weight" | "ffn_norm.weight" | "output_norm.weight" | "attn_output.bias"
            | "ffn_down.bias" => [Other, Embedding],
            _ => [Other, Other],
        }
    }

    /// What makes up for longer lengths.
    fn scale(&self, part: &str) -> f32 {
        let ratio = |from: usize, to: usize| libm::sqrt(from as f64 / to as f64);
        let head = ratio(self.from.head, self.to.head);
        let scale = match part {
            "attn_norm.weight" | "ffn_norm.weight" | "output_norm.weight" => {
                ratio(self.from.embedding, self.to.embedding)
            }
            // Of the norm of queries this and that of scores cancel each other.
            "attn_k_norm.weight" => head,
            "attn_q.weight" | "attn_q.bias" if !self.has_head_norm => 1.0 / head,
            _ => 1.0,
        };
        scale as f32
    }

    /// Bytes of the padded model.
    pub fn bytes(&self) -> usize {
        let last = self.tensors.last();
        self.header.len() + last.map_or(0, |last| last.offset + last.bytes)
    }

    /// The image of the padded model's file.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`] without memory for it.
    pub fn image(&self) -> Result<Map, Error> {
        let mut image = Room::new("the padded model", self.bytes())?;
        image[..self.header.len()].copy_from_slice(&self.header);
        for padded in &self.tensors {
            let start = self.header.len() + padded.offset;
            self.write(padded, &mut image[start..start + padded.bytes])?;
        }
        Ok(Map::in_memory(image))
    }

    /// Writes a tensor to zeros.
    fn write(&self, padded: &Padded<'a>, out: &mut [u8]) -> Result<(), Error> {
        let tensor = &padded.tensor;
        if padded.is_same {
            out.copy_from_slice(tensor.bytes());
            return Ok(());
        }
        let [rows, len] = padded.axes.map(|axis| axis.len(self.from, tensor));
        let matrix: Matrix<'_> = tensor.matrix(rows, len)?;
        let (mut numbers, row_bytes) = (vec![0.0; len], 4 * padded.axes[1].len(self.to, tensor));
        for row in 0..rows {
            matrix.decode_row(row, &mut numbers);
            let start = padded.axes[0].place(row, self) * row_bytes;
            for (i, number) in numbers.iter().enumerate() {
                let at = start + 4 * padded.axes[1].place(i, self);
                LE::write_f32(&mut out[at..at + 4], number * padded.scale);
            }
        }
        Ok(())
    }

    /// All before the data: the file's keys, but for those of lengths, and the entries of tensors.
    fn header(&self) -> Result<Vec<u8>, Error> {
        let own = self.keys()?;
        let is_own =
            |name: &str| name == "general.alignment" || own.iter().any(|(other, ..)| other == name);
        let own_bytes: Vec<Vec<u8>> = own.iter().map(key_bytes).collect();
        let mut keys = header::kept_keys(self.gguf.first(), is_own);
        keys.extend(own_bytes.iter().map(Vec::as_slice));
        let mut header = header::begin(self.tensors.len(), &keys);
        self.tensors.iter().for_each(|padded| header.extend(padded.entry(self.to)));
        header.resize(header.len().next_multiple_of(ALIGNMENT), 0);
        Ok(header)
    }

    /// The keys of the padded lengths, with types and values.
    fn keys(&self) -> Result<Vec<(String, u32, [u8; 4])>, Error> {
        let Self { gguf, from, to, .. } = self;
        let rope = size_or(gguf, "rope.dimension_count", 2, from.head, from.head)?;
        let eps = f64::from(positive(gguf, "attention.layer_norm_rms_epsilon", None)?);
        let eps = eps * from.embedding as f64 / to.embedding as f64;
        let numbers = [
            ("embedding_length", to.embedding),
            ("feed_forward_length", to.feed_forward),
            ("attention.key_length", to.head),
            ("attention.value_length", to.head),
            ("rope.dimension_count", rope),
        ];
        let key = |name: &str| format!("{}.{name}", gguf.architecture());
        let numbers = numbers.map(|(name, number)| (key(name), U32, (number as u32).to_le_bytes()));
        let eps = (key("attention.layer_norm_rms_epsilon"), F32, (eps as f32).to_le_bytes());
        Ok(numbers.into_iter().chain([eps]).collect())
    }
}

impl Axis {
    /// How many there are; of what stays, as many as the tensor has.
    fn len(self, lengths: Lengths, tensor: &Tensor<'_>) -> usize {
        match self {
            Self::Other => tensor.dims().get(1).copied().unwrap_or(1),
            Self::Embedding => lengths.embedding,
            Self::FeedForward => lengths.feed_forward,
            Self::Heads(heads) => heads * lengths.head,
        }
    }

    fn is_same(self, padding: &Padding<'_>) -> bool {
        match self {
            Self::Other => true,
            Self::Embedding => padding.from.embedding == padding.to.embedding,
            Self::FeedForward => padding.from.feed_forward == padding.to.feed_forward,
            Self::Heads(_) => padding.from.head == padding.to.head,
        }
    }

    /// Where number `i` goes.
    fn place(self, i: usize, padding: &Padding<'_>) -> usize {
        match self {
            Self::Heads(_) => i / padding.from.head * padding.to.head + i % padding.from.head,
            _ => i,
        }
    }
}

impl Padded<'_> {
    /// The tensor's entry.
    fn entry(&self, to: Lengths) -> Vec<u8> {
        let mut entry = header::string(self.tensor.name());
        let dims = match (self.is_same, self.tensor.dims()) {
            (true, dims) => dims.to_vec(),
            (false, [_]) => vec![self.axes[1].len(to, &self.tensor)],
            (false, _) => self.axes.iter().rev().map(|axis| axis.len(to, &self.tensor)).collect(),
        };
        entry.extend((dims.len() as u32).to_le_bytes());
        dims.iter().for_each(|dim| entry.extend((*dim as u64).to_le_bytes()));
        let format = if self.is_same { self.tensor.format() } else { Format::F32 };
        entry.extend(format.id(Order::Rows).to_le_bytes());
        entry.extend((self.offset as u64).to_le_bytes());
        entry
    }
}

/// A key as it lies in a file.
fn key_bytes((name, ty, value): &(String, u32, [u8; 4])) -> Vec<u8> {
    [&header::string(name)[..], &ty.to_le_bytes(), value].concat()
}
