//! Every other format: unpacked to a panel of signed bytes by its definition, then multiplied.

use super::product::{Isa, Kind, panel_product};
use crate::Panel;
use crate::kernels::Eight;
use dram_quant::{EIGHT, MAX_BYTES, Order, Q8, UNIT, Unpacked, untile};

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
    fill(w, panel);
    if let Some(next) = w.next {
        fill(*next, &mut panel.after(x.len / UNIT));
    }
    if w.format.has_min() {
        panel_product::<I, ScaledMin>(panel, x, y);
    } else {
        panel_product::<I, Scaled>(panel, x, y);
    }
}

/// Unpacks eight rows; of missing rows the panel keeps what it had.
fn fill(w: Eight<'_>, panel: &mut Panel<'_>) {
    let (bytes, units) = (w.format.bytes(), w.format.weights() / UNIT);
    let row_bytes = w.bytes.len() / w.rows;
    let mut scratch = [0; MAX_BYTES * EIGHT];
    for block in 0..row_bytes / bytes {
        let (rows, stride) = match w.order {
            Order::Rows => (&w.bytes[block * bytes..], row_bytes),
            Order::Tiles => {
                let scratch = &mut scratch[..bytes * EIGHT];
                untile(w.format, &w.bytes[block * bytes * EIGHT..][..bytes * EIGHT], scratch);
                (&*scratch, bytes)
            }
        };
        for r in 0..w.rows {
            for i in 0..units {
                let mut unit = Unpacked::ZERO;
                w.format.unpack(&rows[r * stride..], i, &mut unit);
                put(&unit, panel, block * units + i, r);
            }
        }
    }
}

/// Writes unit `i` of row `r` to a panel, a factor of each half in one byte of 16 bits.
fn put(unit: &Unpacked, panel: &mut Panel<'_>, i: usize, r: usize) {
    let groups = panel.q[i].as_chunks_mut::<4>().0.as_chunks_mut::<EIGHT>().0;
    for (group, q) in groups.iter_mut().zip(unit.q.as_chunks().0) {
        group[r] = q.map(i8::cast_unsigned);
    }
    panel.d[i][r] = unit.d;
    panel.m[i][r] = unit.m;
    for half in 0..2 {
        panel.s[i][r][half] =
            i16::from_le_bytes([unit.s[half], unit.n[half]].map(i8::cast_unsigned));
    }
}
