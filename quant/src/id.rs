//! Type ids: how a file says the format and order of a tensor.

use crate::{Format, Order};
use core::fmt;

/// Marks a type id as the tiled order of the format in its low bits; no other program knows it,
/// so other programs refuse a packed file instead of misreading it.
const TILES: u32 = 0x6472_0000;

impl Format {
    /// The type id in a GGUF file. Floats have no tiles: their id is the same in both orders.
    pub const fn id(self, order: Order) -> u32 {
        match order {
            Order::Tiles if !self.is_float() => self.row().id | TILES,
            _ => self.row().id,
        }
    }

    /// The format and order of a type id read from a file.
    ///
    /// # Errors
    ///
    /// [`Refused`], which says what the id is and what to do, where no kernel reads it.
    pub fn from_id(id: u32) -> Result<(Self, Order), Refused> {
        for format in Self::ALL {
            if id == format.id(Order::Rows) {
                return Ok((format, Order::Rows));
            }
            if id == format.id(Order::Tiles) {
                return Ok((format, Order::Tiles));
            }
        }
        Err(Refused { id })
    }
}

/// A tensor type id that is not multiplied here, with the reason as its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The id as the file has it.
    pub id: u32,
}

impl fmt::Display for Refused {
    /// Source of names and ids: `ggml.h` of llama.cpp, and that of ik_llama.cpp.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = match self.id {
            4 | 5 => "(Q4_2/Q4_3) was removed from GGUF in 2023; get a newer file of this model",
            31..=33 => {
                "(Q4_0_4_4, Q4_0_4_8 or Q4_0_8_8) was removed from GGUF; \
                 take the Q4_0 file of this model, it is arranged for this CPU while it loads"
            }
            36..=38 => {
                "(IQ4_NL_4_4, IQ4_NL_4_8 or IQ4_NL_8_8) was removed from GGUF; \
                 take the IQ4_NL file of this model"
            }
            9 | 15 => {
                "(Q8_1 or Q8_K) is for activations and never stores weights; \
                 the file is damaged or was written by a faulty tool"
            }
            16..=19 | 21 | 22 | 29 => {
                "(a 1 to 3 bit codebook type of the IQ family) is not supported; \
                 take IQ4_XS, Q3_K_M or Q4_K_M of this model"
            }
            24..=28 => "(plain integers or F64) is not a weight format; F32, F16 and BF16 are",
            34 | 35 => {
                "(ternary TQ1_0 or TQ2_0) is not supported; take Q4_0 or Q4_K_M of this model"
            }
            97..=99 | 133..=158 | 200..=399 => {
                "is one of ik_llama.cpp's own (such as IQ4_K, IQ4_KS or Q4_0_R8), which is not \
                 supported; take Q4_0 or Q4_K_M of this model"
            }
            40..=42 => "(NVFP4, Q1_0 or Q2_0) is not supported; take Q4_0 or Q4_K_M of this model",
            _ => "is not known; the file is damaged or newer than this program",
        };
        write!(f, "type {} {reason}", self.id)
    }
}

impl core::error::Error for Refused {}
