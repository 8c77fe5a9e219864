//! Reads GGUF files and runs the models in them.
#![no_std]

#[cfg(feature = "std")]
extern crate std;

mod arena;
mod error;
pub mod model;
mod reply;
mod sample;
pub mod session;
pub mod text;

#[cfg(feature = "std")]
pub use error::PathFault;
pub use error::{Error, FileFault, KeyFault, Kind, Name, PartsFault, SessionFault, TensorFault};
#[cfg(feature = "std")]
pub use model::Map;
pub use model::{Gguf, Plan};
pub use reply::{End, Reply, Step};
pub use sample::{Sampler, Sampling};
pub use session::{Column, KvFormat, Limits, Sequence, Session};
