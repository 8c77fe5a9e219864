//! The status display: 128 × 64 pixels, each on or off.

use super::State;
use core::fmt::{self, Write};
use core::time::Duration;
use embedded_graphics::Drawable;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::Point;
use embedded_graphics::mono_font::iso_8859_1::{FONT_6X10, FONT_9X15, FONT_9X15_BOLD};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::text::{Baseline, Text};
use ssd1306::Ssd1306;
use ssd1306::mode::BufferedGraphicsMode;
use ssd1306::prelude::WriteOnlyDataCommand;
use ssd1306::size::DisplaySize;

/// How often what changes all the time is drawn: more often nobody could read it.
const EVERY: Duration = Duration::from_secs(1);
/// Letters of the sentence in a line, and lines.
const LETTERS: usize = 21;
const LINES: i32 = 3;

/// What the display tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Report<'a> {
    /// What goes on.
    pub state: State,
    /// How fast the answer is made, or the last one was.
    pub tokens_per_second: Option<f64>,
    /// How hot the CPU is.
    pub celsius: Option<f64>,
    /// What else is to be told, in Latin letters; 63 of them fit, and what does not is left out.
    pub sentence: &'a str,
}

/// A target that shows what was drawn when it is told to.
pub trait Screen: DrawTarget<Color = BinaryColor> {
    /// Shows it.
    ///
    /// # Errors
    ///
    /// What the target has.
    fn flush(&mut self) -> Result<(), Self::Error>;
}

impl<I, S> Screen for Ssd1306<I, S, BufferedGraphicsMode<S>>
where
    I: WriteOnlyDataCommand,
    S: DisplaySize,
{
    fn flush(&mut self) -> Result<(), Self::Error> {
        Self::flush(self)
    }
}

/// A screen that is drawn when the state changes, and else once a second.
#[derive(Debug)]
pub struct Display<S> {
    screen: S,
    /// The state that was drawn last, and when.
    drawn: Option<(State, Duration)>,
}

impl<S: Screen> Display<S> {
    /// A display on which nothing was drawn yet.
    pub fn new(screen: S) -> Self {
        Self { screen, drawn: None }
    }

    /// Draws a report if it is time to at `now`, a time since any start that does not go back.
    ///
    /// # Errors
    ///
    /// What the screen has; the next step tries again.
    pub fn step(&mut self, report: &Report<'_>, now: Duration) -> Result<(), S::Error> {
        match self.drawn {
            Some((state, when)) if state == report.state && now < when + EVERY => Ok(()),
            _ => self.show(report, now),
        }
    }

    /// Leaves nothing on the screen.
    ///
    /// # Errors
    ///
    /// What the screen has.
    pub fn clear(&mut self) -> Result<(), S::Error> {
        self.drawn = None;
        self.screen.clear(BinaryColor::Off)?;
        self.screen.flush()
    }

    /// Draws a report whatever the time.
    fn show(&mut self, report: &Report<'_>, now: Duration) -> Result<(), S::Error> {
        draw(&mut self.screen, report)?;
        self.screen.flush()?;
        self.drawn = Some((report.state, now));
        Ok(())
    }
}

/// Draws a report on 128 × 64 pixels: state and temperature in the upper 16 rows, which have
/// another colour on many such displays; below them the speed and the sentence.
///
/// # Errors
///
/// What the target has.
pub fn draw<D>(target: &mut D, report: &Report<'_>) -> Result<(), D::Error>
where
    D: DrawTarget<Color = BinaryColor>,
{
    target.clear(BinaryColor::Off)?;
    print(target, &FONT_9X15_BOLD, Point::zero(), format_args!("{}", report.state.name()))?;
    if let Some(celsius) = report.celsius {
        print(target, &FONT_6X10, Point::new(92, 2), format_args!("{celsius:>3.0} °C"))?;
    }
    if let Some(speed) = report.tokens_per_second {
        print(target, &FONT_9X15, Point::new(0, 17), format_args!("{speed:.1} tok/s"))?;
    }
    print_words(target, report.sentence)
}

/// Prints a sentence at the bottom, word by word; words longer than a line are cut.
fn print_words<D>(target: &mut D, sentence: &str) -> Result<(), D::Error>
where
    D: DrawTarget<Color = BinaryColor>,
{
    let (mut line, mut column) = (0, 0);
    for word in sentence.split_whitespace() {
        let letters = word.chars().count().min(LETTERS);
        if column > 0 && column + letters > LETTERS {
            (line, column) = (line + 1, 0);
        }
        if line == LINES {
            break;
        }
        let end = word.char_indices().nth(LETTERS).map_or(word.len(), |(end, _)| end);
        let at = Point::new(column as i32 * 6, 34 + line * 10);
        print(target, &FONT_6X10, at, format_args!("{}", &word[..end]))?;
        column += letters + 1;
    }
    Ok(())
}

/// Prints a text with its upper left corner there.
fn print<D>(
    target: &mut D,
    font: &MonoFont<'_>,
    at: Point,
    text: fmt::Arguments<'_>,
) -> Result<(), D::Error>
where
    D: DrawTarget<Color = BinaryColor>,
{
    let mut pen = Pen { target, font, at, drawn: Ok(()) };
    // Fails only where the pen did, which kept the reason.
    let _ = pen.write_fmt(text);
    pen.drawn
}

/// Draws text as it is formatted.
struct Pen<'d, D: DrawTarget> {
    target: &'d mut D,
    font: &'d MonoFont<'d>,
    at: Point,
    drawn: Result<(), D::Error>,
}

impl<D: DrawTarget<Color = BinaryColor>> Write for Pen<'_, D> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let style = MonoTextStyle::new(self.font, BinaryColor::On);
        let text = Text::with_baseline(text, self.at, style, Baseline::Top);
        match text.draw(self.target) {
            Ok(next) => self.at = next,
            Err(error) => self.drawn = Err(error),
        }
        self.drawn.as_ref().map_err(|_| fmt::Error).copied()
    }
}
