//! Float operations.

use crate::noise::Noise;
use crate::{assert_same, tables};
use dram_quant::Q8Mut;
use dram_targets::{Kernels, PAGE};

const LENS: [usize; 12] = [1, 2, 7, 8, 9, 15, 31, 32, 33, 100, 576, 1536];

/// Ordinary numbers, extreme ones, and extreme ones with a NaN and infinities.
fn inputs(count: usize, seed: u64) -> [Vec<f32>; 4] {
    let mut noise = Noise::new(seed + count as u64);
    let mut infinite = noise.extreme_floats(count);
    infinite[count / 2] = f32::INFINITY;
    infinite[count / 3] = f32::NEG_INFINITY;
    let mut nan = noise.extreme_floats(count);
    nan[count * 2 / 3] = -f32::NAN;
    [noise.floats(count), noise.extreme_floats(count), infinite, nan]
}

/// Asserts that `run`, given a table and the input, gives the bits of `scalar` with every table.
#[track_caller]
fn agree<T>(what: &str, input: &T, run: impl Fn(&Kernels, &T) -> Vec<f32>) {
    let (scalar, others) = tables();
    let expected = run(scalar, input);
    for table in others {
        assert_same(&run(table, input), &expected, || format!("{table:?} {what}"));
    }
}

#[test]
fn add_rescale_add_and_swiglu() {
    for len in LENS {
        for (x, y) in inputs(len, 1).into_iter().zip(inputs(len, 2)) {
            let input = (x, y);
            agree(&format!("add {len}"), &input, |table, (x, y)| {
                let mut y = y.clone();
                table.add(x, &mut y);
                y
            });
            agree(&format!("rescale_add {len}"), &input, |table, (x, y)| {
                let mut y = y.clone();
                table.rescale_add(x, 0.3, 1.7, &mut y);
                y
            });
            agree(&format!("swiglu {len}"), &input, |table, (x, y)| {
                let mut z = vec![0.0; len];
                table.swiglu(y, x, &mut z);
                z
            });
        }
    }
}

#[test]
fn rms_norm() {
    for len in LENS {
        for x in inputs(len, 3) {
            let w = Noise::new(4).floats(len);
            agree(&format!("rms_norm {len}"), &x, |table, x| {
                let mut y = vec![0.0; len];
                table.rms_norm(x, &w, 1e-6, &mut y);
                y
            });
        }
    }
}

#[test]
fn softmax_weights() {
    for len in LENS {
        for s in inputs(len, 5) {
            agree(&format!("softmax_weights {len}"), &s, |table, s| {
                let mut s = s.clone();
                let (max, sum) = table.softmax_weights(&mut s);
                s.extend([max, sum]);
                s
            });
        }
    }
}

#[test]
fn rope() {
    for (head, pairs) in [(8, 4), (64, 32), (128, 64), (128, 48), (80, 40), (2, 1), (6, 3)] {
        for x in inputs(head, 6) {
            let [cos, sin] = [7, 8].map(|seed| Noise::new(seed).floats(pairs));
            for adjacent in [false, true] {
                agree(&format!("rope {head} {pairs} {adjacent}"), &x, |table, x| {
                    let mut x = x.clone();
                    table.rope(&cos, &sin, adjacent, &mut x);
                    x
                });
            }
        }
    }
}

#[test]
fn quantize() {
    for units in [1, 2, 3, 18, 48] {
        let mut tiny = Noise::new(9).floats(units * 32);
        tiny.iter_mut().for_each(|x| *x *= 1e-31);
        for x in inputs(units * 32, 10).into_iter().chain([tiny, vec![0.0; units * 32]]) {
            for block in [32, 256] {
                agree(&format!("quantize {units} {block}"), &x, |table, x| {
                    quantized(table, x, block)
                });
            }
        }
    }
}

/// Everything that `quantize` writes, as floats.
fn quantized(table: &Kernels, x: &[f32], block: usize) -> Vec<f32> {
    let units = x.len() / 32;
    let (mut q, mut d, mut ds) = (vec![1; x.len()], vec![1.0; units], vec![1.0; units]);
    let mut sums = vec![[1; 2]; units];
    table.quantize(x, block, Q8Mut { q: &mut q, d: &mut d, ds: &mut ds, sums: &mut sums });
    let q = q.iter().map(|q| f32::from(*q));
    let sums = sums.iter().flatten().map(|sum| f32::from(*sum));
    q.chain(sums).chain(d).chain(ds).collect()
}

#[test]
fn quantize_gives_the_nearest_integers() {
    for table in dram_targets::all() {
        let mut x = [0.0; 32];
        x[..8].copy_from_slice(&[127.0, 0.5, 1.5, -0.5, -2.5, 63.4, -126.6, 0.49]);
        let (mut q, mut d, mut ds, mut sums) = ([0; 32], [0.0], [0.0], [[0; 2]]);
        table.quantize(&x, 32, Q8Mut { q: &mut q, d: &mut d, ds: &mut ds, sums: &mut sums });
        assert_eq!(q[..9], [127, 0, 2, 0, -2, 63, -127, 0, 0]);
        assert_eq!((d, ds, sums), ([1.0], [63.0], [[63, 0]]));
    }
}

