//! A weight matrix where it lies.

use crate::Format;
use crate::format::MAX_BYTES;

/// Rows that lie together in a tile and that kernels multiply in one pass.
pub const EIGHT: usize = 8;

/// How the rows of a matrix lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Row after row, as GGUF has them.
    Rows,
    /// The bytes of eight rows interleaved, block by block, as [`crate::tile`] writes them.
    /// A remainder of fewer than eight rows lies at the end as [`Order::Rows`].
    Tiles,
}

/// A borrowed weight matrix: `rows` rows of `len` weights.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    bytes: &'a [u8],
    format: Format,
    order: Order,
    rows: usize,
    len: usize,
}

impl<'a> Matrix<'a> {
    /// Views `bytes` as a matrix; `None` unless they are exactly `rows` rows of `len` weights.
    pub fn new(
        bytes: &'a [u8],
        format: Format,
        order: Order,
        rows: usize,
        len: usize,
    ) -> Option<Self> {
        let expected = format.row_bytes(len)?.checked_mul(rows)?;
        (bytes.len() == expected && expected > 0).then_some(Self {
            bytes,
            format,
            order,
            rows,
            len,
        })
    }

    /// The format of every row.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// How rows lie.
    pub const fn order(&self) -> Order {
        self.order
    }

    /// Rows: outputs of the product.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Weights in a row: inputs of the product.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Never true: a matrix has at least one weight.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// All bytes, in the order they lie.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Groups of eight rows, counting a last ragged one.
    pub const fn groups(&self) -> usize {
        self.rows.div_ceil(EIGHT)
    }

    /// The bytes of group `i`, how many rows it has (8, or fewer in the last), and their order.
    ///
    /// # Panics
    ///
    /// If `i` is not below [`Self::groups`].
    pub fn group(&self, i: usize) -> (&'a [u8], usize, Order) {
        assert!(i < self.groups(), "no group {i} of {}", self.groups());
        let row_bytes = self.bytes.len() / self.rows;
        let rows = EIGHT.min(self.rows - i * EIGHT);
        let bytes = &self.bytes[i * EIGHT * row_bytes..][..rows * row_bytes];
        (bytes, rows, if rows == EIGHT { self.order } else { Order::Rows })
    }

    /// Decodes row `i` to `out`, wherever its bytes lie.
    ///
    /// # Panics
    ///
    /// If there is no row `i` or `out` is not [`Self::len`] long.
    pub fn decode_row(&self, i: usize, out: &mut [f32]) {
        assert_eq!(out.len(), self.len, "a row has {} weights", self.len);
        let (bytes, rows, order) = self.group(i / EIGHT);
        let row_bytes = bytes.len() / rows;
        match order {
            Order::Rows => self.format.decode(&bytes[i % EIGHT * row_bytes..][..row_bytes], out),
            Order::Tiles => {
                let block = self.format.bytes();
                let mut scratch = [0; MAX_BYTES];
                let tiles = bytes.chunks_exact(block * EIGHT);
                for (tile, out) in tiles.zip(out.chunks_exact_mut(self.format.weights())) {
                    crate::tile::untile_row(self.format, tile, i % EIGHT, &mut scratch[..block]);
                    self.format.decode(&scratch[..block], out);
                }
            }
        }
    }
}
