//! The button.

use core::time::Duration;
use embedded_hal::digital::InputPin;

/// How long a contact must rest before it counts; those of small buttons bounce for some 10 ms.
const REST: Duration = Duration::from_millis(30);
/// From here on a press is a long one.
const LONG: Duration = Duration::from_millis(1500);

/// How the button was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Press {
    /// And released soon: ask, or stop the answer. Told on release.
    Short,
    /// For a second and a half: begin anew. Told while it is still held.
    Long,
}

/// What the button does, bouncing apart.
#[derive(Debug, Clone, Copy)]
enum Contact {
    Open,
    /// Closed since then, and nothing was told.
    Closed(Duration),
    /// Closed, and a long press was told.
    Told,
}

/// A button between a pin and ground: pressed is low.
#[derive(Debug)]
pub struct Button<P> {
    pin: P,
    contact: Contact,
    /// The pin's level at the last step, and the time of the step that first saw it.
    low: (bool, Duration),
}

impl<P: InputPin> Button<P> {
    /// A button that was not pressed so far.
    pub fn new(pin: P) -> Self {
        Self { pin, contact: Contact::Open, low: (false, Duration::ZERO) }
    }

    /// Reads the pin at `now`, a time since any start that does not go back, and tells of a press
    /// once. Steps should be 5 to 50 ms apart.
    ///
    /// # Errors
    ///
    /// What the pin has.
    pub fn step(&mut self, now: Duration) -> Result<Option<Press>, P::Error> {
        let is_low = self.pin.is_low()?;
        if is_low != self.low.0 {
            self.low = (is_low, now);
        }
        let since = self.low.1;
        let rests = now.saturating_sub(since) >= REST;
        Ok(if rests { self.settle(is_low, since, now) } else { None })
    }

    /// Takes a level that lasts `since` then.
    fn settle(&mut self, is_low: bool, since: Duration, now: Duration) -> Option<Press> {
        let was = self.contact;
        let Contact::Closed(closed) = was else {
            self.contact = match was {
                Contact::Open if is_low => Contact::Closed(since),
                Contact::Told if is_low => Contact::Told,
                _ => Contact::Open,
            };
            return None;
        };
        let held = if is_low { now } else { since }.saturating_sub(closed);
        let press = match held >= LONG {
            true => Some(Press::Long),
            false => (!is_low).then_some(Press::Short),
        };
        self.contact = match press {
            _ if !is_low => Contact::Open,
            Some(_) => Contact::Told,
            None => was,
        };
        press
    }
}
