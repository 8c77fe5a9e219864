//! Heat while a model runs: sensors are read between tokens, and a hot board does less.

#[cfg(test)]
mod tests;

use crate::host::Host;
use crate::status::Stop;
use dram_boards::{Governor, Pace, Sensors, Threads};
use dram_runtime::Session;
use std::thread;
use std::time::{Duration, Instant};

/// How often sensors are read.
const EVERY: Duration = Duration::from_secs(1);
/// Without work for so long, a board is as cool as it gets.
const IDLE: Duration = Duration::from_secs(60);
/// Tokens of a prompt that are read in one step at first: more in a step is faster, but meanwhile
/// nobody looks at the sensors.
const BATCH: usize = 32;
/// Longest sleep before somebody who interrupts is heard.
const NAP: Duration = Duration::from_millis(50);

/// Watches a machine's sensors and keeps its pace.
pub struct Heat {
    sensors: Sensors,
    governor: Governor,
    /// Threads at full pace.
    threads: Threads,
    every: Duration,
    /// Tokens of a prompt to read in a step; `None` where heat does not count.
    batch: Option<usize>,
    read_at: Option<Instant>,
    story: Story,
}

/// How warm it got during a reply, and what was done about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Story {
    /// Where a thermometer tells.
    pub highest_celsius: Option<f64>,
    /// The lowest clock, where the system tells.
    pub lowest_khz: Option<u64>,
    /// Whether the system said that it throttles.
    pub was_throttled: bool,
    /// The most threads there can be.
    pub most_threads: usize,
    /// The fewest there were.
    pub fewest_threads: usize,
    /// Those in the end.
    pub threads: usize,
    /// Time without work between steps.
    pub rested: Duration,
}

impl Heat {
    /// Watches a host that computes with these threads on `cpus`.
    pub fn watch(host: &Host, threads: Threads, cpus: &[usize]) -> Self {
        let sensors = Sensors::open(&host.root, cpus);
        let hot = host.board.as_ref().and_then(|board| host.machine.sheds_celsius(board));
        let hot = hot.filter(|_| sensors.has_thermometer());
        let governor = Governor::new(hot, threads.decode.max(threads.prefill) as usize);
        let (batch, story) = (hot.map(|_| BATCH), Story::default());
        Self { sensors, governor, threads, every: EVERY, batch, read_at: None, story }
    }

    /// Begins another reply and its story.
    pub fn begin(&mut self, session: &mut Session<'_>) {
        if self.read_at.is_none_or(|at| at.elapsed() >= IDLE) {
            self.governor.restart();
        }
        self.batch = self.batch.map(|_| BATCH);
        self.story = Story::default();
        self.record(self.governor.pace());
        self.set(session);
    }

    /// What has happened since [`Self::begin`].
    pub fn story(&self) -> Story {
        self.story
    }

    /// Between two steps, of which the last took `worked`: reads the sensors if it is time, sets the
    /// session's threads, and rests if it is hot, until somebody asks to stop.
    pub fn keep(&mut self, session: &mut Session<'_>, worked: Duration, stop: &Stop) {
        self.read();
        self.rest(worked, stop);
        self.batch = self.batch.map(|batch| fitting(batch, worked));
        self.set(session);
    }

    /// Whether it does less than it could.
    pub fn is_hot(&self) -> bool {
        self.governor.pace() != Pace { threads: self.story.most_threads, rest: 0 }
    }

    /// Tokens of a prompt to read in the next pass.
    pub fn prompt_columns(&self) -> usize {
        self.batch.unwrap_or(usize::MAX)
    }

    /// Sets the threads by the pace.
    fn set(&self, session: &mut Session<'_>) {
        let most = self.governor.pace().threads;
        let at_most = |threads: u32| (threads as usize).min(most);
        session.set_threads(at_most(self.threads.decode), at_most(self.threads.prefill));
    }

    /// Rests as long as the pace wants behind a step that took `worked`; a reading in the meantime
    /// may change that.
    fn rest(&mut self, worked: Duration, stop: &Stop) {
        let start = Instant::now();
        while !stop.is_asked() {
            let whole = worked.saturating_mul(self.governor.pace().rest);
            let left = whole.saturating_sub(start.elapsed());
            if left.is_zero() {
                break;
            }
            thread::sleep(left.min(NAP));
            self.story.rested += left.min(NAP);
            self.read();
        }
    }

    /// Reads the sensors if it is time.
    fn read(&mut self) {
        if self.read_at.is_some_and(|at| at.elapsed() < self.every) {
            return;
        }
        self.read_at = Some(Instant::now());
        let reading = self.sensors.read();
        let story = &mut self.story;
        story.highest_celsius = highest(story.highest_celsius, reading.celsius);
        story.lowest_khz = story.lowest_khz.into_iter().chain(reading.khz).min();
        story.was_throttled |= reading.is_throttled;
        let pace = self.governor.take(reading);
        self.record(pace);
    }

    fn record(&mut self, pace: Pace) {
        let story = &mut self.story;
        story.most_threads = self.threads.decode.max(self.threads.prefill) as usize;
        story.threads = pace.threads;
        story.fewest_threads = match story.fewest_threads {
            0 => pace.threads,
            fewest => fewest.min(pace.threads),
        };
    }
}

/// A batch with which a step takes about as long as there is between two readings.
fn fitting(batch: usize, worked: Duration) -> usize {
    match worked {
        worked if worked < EVERY / 2 => batch.saturating_mul(2),
        worked if worked > EVERY * 2 => (batch / 2).max(BATCH),
        _ => batch,
    }
}

fn highest(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).max_by(f64::total_cmp)
}

impl Story {
    /// How warm it got, for people, where a thermometer tells.
    pub fn temperature(self) -> Option<String> {
        let clock = self.lowest_khz.map(|khz| format!(", {} MHz at least", khz / 1000));
        Some(format!("{:.0} °C at most{}", self.highest_celsius?, clock.unwrap_or_default()))
    }

    /// What was done about heat, in a sentence; `None` where nothing was.
    pub fn slowdown(self) -> Option<String> {
        let Self { most_threads: most, fewest_threads: fewest, threads: now, .. } = self;
        let rested = self.rested.as_secs_f64();
        let celsius = self.highest_celsius.map(|celsius| format!(" ({celsius:.0} °C)"));
        let rests =
            if rested > 0.0 { format!(" and {rested:.1} s of rest") } else { String::new() };
        (fewest < most || rested > 0.0).then(|| {
            format!(
                "it was hot{}: down to {fewest} of {most} threads{rests}, {now} in the end; \
                 `dram doctor` tells what helps",
                celsius.unwrap_or_default()
            )
        })
    }
}
