//! How weights and activations lie in bytes.
//!
//! A *weight matrix* is rows of blocks in one [`Format`], either as GGUF stores them
//! ([`Order::Rows`]) or with the bytes of eight rows interleaved ([`Order::Tiles`]): same bytes,
//! same size, same offsets. An *activation* is a column of numbers, quantised to [`Q8`].
//!
//! This crate knows nothing of CPUs, files or threads; it neither allocates nor needs `std`.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod format;
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
pub use format::{Format, Refused};
pub use matrix::{EIGHT, Matrix, Order};
pub use q8::{Q8, Q8Mut};
pub use tile::{tile, untile};
pub use unpacked::{UNIT, Unpacked};
