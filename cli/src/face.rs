//! The face of a kiosk beside a run: a thread shows how it goes, and hears the button.

#[cfg(test)]
mod tests;

use crate::exit::{Code, Failure, Outcome, notice};
use dram_boards::face::{Pins, Press, Report, State};
use dram_boards::{Board, Sensors};
use dram_engine::{Host, Status, Work};
use dram_runtime::threads::spawn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Between two steps: a button is heard at once, and a core has next to nothing to do.
const STEP: Duration = Duration::from_millis(20);
/// How often thermometers are read.
const EVERY: Duration = Duration::from_secs(1);

/// The face of this machine.
pub(crate) struct Face {
    pins: Pins,
    sensors: Sensors,
}

impl Face {
    /// Takes the lines that the host's board names. Without a display it does with a warning.
    ///
    /// # Errors
    ///
    /// If the board names none, or one of them cannot be had.
    pub(crate) fn open(host: &Host) -> Outcome<Self> {
        let failed = |message| Failure::new(Code::Runtime, message);
        let lines = host.board.as_ref().and_then(|board| board.face.as_ref());
        let lines = lines.ok_or_else(|| failed(no_lines(host.board.as_ref())))?;
        let (pins, missing) =
            Pins::open(lines).map_err(|error| failed(format!("--face: {error}")))?;
        if let Some(missing) = missing {
            notice(&missing.to_string());
        }
        Ok(Self { pins, sensors: Sensors::open(&host.root, &[]) })
    }

    /// Shows the status of some work until it is done.
    pub(crate) fn beside<T>(self, status: &Status, work: impl FnOnce() -> T) -> T {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            if spawn(scope, || self.keep(status, &stop)).is_none() {
                notice("--face: the system gives no thread for it; the face stays dark");
            }
            let outcome = work();
            stop.store(true, Ordering::Relaxed);
            outcome
        })
    }

    /// Steps until it is to stop. What fails is told when it begins to, and tried again.
    fn keep(mut self, status: &Status, stop: &AtomicBool) {
        let start = Instant::now();
        let mut meter = Meter::default();
        let (mut celsius, mut read_at) = (self.sensors.read().celsius, Duration::ZERO);
        let mut fails = false;
        while !stop.load(Ordering::Relaxed) {
            let now = start.elapsed();
            if now >= read_at + EVERY {
                (celsius, read_at) = (self.sensors.read().celsius, now);
            }
            let tokens_per_second = meter.step(status.tokens(), now);
            let (state, sentence) = state(status);
            let report = Report { state, tokens_per_second, celsius, sentence };
            match self.pins.step(&report, now) {
                Ok(press) => {
                    fails = false;
                    if let Some(press) = press {
                        obey(press, status);
                    }
                }
                Err(error) => {
                    if !fails {
                        notice(&error.to_string());
                    }
                    fails = true;
                }
            }
            thread::sleep(STEP);
        }
        // The program ends; whoever unplugged the face knows.
        let _ = self.pins.switch_off();
    }
}

/// Why there is no face, and what to do.
fn no_lines(board: Option<&Board>) -> String {
    let board = board.map_or("this machine", |board| &board.name);
    format!(
        "--face: the lines of a face on {board} are not known; \
         --board FILE takes a board's file with a table [face]"
    )
}

/// What to show.
fn state(status: &Status) -> (State, &'static str) {
    match status.work() {
        Work::Loading => (State::Loading, ""),
        Work::Ready => (State::Ready, "hold the button to begin anew"),
        Work::Thinking | Work::Answering if status.is_hot() => {
            (State::Hot, "slower until it is cool; press to stop")
        }
        Work::Thinking => (State::Thinking, "press to stop"),
        Work::Answering => (State::Answering, "press to stop"),
        Work::Failed => (State::Error, "the terminal tells why"),
    }
}

/// Any press stops the answer, and a long one the conversation too.
fn obey(press: Press, status: &Status) {
    status.stop.ask();
    if press == Press::Long {
        status.want_reset();
    }
}

/// How fast tokens come, as somebody sees who counts them now and then.
#[derive(Default)]
struct Meter {
    /// Tokens at the last step.
    tokens: usize,
    /// The first count of the reply and when it was seen.
    first: (usize, Duration),
    /// The latest figure.
    per_second: Option<f64>,
}

impl Meter {
    /// Tokens a second from the first count to the one at `now`; between replies, the last one's.
    fn step(&mut self, tokens: usize, now: Duration) -> Option<f64> {
        let before = std::mem::replace(&mut self.tokens, tokens);
        if tokens > 0 && (before == 0 || tokens < before) {
            self.first = (tokens, now);
            self.per_second = None;
        } else if tokens > before {
            let (count, start) = self.first;
            self.per_second = Some((tokens - count) as f64 / (now - start).as_secs_f64());
        }
        self.per_second
    }
}
