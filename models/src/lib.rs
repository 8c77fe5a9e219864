//! Models as things that people have: what they are called, where their files are, and how these
//! come and go.
//!
//! Every file that this program makes is written through one careful writer: a [`Destination`] is
//! where a file may be, and a [`Draft`] is the file while it is written. [`pull`] downloads a
//! [`Known`] model that way; [`Beginning`] is as much of a model on a server as tells what it is.
//!
//! Nothing here knows sessions, terminals or HTTP servers. What is worth telling while something
//! goes on is passed to the caller's `tell`.
#![forbid(unsafe_code)]

mod child;
mod claim;
mod demo;
mod destination;
mod disk;
mod draft;
mod error;
mod folder;
mod header;
mod hub;
mod installed;
mod known;
pub mod last;
mod likeness;
mod lock;
mod names;
mod pull;
mod remote;
mod scratch;
mod sha256;
mod signals;
mod space;

pub use destination::Destination;
pub use disk::{Disk, largest};
pub use draft::{Draft, replace};
pub use error::{Class, Error, Outcome};
pub use folder::folder;
pub use hub::address;
pub use installed::{Description, Installed, installed};
pub use known::{DEMO, KNOWN, Known};
pub use names::{find, find_installed, is_model, usual};
pub use pull::{Before, Pulled, pull};
pub use remote::Beginning;
