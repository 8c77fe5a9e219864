//! The one table of weight formats.

use crate::Field;
use crate::unpacked::{UNIT, Unpacked};
use crate::{EIGHT, float};
use crate::{iq4_nl, iq4_xs, mxfp4, q2_k, q3_k, q4_0, q4_1, q4_k, q5_0, q5_1, q5_k, q6_k, q8_0};

/// A weight format of GGUF, spelled as GGUF spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(non_camel_case_types, missing_docs, reason = "names are the file format's own")]
#[repr(u8)]
pub enum Format {
    F32,
    F16,
    BF16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q2_K,
    Q3_K,
    Q4_K,
    Q5_K,
    Q6_K,
    IQ4_NL,
    IQ4_XS,
    MXFP4,
}

/// What the crate knows of one format: one row of the table.
pub(crate) struct Row {
    /// The type id in a GGUF file.
    pub id: u32,
    pub name: &'static str,
    /// Weights in a block.
    pub weights: usize,
    /// Bytes in a block.
    pub bytes: usize,
    /// The block's parts in order: how eight blocks interleave to a tile.
    pub fields: &'static [Field],
    /// Whether weights have a minimum beside a scale.
    pub has_min: bool,
    /// `None` for floats.
    pub unpack: Option<Unpack>,
    /// `None` where nothing here writes the format.
    pub encode: Option<Encode>,
}

/// Writes unit `i` of a block, every field of it.
type Unpack = fn(block: &[u8], i: usize, out: &mut Unpacked);

/// Writes a block of weights.
type Encode = fn(weights: &[f32], block: &mut [u8]);

impl Format {
    /// Number of formats.
    pub const COUNT: usize = 16;

    /// Every format, in the order of the enum.
    pub const ALL: [Self; Self::COUNT] = [
        Self::F32,
        Self::F16,
        Self::BF16,
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q2_K,
        Self::Q3_K,
        Self::Q4_K,
        Self::Q5_K,
        Self::Q6_K,
        Self::IQ4_NL,
        Self::IQ4_XS,
        Self::MXFP4,
    ];

