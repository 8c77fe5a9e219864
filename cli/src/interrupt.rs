//! Ctrl-C.

use crate::exit::{Code, Failure, Outcome};
use signal_hook::consts::SIGINT;
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the user has asked to stop.
#[derive(Default)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on Ctrl-C asks to stop instead of ending the program.
    pub(crate) fn catch(&self) -> Outcome {
        flag::register(SIGINT, Arc::clone(&self.0)).map(drop).map_err(refused)
    }

    /// As [`Self::catch`], but asking twice ends the program at once.
    pub(crate) fn catch_once(&self) -> Outcome {
        let end = Code::Interrupted as i32;
        flag::register_conditional_shutdown(SIGINT, end, Arc::clone(&self.0)).map_err(refused)?;
        self.catch()
    }

    /// Asks to stop, as Ctrl-C does.
    #[cfg(feature = "face")]
    pub(crate) fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the user has asked to stop, since the last [`Self::forget`].
    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag that is true once the user has asked to stop.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0
    }

    pub(crate) fn forget(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

fn refused(error: std::io::Error) -> Failure {
    Failure::new(Code::Runtime, format!("cannot listen for Ctrl-C: {error}"))
}
