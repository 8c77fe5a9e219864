//! Q4_1: a scale, a minimum and nibbles.
//!
//! ```text
//! byte of a tile  0        16       32                            160
//!                 | 8 x d   | 8 x m  | 4 groups: nibbles of k and k + 16 |
//! ```

use super::lanes::{at, halves};
use super::product::{Kind, Unit, product};
use super::q4_0::nibbles;
use crate::Panel;
use crate::kernels::Eight;
use dram_quant::{EIGHT, Format, Q8};

/// Nibbles with a minimum.
pub(super) struct Nibbles;

impl Kind for Nibbles {
    const DEPTH: usize = 8;
    const MIN: bool = true;
}

/// The product of eight rows.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn multiply(w: Eight<'_>, x: Q8<'_>, panel: &mut Panel<'_>, y: &mut [[f32; EIGHT]]) {
    let fields = const { Format::Q4_1.fields() };
    product::<Nibbles, 20, 1>(fields, w, x, panel, y, |tile, _| {
        let tile = tile.as_flattened();
        Unit::new(nibbles(&tile[32..]), halves(at(tile, 0)), halves(at(tile, 16)))
    });
}
