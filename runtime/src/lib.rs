//! Reads GGUF files and runs the models in them.
//!
//! Bytes flow one way:
//!
//! ```text
//! Map (bytes) → Gguf (a view) → Plan (the model, resolved) → Session (state) → tokens → text
//! ```
//!
//! in three rooms in that order, [`model`], [`session`] and [`text`], and above them what every face
//! calls: `sample` chooses tokens, a [`Reply`] is the state of one answer, and a [`Batch`] makes the
//! next pass for any number of replies and hands each its logits.
//!
//! # Example
//!
//! ```no_run
//! use dram_runtime::{Gguf, Limits, Map, Plan, Session};
//!
//! # fn main() -> Result<(), dram_runtime::Error> {
//! let map = Map::open("model.gguf".as_ref())?; // bytes
//! let gguf = Gguf::parse(&map)?; // what the file says
//! let mut slots = vec![None; Plan::layers_in(&gguf)?];
//! let plan = Plan::new(&gguf, &mut slots)?; // what the model is
//! let limits = Limits::default();
//! let mut memory = vec![0; Session::bytes(&plan, &limits)?]; // everything the session will use
//! let mut session = Session::new(&plan, dram_targets::best(), limits, &mut memory)?;
//! let sequence = session.open()?;
//! session.prompt(sequence, &[1, 2, 3])?;
//! let logits = session.logits(0); // one for each token that may follow
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//!
//! 1. No module imports from a later stage. Nothing here names an instruction set, a board, JSON,
//!    HTTP or a terminal; only `model::arch` names an architecture; only `model::map` and what
//!    it reads for know files.
//! 2. The core needs neither `std` nor `alloc`: the caller brings memory, of a size told before.
//!    The feature `std` adds maps and threads, `template` the chat templates of files.
//! 3. After [`Session::new`] nothing allocates, from prompt to text.
//! 4. Reading a file never panics and never reads outside it, whatever the bytes.
//! 5. Weights are used where they lie, in the map or in the one region they were read to or
//!    arranged in. There are never two copies: what is arranged is let go of piece by piece.
//! 6. Neither threads, nor the kernel table, nor how tokens are spread over calls, nor other
//!    sequences, nor rows or tiles change a bit of a result: a product's output is one chain of
//!    operations on one thread, and attention joins chunks of fixed size in order.
//! 7. What does not fit is refused with an error, never cut.
//! 8. A thought is never an answer, and what a user wrote never becomes a control token.
#![no_std]

#[cfg(feature = "std")]
extern crate std;

mod arena;
mod batch;
mod error;
mod hash;
mod logprobs;
pub mod model;
mod random;
mod reply;
mod sample;
pub mod session;
pub mod text;
#[cfg(feature = "std")]
pub mod threads;

pub use batch::Batch;
pub use error::{
    ColumnFault, Contents, Error, FileFault, KeyFault, Kind, Name, PartsFault, SessionFault,
    TensorFault, TextFault,
};
#[cfg(feature = "std")]
pub use error::{PathFault, SavedFault};
pub use logprobs::{Logprobs, TOP_MAX};
#[cfg(feature = "std")]
pub use model::Map;
pub use model::{Gguf, Plan};
pub use reply::{Choosing, FinishReason, Output, Reply, ReplyOptions, Request, Step};
pub use sample::{Constraints, Sampler, Sampling, Scratch, Window};
pub use session::{Column, KvFormat, Limits, Sequence, Session, Tiling};
