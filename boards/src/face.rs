//! The face of a kiosk: a light, a button and a small display, over the traits of embedded-hal 1.0.
//!
//! [`StatusLight`], [`Button`] and [`Display`] are state machines. Whoever owns them calls `step` a
//! few dozen times a second and says what the time is; they never wait and never allocate, so that
//! they do as well on a microcontroller. [`Pins`] is all three on the lines of a board that runs
//! Linux.

mod button;
mod display;
mod light;
#[cfg(target_os = "linux")]
mod pins;
mod state;

pub use button::{Button, Press};
pub use display::{Display, Report, Screen, draw};
pub use light::{Dimmed, Lamp, StatusLight, Switched};
#[cfg(target_os = "linux")]
pub use pins::Pins;
pub use state::State;
