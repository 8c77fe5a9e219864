//! A model at work on this machine: what stands between the runtime, which computes, and the faces,
//! which people and programs see.
//!
//! A [`Host`] is the machine and its board. [`with_session`] loads a model on it within its memory
//! and lends the [`Model`] with its session. A [`Solo`] answers one who asks at a time: it completes a text, or a [`Conversation`] turns messages into tokens in the
//! model's chat [`Form`], and each [`Answer`] is made at the pace that the machine's [`Heat`] allows
//! while a [`Status`] tells how it goes. An [`Engine`] takes [`Request`]s of many and makes all their
//! replies in common passes; what comes of one is read from its [`Ticket`]. [`fit`] says beforehand what a model needs.
//!
//! Nothing here knows arguments, exit codes, terminals or HTTP: options come as plain data, failures
//! go back as an [`EngineError`], and what is only worth a warning goes to the caller's notice.
#![forbid(unsafe_code)]

mod answer;
mod batch;
mod board;
mod contents;
mod conversation;
mod error;
pub mod fit;
mod form;
mod heat;
mod host;
mod length;
mod load;
pub mod measure;
mod oom;
mod options;
mod pack;
mod pin;
pub mod sampling;
mod scheduler;
mod solo;
mod status;
mod threads;
mod tokens;
pub mod words;

pub use answer::{Answer, Asking, Ending, Question};
pub use batch::BatchMemory;
pub use board::select;
pub use contents::{Contents, Group};
pub use conversation::Conversation;
pub use error::{Class, EngineError, Outcome};
pub use form::Form;
pub use heat::{Heat, Story};
pub use host::{Host, all_threads, threads};
pub use load::{Model, with_session};
pub use options::{LoadOptions, Weights};
pub use pack::{pack, packed_bytes};
pub use scheduler::{
    Engine, Finished, Refused, Request, Statistics, Steps, Ticket, Token, Update, Usage,
    with_engine,
};
pub use solo::{Solo, SoloMemory};
pub use status::{Status, Stop, Work};
pub use tokens::tokenize;
