//! The picture in the README, drawn from what the program really prints.

use crate::fetch;
use crate::step::{Outcome, cargo, workspace};
use std::fmt::Write;
use std::fs;
use std::process::Stdio;

/// What is asked. Seeds make the answers those that everybody gets.
const QUESTIONS: [&[&str]; 2] = [
    &["run", "What is the capital of France?"],
    &["run", "--temp", "0.2", "--seed", "1", "Why is the sky blue?"],
];

const PLACE: &str = ".github/terminal.svg";
/// Characters in a line of the terminal.
const COLUMNS: usize = 84;
/// Pixels of a character and of a line.
const CHARACTER: usize = 9;
const LINE: usize = 20;

/// Asks, and draws questions and answers.
///
/// # Errors
///
/// If the model cannot be fetched, the program fails, or the file cannot be written.
pub(crate) fn picture() -> Outcome {
    fetch::fetch()?;
    let mut lines = Vec::new();
    for words in QUESTIONS {
        let quoted = words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
        lines.push(("command", format!("$ dram {quoted}")));
        for line in answer(words)?.lines() {
            lines.extend(wrap(line).into_iter().map(|line| ("answer", line)));
        }
        lines.push(("answer", String::new()));
    }
    lines.push(("command", "$ ".into()));
    let place = workspace().join(PLACE);
    fs::write(&place, draw(&lines)).map_err(|reason| format!("cannot write {place:?}: {reason}"))
}

fn answer(words: &[&str]) -> Outcome<String> {
    let mut program = cargo("run --release --quiet --");
    program.args(words).env("DRAM_MODELS", fetch::folder()).stdin(Stdio::null());
    let output = program.stderr(Stdio::inherit()).output();
    let output = output.map_err(|reason| format!("cannot start cargo: {reason}"))?;
    if !output.status.success() {
        return Err(format!("`dram {}` failed: {}", words.join(" "), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn quote(word: &str) -> String {
    if word.contains(' ') { format!("\"{word}\"") } else { word.into() }
}

/// Breaks a line between words.
fn wrap(line: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let last = lines.last_mut().expect("there is always a line");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > COLUMNS {
            lines.push(word.into());
            continue;
        }
        if !last.is_empty() {
            last.push(' ');
        }
        last.push_str(word);
    }
    lines
}

/// An SVG of lines, each with the name of its style.
fn draw(lines: &[(&str, String)]) -> String {
    let (width, height) = ((COLUMNS + 4) * CHARACTER, (lines.len() + 3) * LINE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n\
         <style>text {{ font: 15px ui-monospace, monospace; white-space: pre; }}\n\
         .command {{ fill: #e8c07d; }} .answer {{ fill: #e6e6e6; }}</style>\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"10\" fill=\"#1b1d23\"/>\n"
    );
    for (i, (style, line)) in lines.iter().enumerate().filter(|(_, (_, line))| !line.is_empty()) {
        let (x, y) = (2 * CHARACTER, (i + 2) * LINE);
        let line = line.replace('&', "&amp;").replace('<', "&lt;");
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "<text class=\"{style}\" x=\"{x}\" y=\"{y}\">{line}</text>");
    }
    svg + "</svg>\n"
}
