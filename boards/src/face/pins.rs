//! The face on the lines of a board that runs Linux.

use super::{Button, Display, Press, Report, StatusLight, Switched};
use crate::{Error, board};
use gpiocdev::Request;
use gpiocdev::chip::Chip;
use gpiocdev::line::{Bias, Value};
use gpiocdev::request::Builder;
use gpiocdev_embedded_hal::{InputPin, OutputPin};
use linux_embedded_hal::I2cdev;
use ssd1306::mode::{BufferedGraphicsMode, DisplayConfig};
use ssd1306::prelude::I2CInterface;
use ssd1306::rotation::DisplayRotation;
use ssd1306::size::DisplaySize128x64;
use ssd1306::{I2CDisplayInterface, Ssd1306};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

type Oled =
    Ssd1306<I2CInterface<I2cdev>, DisplaySize128x64, BufferedGraphicsMode<DisplaySize128x64>>;

/// The face of this machine. Its lines are taken from other programs until it is dropped.
pub struct Pins {
    light: StatusLight<Switched<OutputPin>>,
    button: Button<InputPin>,
    display: Option<Display<Oled>>,
}

impl Pins {
    /// Takes the lines that a board's file names. A display is not needed: why there is none is
    /// returned beside the rest.
    ///
    /// # Errors
    ///
    /// If there is no such chip or a line of it cannot be taken; it says what to do.
    pub fn open(lines: &board::Face) -> Result<(Self, Option<Error>), Error> {
        let chip = find(&lines.chip)?;
        let light =
            take(&chip, lines, "light", lines.light, |line| line.as_output(Value::Inactive))?;
        let button = take(&chip, lines, "button", lines.button, |line| {
            line.as_input().with_bias(Bias::PullUp)
        })?;
        let light = OutputPin::try_from(light).expect("one line was requested, as an output");
        let button = InputPin::try_from(button).expect("one line was requested, as an input");
        let (display, missing) = match open_display(&lines.i2c) {
            Ok(display) => (Some(display), None),
            Err(error) => (None, Some(error)),
        };
        let (light, button) = (StatusLight::new(Switched(light)), Button::new(button));
        Ok((Self { light, button, display }, missing))
    }

    /// Shows a report and tells of a press: a step of the light, the button and the display.
    ///
    /// # Errors
    ///
    /// If one of them is no longer there.
    pub fn step(&mut self, report: &Report<'_>, now: Duration) -> Result<Option<Press>, Error> {
        self.light.step(report.state, now).map_err(|error| Error::new("the light", error))?;
        if let Some(display) = &mut self.display {
            display.step(report, now).map_err(|error| lost_display(&error))?;
        }
        self.button.step(now).map_err(|error| Error::new("the button", error))
    }

    /// Switches light and display off.
    ///
    /// # Errors
    ///
    /// If one of them is no longer there.
    pub fn switch_off(&mut self) -> Result<(), Error> {
        self.light.switch_off().map_err(|error| Error::new("the light", error))?;
        match &mut self.display {
            Some(display) => display.clear().map_err(|error| lost_display(&error)),
            None => Ok(()),
        }
    }
}

/// The chip with a label. Its number says little: it changed from kernel to kernel.
fn find(label: &str) -> Result<PathBuf, Error> {
    let paths = gpiocdev::chip::chips().unwrap_or_default();
    let mut others = Vec::new();
    for path in paths {
        match Chip::from_path(&path).and_then(|chip| chip.info()) {
            Ok(info) if info.label == label => return Ok(path),
            Ok(info) => others.push(format!("\"{}\"", info.label)),
            Err(error) => {
                let path = path.display();
                return Err(refused(
                    format_args!("GPIO chip \"{label}\", looked for at {path}"),
                    &error,
                ));
            }
        }
    }
    let found = if others.is_empty() { "none".into() } else { others.join(", ") };
    let message = format!(
        "there is no such chip; this machine has {found}; the table [face] of a board's file names \
         the chip of its header"
    );
    Err(Error::new(format_args!("GPIO chip \"{label}\""), message))
}

/// Takes one line of a chip, set up in some way.
fn take(
    chip: &Path,
    lines: &board::Face,
    what: &str,
    line: u32,
    set_up: impl FnOnce(&mut Builder) -> &mut Builder,
) -> Result<Request, Error> {
    let mut request = Request::builder();
    request.on_chip(chip).with_consumer("dram").with_line(line);
    set_up(&mut request).request().map_err(|error| {
        let (label, chip) = (&lines.chip, chip.display());
        refused(format_args!("the {what}, line {line} of \"{label}\" ({chip})"), &error)
    })
}

/// What to do about a chip or a line that cannot be opened.
fn refused(place: impl fmt::Display, error: &gpiocdev::Error) -> Error {
    let remedy = "`gpioinfo` tells whether another program has it, and `sudo usermod -aG gpio $USER` \
                  gives access from the next login on";
    Error::new(place, format_args!("{error}; {remedy}"))
}

fn open_display(bus: &str) -> Result<Display<Oled>, Error> {
    let i2c = I2cdev::new(bus).map_err(|error| no_display(bus, &error))?;
    let (size, rotation) = (DisplaySize128x64, DisplayRotation::Rotate0);
    let mut oled =
        Ssd1306::new(I2CDisplayInterface::new(i2c), size, rotation).into_buffered_graphics_mode();
    match oled.init() {
        Ok(()) => Ok(Display::new(oled)),
        Err(_) => Err(no_display(bus, &"nothing answers at address 0x3c")),
    }
}

fn no_display(bus: &str, reason: &dyn fmt::Display) -> Error {
    let remedy = "a display is an SSD1306 on an I2C bus that is switched on, for members of the \
                  group i2c";
    Error::new(format_args!("no display at {bus}"), format_args!("{reason}; {remedy}"))
}

fn lost_display(error: &impl fmt::Debug) -> Error {
    Error::new("the display", format_args!("it no longer answers ({error:?})"))
}
