//! Screens to draw on: one that becomes a picture, and one behind the display's real driver.

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Size};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, Operation};
use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Write;
use std::rc::Rc;

pub(crate) const WIDTH: usize = 128;
pub(crate) const HEIGHT: usize = 64;
/// Rows in another colour on displays of two.
const HEADING: usize = 16;
/// Sides of a pixel, and the space around a screen, in a picture.
const SIDE: usize = 3;
const SPACE: usize = 12;

/// What is lit on a screen.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Picture(pub Vec<[bool; WIDTH]>);

impl Picture {
    pub(crate) fn new() -> Self {
        Self(vec![[false; WIDTH]; HEIGHT])
    }

    /// How many pixels are lit in some rows.
    pub(crate) fn lit(&self, rows: std::ops::Range<usize>) -> usize {
        self.0[rows].iter().flatten().filter(|&&lit| lit).count()
    }
}

impl OriginDimensions for Picture {
    fn size(&self) -> Size {
        Size::new(WIDTH as u32, HEIGHT as u32)
    }
}

impl DrawTarget for Picture {
    type Color = BinaryColor;
    type Error = Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Infallible>
    where
        I: IntoIterator<Item = Pixel<BinaryColor>>,
    {
        for Pixel(at, color) in pixels {
            let at = usize::try_from(at.x).ok().zip(usize::try_from(at.y).ok());
            if let Some((x, y)) = at.filter(|&(x, y)| x < WIDTH && y < HEIGHT) {
                self.0[y][x] = color.is_on();
            }
        }
        Ok(())
    }
}

/// Screens side by side, as SVG.
pub(crate) fn svg(screens: &[Picture]) -> String {
    let step = WIDTH * SIDE + 2 * SPACE;
    let (width, height) = (screens.len() * step, HEIGHT * SIDE + 2 * SPACE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
         <title>The status display of a kiosk</title>\n"
    );
    for (index, screen) in screens.iter().enumerate() {
        let x = index * step;
        writeln!(svg, "<g transform=\"translate({x} 0)\">").unwrap();
        let (width, height) = (step - SPACE / 2, height);
        writeln!(svg, "<rect width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"#0b0e14\"/>")
            .unwrap();
        writeln!(svg, "<g transform=\"translate({SPACE} {SPACE}) scale({SIDE})\">").unwrap();
        writeln!(svg, "<path fill=\"#ffd24a\" d=\"{}\"/>", path(screen, 0..HEADING)).unwrap();
        writeln!(svg, "<path fill=\"#7fd4ff\" d=\"{}\"/>", path(screen, HEADING..HEIGHT)).unwrap();
        svg.push_str("</g>\n</g>\n");
    }
    svg + "</svg>\n"
}

/// A rectangle for each run of lit pixels.
fn path(screen: &Picture, rows: std::ops::Range<usize>) -> String {
    let mut path = String::new();
    for y in rows {
        let mut x = 0;
        while x < WIDTH {
            let run = screen.0[y][x..].iter().take_while(|&&lit| lit).count();
            if run > 0 {
                write!(path, "M{x} {y}h{run}v1h-{run}z").unwrap();
            }
            x += run + 1;
        }
    }
    path
}

/// The memory of an SSD1306, written over a bus as its data sheet says (sections 8.1.5 and 10.1.3).
pub(crate) struct Chip {
    pub memory: Picture,
    /// Messages that held pixels.
    pub messages: usize,
    columns: [u8; 2],
    pages: [u8; 2],
    column: u8,
    page: u8,
}

/// Its end of the bus.
#[derive(Clone)]
pub(crate) struct Bus(pub Rc<RefCell<Chip>>);

impl Bus {
    pub(crate) fn new() -> Self {
        let (columns, pages) = ([0, 127], [0, 7]);
        let memory = Picture::new();
        let chip = Chip { memory, messages: 0, columns, pages, column: 0, page: 0 };
        Self(Rc::new(RefCell::new(chip)))
    }
}

impl Chip {
    fn take(&mut self, message: &[u8]) {
        match *message {
            [0x00, 0x21, first, last] => (self.columns, self.column) = ([first, last], first),
            [0x00, 0x22, first, last] => (self.pages, self.page) = ([first, last], first),
            [0x40, ref bytes @ ..] => {
                self.messages += 1;
                bytes.iter().for_each(|&byte| self.write(byte));
            }
            _ => {}
        }
    }

    /// Eight pixels, the uppermost in the lowest bit; then the next column, or the next page.
    fn write(&mut self, byte: u8) {
        for bit in 0..8 {
            let (x, y) = (usize::from(self.column), usize::from(self.page) * 8 + bit);
            self.memory.0[y][x] = byte >> bit & 1 != 0;
        }
        self.column += 1;
        if self.column > self.columns[1] {
            self.column = self.columns[0];
            self.page = if self.page < self.pages[1] { self.page + 1 } else { self.pages[0] };
        }
    }
}

impl ErrorType for Bus {
    type Error = ErrorKind;
}

impl I2c for Bus {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), ErrorKind> {
        assert_eq!(address, 0x3c);
        for operation in operations {
            match operation {
                Operation::Write(message) => self.0.borrow_mut().take(message),
                Operation::Read(_) => panic!("the chip cannot be read over this bus"),
            }
        }
        Ok(())
    }
}
