//! The status light.

use super::State;
use super::state::Ramp;
use core::time::Duration;
use embedded_hal::digital::{OutputPin, PinState};
use embedded_hal::pwm::SetDutyCycle;

/// Something whose brightness can be set.
pub trait Lamp {
    /// What can go wrong.
    type Error;

    /// Sets the brightness, from 0 to 100.
    ///
    /// # Errors
    ///
    /// What the pin has.
    fn set(&mut self, percent: u8) -> Result<(), Self::Error>;
}

/// A lamp on a pin that is on, which is high, or off: the nearer of both.
#[derive(Debug)]
pub struct Switched<P>(pub P);

/// A lamp on a pin whose pulses have a width.
#[derive(Debug)]
pub struct Dimmed<P>(pub P);

impl<P: OutputPin> Lamp for Switched<P> {
    type Error = P::Error;

    fn set(&mut self, percent: u8) -> Result<(), P::Error> {
        self.0.set_state(PinState::from(percent >= 50))
    }
}

impl<P: SetDutyCycle> Lamp for Dimmed<P> {
    type Error = P::Error;

    fn set(&mut self, percent: u8) -> Result<(), P::Error> {
        self.0.set_duty_cycle_percent(percent.min(100))
    }
}

/// A light that tells a state by its pattern.
#[derive(Debug)]
pub struct StatusLight<L> {
    lamp: L,
    /// The state that is shown, and since when.
    shown: Option<(State, Duration)>,
    /// What the lamp was set to last.
    percent: Option<u8>,
}

impl<L: Lamp> StatusLight<L> {
    /// A light that shows nothing yet; the lamp is left as it is.
    pub fn new(lamp: L) -> Self {
        Self { lamp, shown: None, percent: None }
    }

    /// Sets the lamp to what a state's pattern asks for at `now`, a time since any start that does
    /// not go back. A state's pattern begins when it is first shown.
    ///
    /// # Errors
    ///
    /// What the lamp has; the next step tries again.
    pub fn step(&mut self, state: State, now: Duration) -> Result<(), L::Error> {
        let since = match self.shown {
            Some((shown, since)) if shown == state => since,
            _ => now,
        };
        self.shown = Some((state, since));
        self.set(percent(state.pattern(), now.saturating_sub(since)))
    }

    /// Switches the lamp off; the next step begins a pattern.
    ///
    /// # Errors
    ///
    /// What the lamp has.
    pub fn switch_off(&mut self) -> Result<(), L::Error> {
        self.shown = None;
        self.set(0)
    }

    fn set(&mut self, percent: u8) -> Result<(), L::Error> {
        if self.percent != Some(percent) {
            self.lamp.set(percent)?;
            self.percent = Some(percent);
        }
        Ok(())
    }
}

/// Brightness so long after a pattern began.
fn percent(pattern: &[Ramp], time: Duration) -> u8 {
    let period: u32 = pattern.iter().map(|ramp| ramp.millis).sum();
    let mut rest = (time.as_millis() % u128::from(period)) as i32;
    for &Ramp { millis, from, to } in pattern {
        let millis = millis as i32;
        if rest < millis {
            let (from, to) = (i32::from(from), i32::from(to));
            return (from + (to - from) * rest / millis) as u8;
        }
        rest -= millis;
    }
    0
}
