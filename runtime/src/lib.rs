//! Reads GGUF files and runs the models in them.
#![no_std]

#[cfg(feature = "std")]
extern crate std;

mod error;
pub mod model;
pub mod text;

#[cfg(feature = "std")]
pub use error::PathFault;
pub use error::{Error, FileFault, KeyFault, Kind, Name, PartsFault, TensorFault};
