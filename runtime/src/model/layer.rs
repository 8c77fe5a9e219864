//! The tensors of a transformer block: the one list of them.
//!
//! [`LayerOf`] names each once as a field. Its functions take the struct apart field by field, so
//! that a tensor which one of them forgets does not compile. Whoever needs all tensors of a layer
//! (the plan, tiles, predictions, files of random weights) goes through these.

use super::arch::Presence;
use super::config::Config;
use core::convert::Infallible;
use dram_quant::Matrix;

/// A matrix `M` or a vector `V` for each tensor of a layer, in the order in which a pass reads them.
#[derive(Clone, Copy, Debug)]
pub struct LayerOf<M, V> {
    /// `(embedding_length)`
    pub attn_norm: V,
    /// `(query_len, embedding_length)`
    pub q: M,
    /// `(kv_len, embedding_length)`
    pub k: M,
    /// `(kv_len, embedding_length)`
    pub v: M,
    /// `(query_len)`
    pub q_bias: V,
    /// `(kv_len)`
    pub k_bias: V,
    /// `(kv_len)`
    pub v_bias: V,
    /// `(head_len)`: of each head, before rope.
    pub q_norm: V,
    /// `(head_len)`: of each head, before rope.
    pub k_norm: V,
    /// `(embedding_length, query_len)`
    pub o: M,
    /// `(embedding_length)`
    pub o_bias: V,
    /// `(embedding_length)`
    pub ffn_norm: V,
    /// `(feed_forward_length, embedding_length)`
    pub gate: M,
    /// `(feed_forward_length, embedding_length)`
    pub up: M,
    /// `(feed_forward_length)`
    pub gate_bias: V,
    /// `(feed_forward_length)`
    pub up_bias: V,
    /// `(embedding_length, feed_forward_length)`
    pub down: M,
    /// `(embedding_length)`
    pub down_bias: V,
}

/// The weights of a layer, where they lie. Vectors that the model does not have are empty.
pub type Layer<'a> = LayerOf<Matrix<'a>, &'a [f32]>;

/// A matrix that a layer has.
#[derive(Clone, Copy, Debug)]
pub struct MatrixShape {
    /// Its name in a file, behind that of the layer.
    pub name: &'static str,
    /// How many rows it has.
    pub rows: usize,
    /// How long they are.
    pub len: usize,
}

/// A vector that a layer may have.
#[derive(Clone, Copy, Debug)]
pub struct VectorShape {
    /// Its name in a file, behind that of the layer.
    pub name: &'static str,
    /// How long it is.
    pub len: usize,
    /// Whether the architecture has it.
    pub presence: Presence,
}

impl LayerOf<MatrixShape, VectorShape> {
    /// What the layers of a model are made of. In a file, `blk.` and the layer's number come before
    /// each name.
    ///
    /// Source: `MODEL_TENSOR` of gguf-py's `constants.py`.
    pub const fn of(config: &Config) -> Self {
        let (embedding, ffn) = (config.embedding_length, config.feed_forward_length);
        let (query, kv, head) = (config.query_len(), config.kv_len(), config.head_len);
        let (qkv_bias, head_norm) = (config.architecture.qkv_bias, config.architecture.qk_norm);
        let bias = Presence::Optional;
        Self {
            attn_norm: vector("attn_norm.weight", embedding, Presence::Required),
            q: matrix("attn_q.weight", query, embedding),
            k: matrix("attn_k.weight", kv, embedding),
            v: matrix("attn_v.weight", kv, embedding),
            q_bias: vector("attn_q.bias", query, qkv_bias),
            k_bias: vector("attn_k.bias", kv, qkv_bias),
            v_bias: vector("attn_v.bias", kv, qkv_bias),
            q_norm: vector("attn_q_norm.weight", head, head_norm),
            k_norm: vector("attn_k_norm.weight", head, head_norm),
            o: matrix("attn_output.weight", embedding, query),
            o_bias: vector("attn_output.bias", embedding, bias),
            ffn_norm: vector("ffn_norm.weight", embedding, Presence::Required),
            gate: matrix("ffn_gate.weight", ffn, embedding),
            up: matrix("ffn_up.weight", ffn, embedding),
            gate_bias: vector("ffn_gate.bias", ffn, bias),
            up_bias: vector("ffn_up.bias", ffn, bias),
            down: matrix("ffn_down.weight", embedding, ffn),
            down_bias: vector("ffn_down.bias", embedding, bias),
        }
    }
}

const fn matrix(name: &'static str, rows: usize, len: usize) -> MatrixShape {
    MatrixShape { name, rows, len }
}

const fn vector(name: &'static str, len: usize, presence: Presence) -> VectorShape {
    VectorShape { name, len, presence }
}

impl<M, V> LayerOf<M, V> {
    /// Makes another thing of each tensor.
    ///
    /// # Errors
    ///
    /// The first that `matrix` or `vector` returns.
    pub fn try_map<M2, V2, E>(
        self,
        mut matrix: impl FnMut(M) -> Result<M2, E>,
        mut vector: impl FnMut(V) -> Result<V2, E>,
    ) -> Result<LayerOf<M2, V2>, E> {
        Ok(LayerOf {
            attn_norm: vector(self.attn_norm)?,
            q: matrix(self.q)?,
            k: matrix(self.k)?,
            v: matrix(self.v)?,
            q_bias: vector(self.q_bias)?,
            k_bias: vector(self.k_bias)?,
            v_bias: vector(self.v_bias)?,
            q_norm: vector(self.q_norm)?,
            k_norm: vector(self.k_norm)?,
            o: matrix(self.o)?,
            o_bias: vector(self.o_bias)?,
            ffn_norm: vector(self.ffn_norm)?,
            gate: matrix(self.gate)?,
            up: matrix(self.up)?,
            gate_bias: vector(self.gate_bias)?,
            up_bias: vector(self.up_bias)?,
            down: matrix(self.down)?,
            down_bias: vector(self.down_bias)?,
        })
    }

    /// Makes another thing of each tensor.
    pub fn map<M2, V2>(
        self,
        mut matrix: impl FnMut(M) -> M2,
        mut vector: impl FnMut(V) -> V2,
    ) -> LayerOf<M2, V2> {
        let Ok(layer) = self.try_map(|w| Ok::<_, Infallible>(matrix(w)), |x| Ok(vector(x)));
        layer
    }

    /// The matrices alone.
    pub fn matrices(self) -> impl Iterator<Item = M> {
        self.map(Some, |_| None).into_array().into_iter().flatten()
    }
}

impl<T> LayerOf<T, T> {
    /// All in order.
    pub fn into_array(self) -> [T; 18] {
        #[rustfmt::skip]
        let Self {
            attn_norm, q, k, v, q_bias, k_bias, v_bias, q_norm, k_norm, o, o_bias,
            ffn_norm, gate, up, gate_bias, up_bias, down, down_bias,
        } = self;
        #[rustfmt::skip]
        let all = [
            attn_norm, q, k, v, q_bias, k_bias, v_bias, q_norm, k_norm, o, o_bias,
            ffn_norm, gate, up, gate_bias, up_bias, down, down_bias,
        ];
        all
    }
}
