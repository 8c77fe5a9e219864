//! The face: patterns of the light, presses of the button, the display's picture, errors of pins.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "face/picture.rs"]
mod picture;

use dram_boards::face::{
    Button, Dimmed, Display, Press, Report, State, StatusLight, Switched, draw,
};
use embedded_hal_mock::eh1::MockError;
use embedded_hal_mock::eh1::digital::{Mock as Pin, State as Level, Transaction as Digital};
use embedded_hal_mock::eh1::pwm::{Mock as Pulse, Transaction as Duty};
use picture::{Bus, HEIGHT, Picture, svg};
use ssd1306::mode::DisplayConfig;
use ssd1306::rotation::DisplayRotation::Rotate0;
use ssd1306::size::DisplaySize128x64;
use ssd1306::{I2CDisplayInterface, Ssd1306};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

/// Two seconds of each pattern, a character for 50 ms.
const PATTERNS: [(State, &str); 7] = [
    (State::Loading, "##########..........##########.........."),
    (State::Ready, "########################################"),
    (State::Listening, "##################..##################.."),
    (State::Thinking, "..........#####################........."),
    (State::Answering, "###...###...###...###...###...###...###."),
    (State::Hot, "##...##................................."),
    (State::Error, "##...##...##............................"),
];

const ANSWERING: Report<'_> = Report {
    state: State::Answering,
    tokens_per_second: Some(11.84),
    celsius: Some(61.6),
    sentence: "A press stops it, a long one begins anew.",
};
const HOT: Report<'_> = Report {
    state: State::Hot,
    tokens_per_second: Some(7.1),
    celsius: Some(81.2),
    sentence: "Slower for a while. A fan or a heat sink helps.",
};

fn millis(millis: usize) -> Duration {
    Duration::from_millis(millis as u64)
}

#[test]
fn a_switched_light_has_a_pattern_for_each_state() {
    for (state, pattern) in PATTERNS {
        let levels =
            pattern.bytes().map(|byte| if byte == b'#' { Level::High } else { Level::Low });
        let levels: Vec<_> = levels.collect();
        // A ramp sets the pin at every step, the rest only when the level changes.
        let is_set = |&step: &usize| {
            step == 0 || state == State::Thinking || levels[step] != levels[step - 1]
        };
        let expected: Vec<_> =
            (0..levels.len()).filter(is_set).map(|step| Digital::set(levels[step])).collect();
        let mut pin = Pin::new(&expected);
        let mut light = StatusLight::new(Switched(pin.clone()));
        // Whenever it begins, and the same from period to period.
        for step in 0..levels.len() {
            light.step(state, millis(12_345 + 50 * step)).unwrap();
        }
        pin.done();
    }
}

#[test]
fn no_two_patterns_are_alike_and_every_state_has_one() {
    assert_eq!(PATTERNS.map(|(state, _)| state), State::ALL);
    for (index, (state, pattern)) in PATTERNS.iter().enumerate() {
        assert!(PATTERNS[..index].iter().all(|(_, other)| other != pattern), "{state:?}");
    }
}

#[test]
fn a_dimmed_light_breathes_and_a_new_state_begins_its_pattern() {
    let percent = [0, 25, 50, 75, 100, 75, 50, 25, 0, 100, 0];
    let set = |&percent: &u16| [Duty::max_duty_cycle(1000), Duty::set_duty_cycle(percent * 10)];
    let mut pin = Pulse::new(&percent.iter().flat_map(set).collect::<Vec<_>>());
    let mut light = StatusLight::new(Dimmed(pin.clone()));
    for step in 0..9 {
        light.step(State::Thinking, millis(250 * step)).unwrap();
    }
    light.step(State::Loading, millis(2250)).unwrap();
    light.step(State::Loading, millis(2749)).unwrap();
    light.switch_off().unwrap();
    pin.done();
}

#[test]
fn a_light_that_failed_is_set_again() {
    let error = MockError::Io(ErrorKind::NotConnected);
    let mut pin =
        Pin::new(&[Digital::set(Level::High).with_error(error), Digital::set(Level::High)]);
    let mut light = StatusLight::new(Switched(pin.clone()));
    light.step(State::Ready, millis(0)).unwrap_err();
    light.step(State::Ready, millis(20)).unwrap();
    light.step(State::Ready, millis(40)).unwrap();
    pin.done();
}

/// When a button tells which press; a character is a level that is read every `step` milliseconds.
fn presses(levels: &str, step: usize) -> Vec<(usize, Press)> {
    let level = |byte| Digital::get(if byte == b'#' { Level::Low } else { Level::High });
    let mut pin = Pin::new(&levels.bytes().map(level).collect::<Vec<_>>());
    let mut button = Button::new(pin.clone());
    let times = (0..levels.len()).map(|index| index * step);
    let told = times.filter_map(|time| Some((time, button.step(millis(time)).unwrap()?)));
    let told = told.collect();
    pin.done();
    told
}

#[test]
fn bounces_are_no_press() {
    assert_eq!(presses("#.#.##..#.##.........", 10), []);
    assert_eq!(presses(".....................", 10), []);
}

