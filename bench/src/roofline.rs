//! One picture of a record: what was reached, beside the limits that the memory and the
//! multipliers set.
//!
//! Both axes are logarithmic. To the right, the work done with each byte of weights that is read;
//! upwards, the work done in a second. Whatever is bound by memory lies on the slope, whatever is
//! bound by arithmetic on the level.

use crate::median::median;
use crate::record::{self, MACHINE, MULTIPLY, Measurement, READ, values};
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

/// What the command line asks for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A table that `versus` has written
    record: PathBuf,
    /// The SVG to write
    out: PathBuf,
}

/// Draws.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { record, out } = arguments;
    let measurements = record::read(record)?;
    let title = record.file_stem().unwrap_or_default().to_string_lossy();
    let picture = Picture::of(&measurements)
        .ok_or_else(|| format!("{}: neither GB/s nor GMAC/s to draw", record.display()))?;
    fs::write(out, picture.svg(&title)).map_err(|e| format!("{}: {e}", out.display()).into())
}

/// What one program reached in one test.
struct Point {
    program: String,
    test: String,
    /// Multiplications and additions a byte.
    intensity: f64,
    /// Billions of them a second.
    work: f64,
}

/// What is drawn, and the ranges of the axes.
struct Picture {
    /// Bytes a nanosecond.
    bandwidth: f64,
    /// Multiplications and additions a nanosecond, in cache, where that was measured.
    multiplied: f64,
    /// Of one test after the other; in a test, the highest first.
    points: Vec<Point>,
    /// Powers of two.
    across: Axis,
    /// Powers of ten.
    up: Axis,
}

/// A logarithmic axis from one end of the plot to the other.
struct Axis {
    base: f64,
    /// Exponents at the ends.
    exponents: [f64; 2],
    /// Pixels at the ends.
    pixels: [f64; 2],
}

/// Of the picture.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 460.0;
/// Of the plot.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 730.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 400.0;

impl Axis {
    /// An axis with room below and above the values.
    fn around(base: f64, [below, above]: [f64; 2], pixels: [f64; 2], values: &[f64]) -> Self {
        let logs = || values.iter().map(|value| value.log(base));
        let least = (logs().fold(f64::INFINITY, f64::min) - below).floor();
        let most = (logs().fold(f64::NEG_INFINITY, f64::max) + above).ceil();
        Self { base, exponents: [least, most], pixels }
    }

    fn pixel(&self, value: f64) -> f64 {
        let [(first, last), (start, end)] = [self.exponents, self.pixels].map(|[a, b]| (a, b));
        start + (value.log(self.base) - first) / (last - first) * (end - start)
    }

    fn ends(&self) -> [f64; 2] {
        self.exponents.map(|exponent| self.base.powf(exponent))
    }

    /// Every whole power of the base.
    fn ticks(&self) -> impl Iterator<Item = f64> {
        let [first, last] = self.exponents.map(|exponent| exponent as i32);
        (first..=last).map(|exponent| self.base.powi(exponent))
    }
}

impl Picture {
    /// `None` if the memory or no program was measured.
    fn of(measurements: &[Measurement]) -> Option<Self> {
        let bandwidth = median(&values(measurements, MACHINE, READ, "GB/s"));
        let multiplied = median(&values(measurements, MACHINE, MULTIPLY, "GMAC/s"));
        let points = points(measurements);
        if points.is_empty() || bandwidth.is_nan() {
            return None;
        }
        let [intensities, works] = [|point: &Point| point.intensity, |point: &Point| point.work]
            .map(|value| points.iter().map(value).collect::<Vec<f64>>());
        let works: Vec<f64> =
            works.into_iter().chain(multiplied.is_finite().then_some(multiplied)).collect();
        let across = Axis::around(2.0, [1.0, 2.0], [LEFT, RIGHT], &intensities);
        let up = Axis::around(10.0, [0.1, 0.3], [BOTTOM, TOP], &works);
        Some(Self { bandwidth, multiplied, points, across, up })
    }

