//! A model's file: bytes, and a checked view of them.

mod arch;
mod config;
#[cfg(feature = "std")]
mod files;
mod gguf;
#[cfg(feature = "std")]
mod header;
mod hyper;
mod layer;
#[cfg(feature = "std")]
mod map;
mod not_a_model;
mod not_gguf;
pub(crate) mod number;
#[cfg(feature = "std")]
mod pack;
#[cfg(feature = "std")]
mod padded;
mod part;
mod plan;
mod reader;
#[cfg(feature = "std")]
mod room;
mod rope;
mod tensor;
#[cfg(feature = "std")]
mod tiles;
mod used_keys;
mod used_tensors;
mod value;

pub use arch::{Architecture, Presence, RopePairs};
pub use config::Config;
#[cfg(feature = "std")]
pub use files::Split;
pub use gguf::{Gguf, Key};
pub use layer::{Layer, LayerOf, MatrixShape, VectorShape};
#[cfg(feature = "std")]
pub use map::{Map, read_ahead};
pub(crate) use not_a_model::kind_of;
pub use not_gguf::NotGguf;
pub use number::{Number, Type};
#[cfg(feature = "std")]
pub use pack::pack;
#[cfg(feature = "std")]
pub use padded::Padding;
pub use part::{KEYS_MAX, TENSORS_MAX};
pub use plan::{Plan, Slot};
#[cfg(feature = "std")]
pub use room::Room;
pub use rope::{Rope, Scaling};
pub use tensor::Tensor;
pub use value::{Array, FromValue, Strings, Value};
