//! How much a machine should do as it gets hot.

/// What a machine's sensors tell at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reading {
    /// How hot the CPU is; `None` where no sensor gives a plausible value.
    pub celsius: Option<f64>,
    /// The highest clock of the cores that compute; `None` where it is unknown.
    pub khz: Option<u64>,
    /// Whether firmware or kernel say that they lower clocks now.
    pub is_throttled: bool,
}

/// How much to do until the next reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Threads at most.
    pub threads: usize,
    /// How long to rest after each step, as a multiple of the time that the step took.
    pub rest: u32,
}

/// Sheds threads before the firmware lowers clocks, then rests between steps, and comes back when
/// it is cool.
///
/// Readings are meant to come about once a second. Each hot one takes a level more, three cool
/// ones in a row take one less, and what is between changes nothing.
#[derive(Debug, Clone)]
pub struct Governor {
    /// From here it is hot. `None` where nothing tells when clocks fall.
    hot_celsius: Option<f64>,
    /// Threads at full pace.
    threads: usize,
    /// The first levels shed a thread each, the others rest longer and longer.
    level: usize,
    /// Cool readings in a row.
    cool: u32,
    /// The highest clock seen.
    fastest_khz: u64,
}

/// It is cool when it is this far below hot.
const BAND_CELSIUS: f64 = 5.0;
/// So many cool readings in a row show that more can be done: heat leaves more slowly than it comes.
const COOL_READINGS: u32 = 3;
/// How long to rest with one thread, level by level: half, then a quarter of the time is work.
const RESTS: [u32; 3] = [0, 1, 3];
/// A clock below this share of the highest counts as lowered.
const SLOW_PERCENT: u64 = 85;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Heat {
    Hot,
    Between,
    Cool,
}

impl Governor {
    /// A machine at full pace, with so many threads, which is hot from `hot_celsius` on.
    pub fn new(hot_celsius: Option<f64>, threads: usize) -> Self {
        Self { hot_celsius, threads: threads.max(1), level: 0, cool: 0, fastest_khz: 0 }
    }

    /// Takes a reading, and says how much to do from now on.
    pub fn take(&mut self, reading: Reading) -> Pace {
        match self.judge(reading) {
            Heat::Hot => (self.level, self.cool) = ((self.level + 1).min(self.most()), 0),
            Heat::Between => self.cool = 0,
            Heat::Cool => {
                self.cool = (self.cool + 1) % COOL_READINGS;
                if self.cool == 0 {
                    self.level = self.level.saturating_sub(1);
                }
            }
        }
        self.pace()
    }

    /// Goes back to full pace, as after a long time without work.
    pub fn restart(&mut self) {
        (self.level, self.cool) = (0, 0);
    }

    /// How much to do now.
    pub fn pace(&self) -> Pace {
        let shed = self.level.min(self.threads - 1);
        Pace { threads: self.threads - shed, rest: RESTS[self.level - shed] }
    }

    fn most(&self) -> usize {
        self.threads - 1 + RESTS.len() - 1
    }

    /// What says that clocks are lowered counts only where it may be heat that lowers them: a weak
    /// supply does so too, and fewer threads would not help.
    fn judge(&mut self, reading: Reading) -> Heat {
        let slowed = reading.is_throttled || self.is_slow(reading.khz);
        match (reading.celsius, self.hot_celsius) {
            (Some(celsius), Some(hot)) if celsius >= hot => Heat::Hot,
            (Some(celsius), Some(hot)) if celsius < hot - BAND_CELSIUS => Heat::Cool,
            (Some(_), Some(_)) if slowed => Heat::Hot,
            // Without a temperature or a limit the word of firmware or kernel is all there is.
            (None, _) | (_, None) if reading.is_throttled => Heat::Hot,
            (_, None) => Heat::Cool,
            _ => Heat::Between,
        }
    }

    /// Whether the clock is lower than before while threads compute all the time.
    fn is_slow(&mut self, khz: Option<u64>) -> bool {
        let khz = khz.unwrap_or(self.fastest_khz);
        self.fastest_khz = self.fastest_khz.max(khz);
        let is_low =
            u128::from(khz) * 100 < u128::from(self.fastest_khz) * u128::from(SLOW_PERCENT);
        is_low && self.pace().rest == 0
    }
}