    pub(crate) const fn row(self) -> &'static Row {
        match self {
            Self::F32 => &float::F32,
            Self::F16 => &float::F16,
            Self::BF16 => &float::BF16,
            Self::Q4_0 => &q4_0::ROW,
            Self::Q4_1 => &q4_1::ROW,
            Self::Q5_0 => &q5_0::ROW,
            Self::Q5_1 => &q5_1::ROW,
            Self::Q8_0 => &q8_0::ROW,
            Self::Q2_K => &q2_k::ROW,
            Self::Q3_K => &q3_k::ROW,
            Self::Q4_K => &q4_k::ROW,
            Self::Q5_K => &q5_k::ROW,
            Self::Q6_K => &q6_k::ROW,
            Self::IQ4_NL => &iq4_nl::ROW,
            Self::IQ4_XS => &iq4_xs::ROW,
            Self::MXFP4 => &mxfp4::ROW,
        }
    }

    /// The format's name as GGUF spells it.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Weights in one block.
    pub const fn weights(self) -> usize {
        self.row().weights
    }

    /// Bytes in one block.
    pub const fn bytes(self) -> usize {
        self.row().bytes
    }

    /// Whether weights are floats, multiplied as they are, and not integers with scales.
    pub const fn is_float(self) -> bool {
        self.row().unpack.is_none()
    }

    /// Whether weights have a minimum beside a scale ([`Unpacked::m`]).
    pub const fn has_min(self) -> bool {
        self.row().has_min
    }

    /// The parts of a block in order: how eight blocks interleave to a tile.
    pub const fn fields(self) -> &'static [Field] {
        self.row().fields
    }

    /// Bytes of a row of `len` weights; `None` if it is not whole blocks or overflows.
    pub const fn row_bytes(self, len: usize) -> Option<usize> {
        if !len.is_multiple_of(self.weights()) {
            return None;
        }
        (len / self.weights()).checked_mul(self.bytes())
    }

    /// Writes unit `i` (32 weights) of a row, given its bytes in [`crate::Order::Rows`].
    ///
    /// # Panics
    ///
    /// If the format is a float or `row` is shorter than unit `i`.
    pub fn unpack(self, row: &[u8], i: usize, out: &mut Unpacked) {
        let unpack = self.row().unpack.expect("only integer formats are unpacked");
        let units = self.weights() / UNIT;
        unpack(&row[i / units * self.bytes()..][..self.bytes()], i % units, out);
    }

    /// [`Self::unpack`] for row `r` of eight rows that lie in [`crate::Order::Tiles`].
    ///
    /// # Panics
    ///
    /// As [`Self::unpack`], and if `r` is not below 8.
    pub fn unpack_tiled(self, tiles: &[u8], r: usize, i: usize, out: &mut Unpacked) {
        assert!(!self.is_float(), "only integer formats are unpacked");
        let (units, bytes) = (self.weights() / UNIT, self.bytes());
        let tile = &tiles[i / units * bytes * EIGHT..][..bytes * EIGHT];
        let mut block = [0; MAX_BYTES];
        crate::tile::untile_row(self, tile, r, &mut block[..bytes]);
        self.unpack(&block[..bytes], i % units, out);
    }

    /// Decodes whole blocks in [`crate::Order::Rows`] to `out`, to the bit as ggml's reference does.
    ///
    /// # Panics
    ///
    /// If `row` and `out` are not the same number of whole blocks.
    pub fn decode(self, row: &[u8], out: &mut [f32]) {
        assert_eq!(self.row_bytes(out.len()), Some(row.len()), "{} blocks", self.name());
        if self.is_float() {
            return float::decode(self, row, out);
        }
        let mut unit = Unpacked::ZERO;
        for (i, out) in out.chunks_exact_mut(UNIT).enumerate() {
            self.unpack(row, i, &mut unit);
            for (j, y) in out.iter_mut().enumerate() {
                *y = unit.d * f32::from(unit.s[j / 16]) * f32::from(unit.q[j]);
                if self.has_min() {
                    *y += unit.m * f32::from(unit.n[j / 16]);
                }
            }
        }
    }

    /// Encodes whole blocks to `row` in [`crate::Order::Rows`], to the bit as ggml's reference does.
    /// A scale beyond the range of half precision becomes infinite.
    ///
    /// # Panics
    ///
    /// If the format is not one of F32, F16, BF16, Q4_0, Q4_1 and Q8_0, or `weights` and `row` are
    /// not the same number of whole blocks.
    pub fn encode(self, weights: &[f32], row: &mut [u8]) {
        assert_eq!(self.row_bytes(weights.len()), Some(row.len()), "{} blocks", self.name());
        let encode = self.row().encode.expect("only some formats are encoded");
        let blocks = row.chunks_exact_mut(self.bytes());
        weights.chunks_exact(self.weights()).zip(blocks).for_each(|(x, out)| encode(x, out));
    }
}

/// No block of any format has more bytes.
pub const MAX_BYTES: usize = 256;

/// Whether a row of the table is sound: its fields fill the block, and the block is one float or
/// whole units of 32 weights.
const fn is_sound(row: &Row) -> bool {
    let (mut bytes, mut i) = (0, 0);
    while i < row.fields.len() {
        bytes += row.fields[i].unit * row.fields[i].count;
        i += 1;
    }
    let whole =
        if row.unpack.is_none() { row.weights == 1 } else { row.weights.is_multiple_of(UNIT) };
    bytes == row.bytes && whole && bytes <= MAX_BYTES
}

const _: () = {
    let mut i = 0;
    while i < Format::COUNT {
        assert!(Format::ALL[i] as usize == i && is_sound(Format::ALL[i].row()));
        i += 1;
    }
};