    fn svg(&self, title: &str) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
             font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#333\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"8\" fill=\"#fff\"/>\n\
             <text x=\"{LEFT}\" y=\"30\" font-size=\"15\" font-weight=\"600\">{}</text>\n",
            escaped(title)
        );
        self.draw_axes(&mut svg);
        self.draw_slope(&mut svg);
        self.draw_level(&mut svg);
        self.points.chunk_by(|a, b| a.test == b.test).for_each(|test| self.draw(test, &mut svg));
        svg + "</svg>\n"
    }

    fn draw_axes(&self, svg: &mut String) {
        let ([x, y], middle) = ([(LEFT + RIGHT) / 2.0, HEIGHT - 18.0], (TOP + BOTTOM) / 2.0);
        for tick in self.across.ticks() {
            let x = self.across.pixel(tick);
            line(svg, [x, TOP, x, BOTTOM], "#eee", 1.0);
            text(svg, [x, BOTTOM + 18.0], "middle", &tick.to_string());
        }
        for tick in self.up.ticks() {
            let y = self.up.pixel(tick);
            line(svg, [LEFT, y, RIGHT, y], "#eee", 1.0);
            text(svg, [LEFT - 8.0, y + 4.0], "end", &tick.to_string());
        }
        text(svg, [x, y], "middle", "MAC for each byte of weights read");
        let _ = writeln!(
            svg,
            "<text transform=\"translate(22 {middle}) rotate(-90)\" \
             text-anchor=\"middle\">GMAC/s</text>"
        );
    }

    /// Draws what the memory allows, as far as it lies in the plot.
    fn draw_slope(&self, svg: &mut String) {
        let ([left, right], [low, high]) = (self.across.ends(), self.up.ends());
        let [start, end] = [left.max(low / self.bandwidth), right.min(high / self.bandwidth)];
        let [(x1, y1), (x2, y2)] = [start, end].map(|x| self.place(x, x * self.bandwidth));
        line(svg, [x1, y1, x2, y2], "#c2410c", 2.0);
        let label = format!("memory: {:.1} GB/s", self.bandwidth);
        text(svg, [x2 + 8.0, y2 + 16.0], "start", &label);
    }

    /// Draws what the kernels reach where memory is no limit.
    fn draw_level(&self, svg: &mut String) {
        if self.multiplied.is_finite() {
            let (_, y) = self.place(1.0, self.multiplied);
            let meets = self.multiplied / self.bandwidth;
            let (x, _) = self.place(meets.max(self.across.ends()[0]), self.multiplied);
            line(svg, [x, y, RIGHT, y], "#c2410c", 2.0);
            let label = format!("multiplied in cache: {:.0} GMAC/s", self.multiplied);
            text(svg, [RIGHT - 8.0, y - 8.0], "end", &label);
        }
    }

    /// Draws the points of one test; labels keep away from each other and from the edge.
    fn draw(&self, test: &[Point], svg: &mut String) {
        for (point, down) in test.iter().zip([-1.0, 11.0]) {
            let (x, y) = self.place(point.intensity, point.work);
            let colour = if point.program == "dram" { "#0f766e" } else { "#94a3b8" };
            let _ =
                writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"{colour}\"/>");
            let label = format!("{} {}: {:.1}", point.program, point.test, point.work);
            let (aside, anchor) =
                if x < (LEFT + RIGHT) / 2.0 { (10.0, "start") } else { (-10.0, "end") };
            text(svg, [x + aside, y + down], anchor, &label);
        }
    }

    fn place(&self, intensity: f64, work: f64) -> (f64, f64) {
        (self.across.pixel(intensity), self.up.pixel(work))
    }
}

/// The medians of every program in every test that has both units.
fn points(measurements: &[Measurement]) -> Vec<Point> {
    let worked = measurements.iter().filter(|m| m.unit == "GMAC/s");
    let pairs: BTreeSet<_> = worked.map(|m| (&m.test, &m.program)).collect();
    let points = pairs.into_iter().map(|(test, program)| {
        let [read, work] =
            ["GB/s", "GMAC/s"].map(|unit| median(&values(measurements, program, test, unit)));
        Point { program: program.clone(), test: test.clone(), intensity: work / read, work }
    });
    let mut points: Vec<_> = points.filter(|point| point.intensity.is_finite()).collect();
    points.sort_by(|a, b| a.test.cmp(&b.test).then(b.work.total_cmp(&a.work)));
    points
}

fn line(svg: &mut String, [x1, y1, x2, y2]: [f64; 4], colour: &str, width: f64) {
    let _ = writeln!(
        svg,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\" \
         stroke-width=\"{width}\"/>"
    );
}

fn text(svg: &mut String, [x, y]: [f64; 2], anchor: &str, text: &str) {
    let text = escaped(text);
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

/// Text as XML holds it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{BOTTOM, LEFT, Picture, RIGHT, TOP};
    use crate::record::Measurement;

    fn record() -> Vec<Measurement> {
        let rows = [
            ("machine", "read", 30.0, "GB/s"),
            ("machine", "multiply", 200.0, "GMAC/s"),
            ("dram", "tg64", 30.0, "GB/s"),
            ("dram", "tg64", 50.0, "GMAC/s"),
            ("llama.cpp", "tg64", 15.0, "GB/s"),
            ("llama.cpp", "tg64", 25.0, "GMAC/s"),
            ("llama.cpp", "tg64", 16.0, "tokens/s"),
        ];
        rows.map(|(program, test, value, unit)| Measurement::new(program, test, 0, value, unit))
            .into()
    }

    #[test]
    fn what_reads_as_fast_as_the_memory_lies_on_its_slope() {
        let picture = Picture::of(&record()).unwrap();
        let [first, second] = &picture.points[..] else { panic!("two points") };
        assert_eq!((&*first.program, &*second.program), ("dram", "llama.cpp"));
        let (x, y) = picture.place(first.intensity, first.work);
        assert_eq!(y, picture.up.pixel(first.intensity * picture.bandwidth));
        assert!(picture.place(second.intensity, second.work).1 > y, "the slower lies below");
        assert!((LEFT..RIGHT).contains(&x) && (TOP..BOTTOM).contains(&y));
    }

    #[test]
    fn the_svg_has_a_mark_for_each_point_and_escapes_text() {
        let svg = Picture::of(&record()).unwrap().svg("R1 < \"o1\" & more");
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!(svg.contains("R1 &lt; \"o1\" &amp; more") && svg.contains("memory: 30.0 GB/s"));
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn the_level_begins_where_it_meets_the_slope() {
        let picture = Picture::of(&record()).unwrap();
        let (x, y) = picture.place(200.0 / 30.0, 200.0);
        let svg = picture.svg("");
        assert!(svg.contains(&format!("x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{RIGHT:.1}\"")), "{svg}");
        assert_eq!(picture.points.len(), 2, "the level is no point");
        let without = [&record()[..1], &record()[2..]].concat();
        assert!(!Picture::of(&without).unwrap().svg("").contains("in cache"));
    }

    #[test]
    fn a_record_without_the_memory_is_no_picture() {
        assert!(Picture::of(&record()[1..]).is_none());
        assert!(Picture::of(&record()[..2]).is_none());
    }
}
