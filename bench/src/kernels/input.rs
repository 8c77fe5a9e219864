//! Inputs of products: matrices of every format, columns and scratch.

use crate::random::Random;
use bytemuck::{Pod, Zeroable};
use dram_quant::{EIGHT, Format, Order, Q8, Q8Mut, tile};
use dram_targets::{Columns, Kernels, scratch_bytes};

/// Rows of random weights of ordinary size, in an order; rows are whole groups of eight.
pub(crate) fn weights(format: Format, order: Order, rows: usize, len: usize) -> Vec<u8> {
    let mut random = Random::new(format.name(), 0);
    let row_bytes = format.row_bytes(len).expect("rows are whole blocks of every format");
    let mut bytes = vec![0; rows * row_bytes];
    if format.is_float() {
        let weights: Vec<f32> = (0..rows * len).map(|_| random.symmetric()).collect();
        format.encode(&weights, &mut bytes);
        return bytes;
    }
    random.fill(&mut bytes);
    bytes.chunks_exact_mut(format.bytes()).for_each(|block| put_scales(format, block));
    if order == Order::Rows {
        return bytes;
    }
    let mut tiles = vec![0; bytes.len()];
    let eights = bytes.chunks_exact(row_bytes * EIGHT);
    eights.zip(tiles.chunks_exact_mut(row_bytes * EIGHT)).for_each(|(rows, tiles)| {
        tile(format, rows, tiles);
    });
    tiles
}

/// Makes the half floats of a block 2^−7, and the exponent of MXFP4 the same.
fn put_scales(format: Format, block: &mut [u8]) {
    if format == Format::MXFP4 {
        block[0] = 127 - 7;
    }
    let mut start = 0;
    for field in format.fields() {
        if field.unit == 2 {
            block[start..start + 2].copy_from_slice(&0x2000_u16.to_le_bytes());
        }
        start += field.unit * field.count;
    }
}

/// Columns of activations, owned.
pub(crate) struct Input {
    len: usize,
    x: Vec<f32>,
    q: Vec<i8>,
    d: Vec<f32>,
    ds: Vec<f32>,
    sums: Vec<[i16; 2]>,
}

impl Input {
    /// Random numbers, quantised by a table.
    pub(crate) fn new(len: usize, columns: usize, table: &Kernels) -> Self {
        let mut random = Random::new("activations", 0);
        let (count, units) = (len * columns, len * columns / 32);
        let x: Vec<f32> = (0..count).map(|_| random.symmetric()).collect();
        let (mut q, mut d, mut ds) = (vec![0; count], vec![0.0; units], vec![0.0; units]);
        let mut sums = vec![[0; 2]; units];
        table.quantize(&x, 32, Q8Mut { q: &mut q, d: &mut d, ds: &mut ds, sums: &mut sums });
        Self { len, x, q, d, ds, sums }
    }

    /// The first `count` columns.
    pub(crate) fn columns(&self, count: usize) -> Columns<'_> {
        let all = Q8 { len: self.len, q: &self.q, d: &self.d, ds: &self.ds, sums: &self.sums };
        Columns { x: &self.x[..self.len * count], q8: all.columns(0, count) }
    }
}

/// A cache line: where the scratch memory of a session begins too.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Scratch memory of a product, owned.
pub(crate) struct Scratch(Vec<Line>);

impl Scratch {
    /// For rows of `len` weights and up to `columns` columns.
    pub(crate) fn new(len: usize, columns: usize) -> Self {
        Self(vec![Line([0; 64]); scratch_bytes(len, columns).div_ceil(64)])
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
}
