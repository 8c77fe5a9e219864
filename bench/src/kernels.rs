//! Every kernel of every table on this CPU, by itself: one thread, weights in cache and not.

mod input;

use dram_quant::{EIGHT, Format, Matrix, Order};
use dram_targets::Kernels;
use input::{Input, Scratch};
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// What the command line asks for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Formats, as Q4_K; all unless told
    #[arg(value_parser = format_named)]
    formats: Vec<Format>,
}

/// Weights in a row: the width of the 1.5B distill.
const LEN: usize = 1536;

/// Rows that a core's second cache holds in every format.
const CACHED_ROWS: usize = 64;

/// Bytes that no cache holds.
const UNCACHED: usize = 256 << 20;

/// Columns of a step of decoding, of eight sequences at once, and of a prompt.
const ONE: usize = 1;
const MANY: usize = 8;
const PROMPT: usize = 64;

/// How long a sample runs, at least, and how many there are: the best is taken, since others were
/// disturbed.
const SAMPLE: Duration = Duration::from_millis(15);
const SAMPLES: usize = 3;

/// Groups of eight rows between looks at the clock.
const GROUPS: usize = 16;

fn format_named(name: &str) -> Result<Format, String> {
    let found = Format::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(name));
    let names = || Format::ALL.map(Format::name).join(", ");
    found.ok_or_else(|| format!("must be one of {}", names()))
}

/// What was measured of one kernel.
struct Line {
    table: &'static str,
    order: Order,
    /// Bytes of weights a nanosecond with one column, in cache and not.
    read: [f64; 2],
    /// Time of eight columns in that of one, in cache and not.
    many: [f64; 2],
    /// Multiplications and additions a nanosecond with many columns, weights in cache.
    macs: f64,
}

/// Checks and measures; prints a block of lines for each format.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let asked = &arguments.formats[..];
    let formats = if asked.is_empty() { &Format::ALL[..] } else { asked };
    println!(
        "one thread; GB/s of weights and time of {MANY} columns in that of one, in cache | not;"
    );
    println!(
        "MAC/ns with {PROMPT} columns; <-- reads fastest with one column, weights not in cache\n"
    );
    println!("{:27} {:^15}   {:^13}   MAC/ns", "", "GB/s", "8 : 1");
    let mut uncached = Vec::new();
    for &format in formats {
        print(format, &lines(format, &mut uncached)?);
    }
    Ok(())
}

fn print(format: Format, lines: &[Line]) {
    let most = lines.iter().map(|line| line.read[1]).fold(0.0, f64::max);
    for Line { table, order, read, many, macs } in lines {
        let name = format.name();
        let order = format!("{order:?}").to_lowercase();
        let mark = if read[1] == most { "<--" } else { "" };
        println!(
            "{name:7} {order:6} {table:12} {:7.2} {:7.2}   {:6.2} {:6.2} {macs:8.2} {mark}",
            read[0], read[1], many[0], many[1],
        );
    }
    println!();
}

/// Measures every table in every order; `uncached` is memory to be written over.
fn lines(format: Format, uncached: &mut Vec<u8>) -> Result<Vec<Line>, String> {
    let mut lines = Vec::new();
    let orders = if format.is_float() { &[Order::Rows][..] } else { &[Order::Rows, Order::Tiles] };
    let scalar = dram_targets::named("scalar").expect("`scalar` runs everywhere");
    let input = Input::new(LEN, PROMPT, scalar);
    let mut expected = None;
    for &order in orders {
        let weights = input::weights(format, order, CACHED_ROWS, LEN);
        uncached.clear();
        (0..UNCACHED / weights.len()).for_each(|_| uncached.extend(&weights));
        let rows = UNCACHED / weights.len() * CACHED_ROWS;
        let [cached, uncached] = [(&weights, CACHED_ROWS), (&*uncached, rows)].map(|(w, rows)| {
            Matrix::new(w, format, order, rows, LEN).expect("rows of whole blocks")
        });
        for table in dram_targets::all() {
            let expected = expected.get_or_insert_with(|| products(scalar, &cached, &input));
            if products(table, &cached, &input) != *expected {
                let (table, format) = (table.name(), format.name());
                return Err(format!("{table} and scalar disagree on {format} in {order:?}"));
            }
            lines.push(measure(table, order, &cached, &uncached, &input));
        }
    }
    Ok(lines)
}

