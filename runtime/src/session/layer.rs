//! The forward pass, top to bottom.

use super::pool::{Grid, Pieces, Pool};
use super::state::{Units, Worker, unit};
use super::{Column, Session};
use dram_quant::{EIGHT, Matrix, UNIT};
use dram_targets::{Columns, Kernels, groups};

impl Session<'_> {
    /// Tokens to vectors, positions to angles.
    pub(super) fn embed(&mut self, count: usize, column: impl Fn(usize) -> Column) {
        let (embedding, config, state) = (self.embedding(), &self.plan.config, &mut self.state);
        let (len, pairs) = (config.embedding_length, config.rope.pairs);
        let magnitude = config.rope.magnitude();
        for (i, x) in state.x.chunks_exact_mut(len).take(count).enumerate() {
            embedding.decode_row(column(i).token as usize, x);
        }
        let angles = state.cos.chunks_exact_mut(pairs).zip(state.sin.chunks_exact_mut(pairs));
        for ((cos, sin), position) in angles.zip(&*state.positions).take(count) {
            for ((cos, sin), frequency) in cos.iter_mut().zip(sin).zip(&*state.frequencies) {
                let angle = f64::from(*position) * frequency;
                *cos = (magnitude * libm::cos(angle)) as f32;
                *sin = (magnitude * libm::sin(angle)) as f32;
            }
        }
    }

    /// `x += o · attention(q, k, v)` and biases, with q, k and v from the norm of x.
    pub(super) fn attend(&mut self, i: usize, count: usize) {
        let (config, layer) = (&self.plan.config, self.layer(i));
        let qkv = [layer.q, layer.k, layer.v];
        self.normalize(layer.attn_norm, activations_per_scale(&qkv), count);
        self.multiply(&qkv, count);
        self.bias_norm_rope(i, count);
        self.store(i, count);
        self.attention(i, count);
        self.quantize(config.query_len(), activations_per_scale(&[layer.o]), count);
        self.multiply(&[layer.o], count);
        self.add_bias(layer.o_bias, 0, count);
        self.add(count);
    }

    /// `x += down · (silu(gate · y) * (up · y))` and biases, with y the norm of x.
    pub(super) fn feed_forward(&mut self, i: usize, count: usize) {
        let layer = self.layer(i);
        let gate_up = [layer.gate, layer.up];
        self.normalize(layer.ffn_norm, activations_per_scale(&gate_up), count);
        self.multiply(&gate_up, count);
        self.add_bias(layer.gate_bias, 0, count);
        self.add_bias(layer.up_bias, 1, count);
        self.activate(activations_per_scale(&[layer.down]), count);
        self.multiply(&[layer.down], count);
        self.add_bias(layer.down_bias, 0, count);
        self.add(count);
    }

    /// Logits of the columns that ask; returns how many do.
    pub(super) fn compute_logits(
        &mut self,
        columns: usize,
        column: impl Fn(usize) -> Column,
    ) -> usize {
        let (plan, len) = (self.plan, self.plan.config.embedding_length);
        let mut count = 0;
        for i in (0..columns).filter(|i| column(*i).wants_logits) {
            self.state.x.copy_within(i * len..(i + 1) * len, count * len);
            count += 1;
        }
        if count == 0 {
            return 0;
        }
        let lm_head = self.lm_head();
        self.normalize(plan.output_norm, activations_per_scale(&[lm_head]), count);
        let state = &mut self.state;
        let input = state.q8.columns(state.y, count, len);
        let logits = &mut state.logits[..count * plan.tokens()];
        multiply(&mut self.pool, &mut self.workers, self.kernels, &[lm_head], input, logits);
        if !plan.lm_head_bias.is_empty() {
            let logits = logits.chunks_exact_mut(plan.tokens());
            logits.for_each(|logits| self.kernels.add(plan.lm_head_bias, logits));
        }
        count
    }

    /// `y = rms_norm(x)`, and quantised with a scale for every `per_scale` numbers.
    fn normalize(&mut self, w: &[f32], per_scale: usize, count: usize) {
        let (kernels, config) = (self.kernels, &self.plan.config);
        let (state, len) = (&mut self.state, config.embedding_length);
        let x = &*state.x;
        let deal =
            (Pieces::new(&mut state.y[..count * len], len), units(&mut state.q8, count, len));
        self.pool.run(&mut self.workers, deal, |_, i, (y, q8)| {
            kernels.rms_norm(&x[i * len..][..len], w, config.rms_norm_eps, y);
            kernels.quantize(y, per_scale, unit(q8));
        });
    }

    /// Quantises columns of `y` with a scale for every `per_scale` numbers.
    fn quantize(&mut self, len: usize, per_scale: usize, count: usize) {
        let (kernels, state) = (self.kernels, &mut self.state);
        let y = &*state.y;
        self.pool.run(&mut self.workers, units(&mut state.q8, count, len), |_, i, q8| {
            kernels.quantize(&y[i * len..][..len], per_scale, unit(q8));
        });
    }

    /// `out = w · y` for each matrix, in sections.
    fn multiply(&mut self, w: &[Matrix<'_>], count: usize) {
        let state = &mut self.state;
        let input = state.q8.columns(state.y, count, w[0].len());
        let rows: usize = w.iter().map(Matrix::rows).sum();
        let out = &mut state.out[..count * rows];
        multiply(&mut self.pool, &mut self.workers, self.kernels, w, input, out);
    }

    /// Adds a bias, if there is one, to section `i` of a product whose sections are as long.
    fn add_bias(&mut self, bias: &[f32], i: usize, count: usize) {
        let (kernels, len) = (self.kernels, bias.len());
        if len > 0 {
            let out = &mut self.state.out[i * count * len..][..count * len];
            let deal = Pieces::new(out, len);
            self.pool.run(&mut self.workers, deal, |_, _, y| kernels.add(bias, y));
        }
    }

    /// `x += out`.
    fn add(&mut self, count: usize) {
        let (kernels, len) = (self.kernels, self.plan.config.embedding_length);
        let (state, range) = (&mut self.state, ..count * self.plan.config.embedding_length);
        let out = &state.out[range];
        self.pool.run(&mut self.workers, Pieces::new(&mut state.x[range], len), |_, i, x| {
            kernels.add(&out[i * len..][..len], x);
        });
    }

    /// `y = silu(gate) * up`, and quantised with a scale for every `per_scale` numbers.
    fn activate(&mut self, per_scale: usize, count: usize) {
        let (kernels, len) = (self.kernels, self.plan.config.feed_forward_length);
        let state = &mut self.state;
        let (gate, up) = state.out[..2 * count * len].split_at(count * len);
        let deal =
            (Pieces::new(&mut state.y[..count * len], len), units(&mut state.q8, count, len));
        self.pool.run(&mut self.workers, deal, |_, i, (y, q8)| {
            kernels.swiglu(&gate[i * len..][..len], &up[i * len..][..len], y);
            kernels.quantize(y, per_scale, unit(q8));
        });
    }

    /// Adds biases, then normalises and rotates the heads of queries and keys.
    fn bias_norm_rope(&mut self, i: usize, count: usize) {
        let (kernels, config, layer) = (self.kernels, &self.plan.config, self.layer(i));
        let (query_len, kv_len, head_len) = (config.query_len(), config.kv_len(), config.head_len);
        let (pairs, adjacent) = (config.rope.pairs, config.architecture.rope.are_adjacent());
        let state = &mut self.state;
        let (cos, sin) = (&*state.cos, &*state.sin);
        let (q, kv) = state.out[..count * (query_len + 2 * kv_len)].split_at_mut(count * query_len);
        let (k, v) = kv.split_at_mut(count * kv_len);
        let keys = (Pieces::new(k, kv_len), Pieces::new(v, kv_len));
        let deal = (Pieces::new(q, query_len), keys);
        self.pool.run(&mut self.workers, deal, |worker, i, (q, (k, v))| {
            let (cos, sin) = (&cos[i * pairs..][..pairs], &sin[i * pairs..][..pairs]);
            let (before, _) = worker.attention(1);
            kernels.add(layer.v_bias, v);
            for (x, bias, norm) in
                [(q, layer.q_bias, layer.q_norm), (k, layer.k_bias, layer.k_norm)]
            {
                kernels.add(bias, x);
                for head in x.chunks_exact_mut(head_len) {
                    if !norm.is_empty() {
                        before.copy_from_slice(head);
                        kernels.rms_norm(before, norm, config.rms_norm_eps, head);
                    }
                    kernels.rope(cos, sin, adjacent, head);
                }
            }
        });
    }
}