#[test]
fn a_short_press_is_told_once_on_release() {
    assert_eq!(presses("#.##..#########.#.#........", 10), [(220, Press::Short)]);
    let twice = format!("..{0}{0}", "######......");
    assert_eq!(presses(&twice, 10), [(110, Press::Short), (230, Press::Short)]);
}

#[test]
fn a_long_press_is_told_once_while_it_is_held() {
    let held = format!("...{}..........", "#".repeat(400));
    assert_eq!(presses(&held, 10), [(30 + 1500, Press::Long)]);
    let with_a_bounce = format!("...{}.{}........", "#".repeat(100), "#".repeat(100));
    assert_eq!(presses(&with_a_bounce, 10), [(30 + 1500, Press::Long)]);
    let just_short = format!("...{}........", "#".repeat(149));
    assert_eq!(presses(&just_short, 10), [(30 + 1490 + 30, Press::Short)]);
}

#[test]
fn a_long_press_counts_however_rarely_the_pin_is_read() {
    assert_eq!(presses("##..", 800), [(2400, Press::Long)]);
    assert_eq!(presses("#...#.", 1600), []);
}

#[test]
fn what_a_button_has_is_passed_on() {
    let error = MockError::Io(ErrorKind::NotConnected);
    let mut pin = Pin::new(&[Digital::get(Level::Low).with_error(error.clone())]);
    assert_eq!(Button::new(pin.clone()).step(millis(0)), Err(error));
    pin.done();
}

fn drawn(report: &Report<'_>) -> Picture {
    let mut picture = Picture::new();
    draw(&mut picture, report).unwrap();
    picture
}

#[test]
fn the_picture_in_the_documentation_is_what_is_drawn() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.github/face.svg");
    let expected = svg(&[drawn(&ANSWERING), drawn(&HOT)]);
    if std::env::var_os("DRAM_WRITE").is_some() {
        fs::write(path, expected).unwrap();
    } else {
        let committed = fs::read_to_string(path).unwrap();
        assert!(committed == expected, "draw it again with DRAM_WRITE=1");
    }
}

#[test]
fn what_is_not_known_is_not_drawn_and_what_does_not_fit_is_left_out() {
    let nothing = Report { tokens_per_second: None, celsius: None, sentence: "", ..ANSWERING };
    assert!(drawn(&nothing).lit(0..16) > 0);
    assert_eq!(drawn(&nothing).lit(16..HEIGHT), 0);
    let fitting =
        Report { sentence: "twenty-one letters do fit in each of three lines", ..nothing };
    let longer =
        Report { sentence: " twenty-one\nletters do fit in\teach of three lines ", ..nothing };
    assert!(drawn(&fitting) == drawn(&longer));
    let full = "123456789012345678901 123456789012345678901 123456789012345678901";
    let more = "123456789012345678901234 1234567890123456789012 123456789012345678901 too much";
    assert!(
        drawn(&Report { sentence: full, ..nothing })
            == drawn(&Report { sentence: more, ..nothing })
    );
}

#[test]
fn nothing_that_is_told_makes_drawing_panic() {
    for number in [f64::NAN, f64::INFINITY, -f64::INFINITY, -40.0, 1e300] {
        for sentence in ["\u{0}\u{1b}[2J", "日本語🥃\u{301}", &"x".repeat(10_000), "° ü ¿"]
        {
            let (tokens_per_second, celsius) = (Some(number), Some(number));
            drawn(&Report { tokens_per_second, celsius, sentence, ..HOT });
        }
    }
}

#[test]
fn the_driver_shows_the_same_picture_once_a_second_and_when_the_state_changes() {
    let bus = Bus::new();
    let interface = I2CDisplayInterface::new(bus.clone());
    let mut oled =
        Ssd1306::new(interface, DisplaySize128x64, Rotate0).into_buffered_graphics_mode();
    oled.init().unwrap();
    let mut display = Display::new(oled);
    // Whether a step sends anything.
    let mut step = |report: &Report<'_>, time| {
        bus.0.borrow_mut().messages = 0;
        display.step(report, millis(time)).unwrap();
        bus.0.borrow().messages > 0
    };
    let faster = Report { tokens_per_second: Some(12.0), ..ANSWERING };
    assert!(step(&ANSWERING, 0));
    assert!(bus.0.borrow().memory == drawn(&ANSWERING));
    assert!(!step(&faster, 999));
    assert!(step(&faster, 1000));
    assert!(bus.0.borrow().memory == drawn(&faster));
    assert!(step(&HOT, 1020));
    assert!(bus.0.borrow().memory == drawn(&HOT));
    display.clear().unwrap();
    assert_eq!(bus.0.borrow().memory.lit(0..HEIGHT), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_chip_that_is_not_there_is_named_with_a_remedy() {
    let lines = dram_boards::Face {
        chip: "no such chip".into(),
        light: 17,
        button: 27,
        i2c: "/dev/i2c-1".into(),
    };
    let told = dram_boards::face::Pins::open(&lines).err().unwrap().to_string();
    // Without access to a chip its label cannot be read, which has another remedy.
    let helps = told.contains("[face]") || told.contains("usermod -aG gpio");
    assert!(told.contains("\"no such chip\"") && helps && !told.contains('\n'), "{told}");
}