/// The bits of all products, with as many columns as are measured.
fn products(table: &Kernels, w: &Matrix<'_>, input: &Input) -> Vec<[u32; EIGHT]> {
    let mut scratch = Scratch::new(LEN, PROMPT);
    let mut products = Vec::new();
    for columns in [ONE, MANY, PROMPT] {
        for eight in 0..w.groups() {
            let (x, scratch) = (input.columns(columns), scratch.bytes());
            let y = table.multiply(w, eight..eight + 1, x, scratch);
            products.extend(y.iter().map(|y| y.map(f32::to_bits)));
        }
    }
    products
}

fn measure(
    table: &'static Kernels,
    order: Order,
    cached: &Matrix<'_>,
    uncached: &Matrix<'_>,
    input: &Input,
) -> Line {
    let eight_rows = cached.bytes().len() / cached.groups();
    let one = [cached, uncached].map(|w| nanoseconds(table, w, input, ONE));
    let many = [cached, uncached].map(|w| nanoseconds(table, w, input, MANY));
    let prompt = nanoseconds(table, cached, input, PROMPT);
    Line {
        table: table.name(),
        order,
        read: one.map(|one| eight_rows as f64 / one),
        many: [many[0] / one[0], many[1] / one[1]],
        macs: (EIGHT * LEN * PROMPT) as f64 / prompt,
    }
}

/// Multiplications and additions a second of the best table on this thread, with weights of Q4_0
/// that stay in the cache and the columns of a prompt.
pub(crate) fn macs_per_second() -> f64 {
    let (table, format) = (dram_targets::best(), Format::Q4_0);
    let weights = input::weights(format, Order::Tiles, CACHED_ROWS, LEN);
    let w = Matrix::new(&weights, format, Order::Tiles, CACHED_ROWS, LEN);
    let input = Input::new(LEN, PROMPT, table);
    let time = nanoseconds(table, &w.expect("rows of whole blocks"), &input, PROMPT);
    (EIGHT * LEN * PROMPT) as f64 * 1e9 / time
}

/// Time of eight rows, walking through the matrix again and again, as a session does: four groups
/// of rows at once with many columns.
fn nanoseconds(table: &Kernels, w: &Matrix<'_>, input: &Input, columns: usize) -> f64 {
    let together = if columns > MANY { 4 } else { 1 };
    let mut scratch = Scratch::new(LEN, columns);
    let x = input.columns(columns);
    let mut eights = (0..w.groups()).step_by(together).cycle();
    let samples = (0..SAMPLES).map(|_| {
        let (start, mut groups) = (Instant::now(), 0);
        while start.elapsed() < SAMPLE {
            for eight in eights.by_ref().take(GROUPS / together) {
                black_box(table.multiply(w, eight..eight + together, x, scratch.bytes()));
            }
            groups += GROUPS;
        }
        start.elapsed().as_nanos() as f64 / groups as f64
    });
    samples.fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::{CACHED_ROWS, Input, LEN, input, products};
    use dram_quant::{Format, Matrix, Order};

    /// Products that are 0 or NaN would pass any check.
    #[test]
    fn what_is_checked_is_neither_zero_nor_nan() {
        let scalar = dram_targets::named("scalar").unwrap();
        let x = Input::new(LEN, super::PROMPT, scalar);
        for format in Format::ALL {
            let bytes = input::weights(format, Order::Rows, CACHED_ROWS, LEN);
            let w = Matrix::new(&bytes, format, Order::Rows, CACHED_ROWS, LEN).unwrap();
            let y = products(scalar, &w, &x).into_iter().flatten().map(f32::from_bits);
            let (mut count, mut square) = (0.0, 0.0);
            for y in y {
                assert!(y.is_finite(), "{format:?}");
                (count, square) = (count + 1.0, square + f64::from(y).powi(2));
            }
            assert!(square / count > 1e-3, "{format:?}: {}", square / count);
        }
    }
}