/// How many activations share a scale in a product with these matrices: as many as there are weights
/// in their longest block.
fn activations_per_scale(w: &[Matrix<'_>]) -> usize {
    w.iter().map(|w| w.format().weights()).max().unwrap_or(UNIT).max(UNIT)
}

/// Deals columns of quantised numbers.
fn units<'s>(
    q8: &'s mut Units<'_>,
    count: usize,
    len: usize,
) -> (Pieces<'s, i8>, Pieces<'s, f32>, Pieces<'s, f32>, Pieces<'s, [i16; 2]>) {
    let units = len / 32;
    (
        Pieces::new(&mut q8.q[..count * len], len),
        Pieces::new(&mut q8.d[..count * units], units),
        Pieces::new(&mut q8.ds[..count * units], units),
        Pieces::new(&mut q8.sums[..count * units], units),
    )
}

/// `out = w · x` for up to three matrices, each a section `(columns, rows)` of `out`.
fn multiply(
    pool: &mut Pool,
    workers: &mut [Worker<'_>],
    kernels: &Kernels,
    w: &[Matrix<'_>],
    x: Columns<'_>,
    out: &mut [f32],
) {
    let count = x.q8.count();
    let mut sections = [0; 3];
    sections.iter_mut().zip(w).for_each(|(section, w)| *section = w.rows());
    // Fewer at a time where that leaves threads without work.
    let (groups, most) = (sections.iter().sum::<usize>() / EIGHT, groups(count));
    let groups = (groups / (most * pool.threads())).clamp(1, most);
    let grid = Grid::new(out, count, sections, groups * EIGHT);
    pool.run(workers, grid, |worker, _, mut rows| {
        while let Some((section, row)) = rows.next() {
            let (w, first) = (&w[section], row / EIGHT);
            let groups = rows.left().min(w.rows() - row).div_ceil(EIGHT);
            rows.put(kernels.multiply(w, first..first + groups, x, worker.product));
        }
    });
}