#[test]
fn a_block_is_quantised_with_one_scale() {
    for table in dram_targets::all() {
        let mut x = Noise::new(16).floats(3 * 32);
        x[40] = -254.0;
        let (mut q, mut d, mut ds, mut sums) = (vec![0; 96], [0.0; 3], [0.0; 3], [[0; 2]; 3]);
        table.quantize(&x, 64, Q8Mut { q: &mut q, d: &mut d, ds: &mut ds, sums: &mut sums });
        assert_eq!((d[0], d[1], q[40]), (2.0, 2.0, -127));
        assert!(d[2] < 1.0 && q[64..].contains(&127) | q[64..].contains(&-127));
        assert_eq!(ds[0], 2.0 * q[..32].iter().map(|q| f32::from(*q)).sum::<f32>());
    }
}

/// Half floats of ordinary size, or any bits.
fn halves(count: usize, any: bool) -> Vec<u16> {
    let mut noise = Noise::new(count as u64);
    let mask = if any { 0xffff } else { 0xbfff };
    (0..count).map(|_| noise.next() as u16 & mask).collect()
}

const HEADS: [usize; 3] = [32, 64, 128];

#[test]
fn scores() {
    for head in HEADS {
        for queries in 1..=14 {
            for (case, q) in inputs(queries * head, 11).into_iter().enumerate() {
                let (k, d) = (halves(head * PAGE, case == 2), halves(head, case == 2));
                let bytes = Noise::new(12).bytes(head * PAGE);
                let k8: Vec<i8> = bytes.into_iter().map(u8::cast_signed).collect();
                let stride = PAGE * (1 + queries % 3);
                agree(&format!("scores_f16 {head} {queries} {case}"), &q, |table, q| {
                    let mut s = vec![7.0; queries * stride];
                    table.scores_f16(q, &k, 0.125, stride, &mut s);
                    s
                });
                agree(&format!("scores_q8 {head} {queries} {case}"), &q, |table, q| {
                    let mut s = vec![7.0; queries * stride];
                    table.scores_q8(q, &k8, &d, 0.125, stride, &mut s);
                    s
                });
            }
        }
    }
}

#[test]
fn weighted_sums() {
    for head in HEADS {
        for queries in 1..=14 {
            let stride = PAGE * (1 + queries % 3);
            for (case, p) in inputs(queries * stride, 13).into_iter().enumerate() {
                let (v, d) = (halves(head * PAGE, case == 2), halves(head, case == 2));
                let bytes = Noise::new(14).bytes(head * PAGE);
                let v8: Vec<i8> = bytes.into_iter().map(u8::cast_signed).collect();
                for positions in [1, 2, 31, 32] {
                    agree(
                        &format!("weighted_sum_f16 {head} {queries} {positions}"),
                        &p,
                        |table, p| {
                            let mut y = Noise::new(15).floats(queries * head);
                            table.weighted_sum_f16(p, stride, &v, positions, &mut y);
                            y
                        },
                    );
                    agree(
                        &format!("weighted_sum_q8 {head} {queries} {positions}"),
                        &p,
                        |table, p| {
                            let mut y = Noise::new(15).floats(queries * head);
                            table.weighted_sum_q8(p, stride, &v8, &d, positions, &mut y);
                            y
                        },
                    );
                }
            }
        }
    }
}

/// Whether a call of a kernel panics, with every table.
#[track_caller]
fn refused(call: impl Fn(&Kernels) + std::panic::RefUnwindSafe) {
    for table in dram_targets::all() {
        let call = std::panic::AssertUnwindSafe(|| call(table));
        assert!(std::panic::catch_unwind(call).is_err(), "{table:?}");
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused() {
    refused(|table| table.add(&[1.0; 7], &mut [1.0; 8]));
    refused(|table| table.rms_norm(&[1.0; 8], &[1.0; 7], 0.0, &mut [1.0; 8]));
    refused(|table| table.swiglu(&[1.0; 8], &[1.0; 8], &mut [1.0; 9]));
    refused(|table| table.rescale_add(&[1.0; 9], 1.0, 1.0, &mut [1.0; 8]));
    refused(|table| table.rope(&[1.0; 5], &[1.0; 5], false, &mut [1.0; 8]));
    refused(|table| table.scores_f16(&[1.0; 9], &[0; 8 * PAGE], 1.0, PAGE, &mut [0.0; PAGE]));
    refused(|table| table.scores_f16(&[1.0; 16], &[0; 8 * PAGE], 1.0, PAGE, &mut [0.0; PAGE]));
    refused(|table| table.weighted_sum_f16(&[1.0; 32], 32, &[0; 8 * PAGE], 33, &mut [0.0; 8]));
    refused(|table| {
        let (d, p) = (&[0; 31], &[1.0; 32]);
        table.weighted_sum_q8(p, 32, &[0; 32 * PAGE], d, 32, &mut [0.0; 32]);
    });
}

#[test]
fn float_rows_of_what_are_none_are_refused() {
    use dram_quant::Format;
    refused(|table| table.float_rows(&[0; 18], Format::Q4_0, &[1.0; 32], &mut [[0.0; 8]]));
    refused(|table| table.float_rows(&[0; 64], Format::F32, &[1.0; 16], &mut []));
    refused(|table| table.float_rows(&[0; 64], Format::F32, &[1.0; 7], &mut [[0.0; 8]]));
    refused(|table| table.float_rows(&[0; 9 * 64], Format::F32, &[1.0; 16], &mut [[0.0; 8]]));
}
