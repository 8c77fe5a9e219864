//! Micro-benchmarks of what a step is made of. Each first checks its answer: a kernel against
//! `scalar`, to the bit, and a choice of tokens against what must hold of it.
#![allow(missing_docs, reason = "Criterion's macros write functions")]
#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dram_quant::{EIGHT, Format, Matrix, Order, Q8, Q8Mut, UNIT, tile};
use dram_runtime::{Constraints, Sampler, Sampling, Scratch};
use dram_targets::{Columns, Kernels, PAGE, scratch_bytes};
use std::hint::black_box;

/// The width, the head and the tokens of the 1.5B distill.
const LEN: usize = 1536;
const HEAD: usize = 128;
const TOKENS: usize = 151_936;

/// Query heads that share one KV head there.
const GROUP: usize = 6;

/// The same numbers in −1..1 every time (xorshift64).
fn numbers(count: usize) -> Vec<f32> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// Runs `operation` with every table, after asserting that it gives the bits of `scalar`.
fn every_table(
    criterion: &mut Criterion,
    name: &str,
    bytes: usize,
    mut operation: impl FnMut(&Kernels) -> Vec<f32>,
) {
    let expected = operation(dram_targets::named("scalar").unwrap());
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Bytes(bytes as u64));
    for table in dram_targets::all() {
        assert_eq!(bits(&operation(table)), bits(&expected), "{table:?} {name}");
        group.bench_function(BenchmarkId::from_parameter(table.name()), |bencher| {
            bencher.iter(|| black_box(operation(table)));
        });
    }
    group.finish();
}

/// Eight rows of Q4_0 in tiles with one column and with eight.
fn products(criterion: &mut Criterion) {
    let format = Format::Q4_0;
    let mut rows = vec![0; EIGHT * format.row_bytes(LEN).unwrap()];
    format.encode(&numbers(EIGHT * LEN), &mut rows);
    let mut tiles = vec![0; rows.len()];
    tile(format, &rows, &mut tiles);
    let w = Matrix::new(&tiles, format, Order::Tiles, EIGHT, LEN).unwrap();
    let (x, units) = (numbers(8 * LEN), 8 * LEN / UNIT);
    let (mut q, mut d, mut ds) = (vec![0; x.len()], vec![0.0; units], vec![0.0; units]);
    let mut sums = vec![[0; 2]; units];
    let y = Q8Mut { q: &mut q, d: &mut d, ds: &mut ds, sums: &mut sums };
    dram_targets::best().quantize(&x, UNIT, y);
    let all = Q8 { len: LEN, q: &q, d: &d, ds: &ds, sums: &sums };
    let mut scratch = vec![0; scratch_bytes(LEN, 8)];
    for columns in [1, 8] {
        let x = Columns { x: &x[..columns * LEN], q8: all.columns(0, columns) };
        let name = format!("Q4_0 tiles x {columns}");
        every_table(criterion, &name, tiles.len(), |table| {
            let y = table.multiply(&w, 0..1, x, &mut scratch);
            y.concat()
        });
    }
}

/// Norm, quantisation and activation of one column.
fn floats(criterion: &mut Criterion) {
    let (x, w, units) = (numbers(LEN), numbers(LEN), LEN / UNIT);
    every_table(criterion, "rms_norm", 4 * LEN, |table| {
        let mut y = vec![0.0; LEN];
        table.rms_norm(&x, &w, 1e-6, &mut y);
        y
    });
    every_table(criterion, "swiglu", 8 * LEN, |table| {
        let mut y = vec![0.0; LEN];
        table.swiglu(&x, &w, &mut y);
        y
    });
    every_table(criterion, "quantize", 4 * LEN, |table| {
        let (mut q, mut d, mut ds) = (vec![0; LEN], vec![0.0; units], vec![0.0; units]);
        let mut sums = vec![[0; 2]; units];
        let y = Q8Mut { q: &mut q, d: &mut d, ds: &mut ds, sums: &mut sums };
        table.quantize(&x, UNIT, y);
        d
    });
}

/// One page of keys and one of values, for the queries of one KV head.
fn attention(criterion: &mut Criterion) {
    let (q, page) = (numbers(GROUP * HEAD), numbers(PAGE * HEAD));
    let halves: Vec<u16> = page.iter().map(|x| dram_quant::f32_to_f16(*x)).collect();
    every_table(criterion, "scores", 2 * PAGE * HEAD, |table| {
        let mut s = vec![0.0; GROUP * PAGE];
        table.scores_f16(&q, &halves, 0.125, PAGE, &mut s);
        s
    });
    let p = numbers(GROUP * PAGE);
    every_table(criterion, "mix", 2 * PAGE * HEAD, |table| {
        let mut y = vec![0.0; GROUP * HEAD];
        table.weighted_sum_f16(&p, PAGE, &halves, PAGE, &mut y);
        y
    });
}

/// Logits of which few are likely, as a model's are.
fn logits() -> Vec<f32> {
    numbers(TOKENS).into_iter().map(|x| 20.0 * x * x * x).collect()
}

/// Choosing a token as R1's authors advise, and the likeliest.
fn choices(criterion: &mut Criterion) {
    let (kernels, logits) = (dram_targets::best(), logits());
    let likeliest = (0..TOKENS).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
    for (name, sampling) in [("choose as R1", Sampling::R1), ("choose greedily", Sampling::GREEDY)]
    {
        let mut memory = vec![0; Scratch::bytes(TOKENS)];
        let mut scratch = Scratch::new(TOKENS, &mut memory).unwrap();
        let (mut sampler, free) = (Sampler::new(sampling), Constraints::default());
        let token = sampler.choose(&mut scratch, kernels, &logits, &free).unwrap() as usize;
        assert!(token == likeliest || sampling.temperature > 0.0 && token < TOKENS, "{name}");
        criterion.bench_function(name, |bencher| {
            bencher
                .iter(|| sampler.choose(&mut scratch, kernels, black_box(&logits), &free).unwrap());
        });
    }
}

criterion_group!(operations, products, floats, attention, choices);
criterion_main!(operations);
