//! Signals: Ctrl-C, and the limit of a file's size.

use crate::exit::{Code, Failure, Outcome};
use dram_engine::Stop;
use signal_hook::consts::{SIGINT, SIGXFSZ};
use signal_hook::flag;
use std::io;
use std::sync::Arc;

/// From now on Ctrl-C asks to stop instead of ending the program; asking again before that has been
/// heard and forgotten ends it at once.
pub(crate) fn catch(stop: &Stop) -> Outcome {
    let end = Code::Interrupted as i32;
    flag::register_conditional_shutdown(SIGINT, end, Arc::clone(stop.flag())).map_err(refused)?;
    flag::register(SIGINT, Arc::clone(stop.flag())).map(drop).map_err(refused)
}

/// From now on writing past the limit of a file's size fails, and does not end the program. Where the
/// system refuses to listen, it ends.
pub(crate) fn survive_limits() {
    let _ = flag::register(SIGXFSZ, Arc::default());
}

fn refused(error: io::Error) -> Failure {
    Failure::new(Code::Runtime, format!("cannot listen for Ctrl-C: {error}"))
}
