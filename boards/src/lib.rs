//! The boards dram knows, and what the machine it runs on says of itself.
//!
//! A [`Board`] is one TOML file of facts that do not change: its cores, its memory, what it is good
//! for. A [`Machine`] is what the files of `/proc` and `/sys` say now, read below a [`Root`] so that
//! a recorded tree does as well as a live system. A [`Catalog`] finds the board of a machine, and
//! [`advise`] says what to change. While a model runs, [`Sensors`] are read and a [`Governor`] says how
//! much to do.
//!
//! Nothing here knows models, formats or instruction sets; a board names its kernels as text.
//! Whatever the files of a machine hold, reading them ends soon and without a panic: lengths and
//! counts are bounded, and what makes no sense is left out.
#![forbid(unsafe_code)]

mod advice;
mod board;
mod catalog;
mod cores;
mod error;
#[cfg(feature = "face")]
pub mod face;
mod governor;
mod identity;
mod machine;
mod memory;
mod power;
mod root;
mod sensors;
mod thermal;

pub use advice::{Advice, advise};
pub use board::{Bandwidth, Basis, Board, CoreKind, DefaultModel, Detect, Face, Thermal, Threads};
pub use catalog::{Catalog, Evidence, Match};
pub use cores::{Choice, Core, Cores};
pub use error::Error;
pub use governor::{Governor, Pace, Reading};
pub use identity::{Architecture, Identity};
pub use machine::Machine;
pub use memory::Memory;
pub use power::{Conditions, Power};
pub use root::Root;
pub use sensors::Sensors;
pub use thermal::Zone;
