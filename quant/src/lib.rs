//! How weights and activations lie in bytes.
//!
//! A *weight matrix* is rows of blocks in one [`Format`], either as GGUF stores them
//! ([`Order::Rows`]) or with the bytes of eight rows interleaved ([`Order::Tiles`]): same bytes,
//! same size, same offsets. An *activation* is a column of numbers, quantised to [`Q8`].
//!
//! This crate knows nothing of CPUs, files or threads; it neither allocates nor needs `std`.
//!
//! ```
//! use dram_quant::{Format, Matrix, Order};
//!
//! let weights: Vec<f32> = (-16..16).map(|w| w as f32).collect();
//! let mut bytes = [0; 2 * 18];
//! Format::Q4_0.encode(&weights, &mut bytes[..18]);
//! let matrix = Matrix::new(&bytes, Format::Q4_0, Order::Rows, 2, 32).expect("2 rows of 18 bytes");
//! let mut row = [0.0; 32];
//! matrix.decode_row(0, &mut row);
//! assert_eq!(row[..4], [-16.0, -14.0, -14.0, -12.0]);
//! ```
#![no_std]
#![forbid(unsafe_code)]

mod format;
mod id;
mod matrix;
mod q8;
mod tile;
mod unpacked;

mod float;
mod iq4_nl;
mod iq4_xs;
mod mxfp4;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;

pub use float::{f16_to_f32, f32_to_f16};
pub use format::{Format, MAX_BYTES};
pub use id::Refused;
pub use iq4_nl::VALUES as IQ4_VALUES;
pub use matrix::{EIGHT, Matrix, Order};
pub use q8::{Q8, Q8Mut};
pub use tile::{Field, tile, untile};
pub use unpacked::{MAX_UNITS, UNIT, Unpacked};
