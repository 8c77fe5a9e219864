//! Every other format: unpacked to a panel of signed bytes by its definition, then multiplied.

use super::product::{Isa, Kind, panel_product};
use crate::Panel;
use crate::kernels::Eight;
use dram_quant::{EIGHT, Q8};

/// Signed bytes whose halves have factors.
struct Scaled;

impl Kind for Scaled {
    const DEPTH: usize = 1;
    const SIGNED: bool = true;
    const HALVES: bool = true;
}

/// Signed bytes with minima, whose halves have factors.
struct ScaledMin;

impl Kind for ScaledMin {
    const DEPTH: usize = 1;
    const SIGNED: bool = true;
    const HALVES: bool = true;
    const MIN: bool = true;
}

/// The product of eight rows.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn multiply<I: Isa>(
    w: Eight<'_>,
    x: Q8<'_>,
    panel: &mut Panel<'_>,
    y: &mut [[f32; EIGHT]],
) {
    panel.unpack(w);
    if w.format.has_min() {
        panel_product::<I, ScaledMin>(panel, x, y);
    } else {
        panel_product::<I, Scaled>(panel, x, y);
    }
}
