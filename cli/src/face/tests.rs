//! What is shown of a status, and what a press does to it.

use super::{Meter, no_lines, obey, state};
use dram_boards::face::{Press, State};
use dram_engine::{Status, Work};
use dram_runtime::text::Channel;
use std::time::Duration;

#[test]
fn a_reply_goes_through_the_states_and_heat_counts_only_while_it_works() {
    let status = Status::default();
    let shown = || state(&status).0;
    assert_eq!(shown(), State::Loading);
    status.set(Work::Ready);
    assert_eq!(shown(), State::Ready);
    status.begin();
    assert_eq!(shown(), State::Thinking);
    status.say(Channel::Answer);
    assert_eq!(shown(), State::Answering);
    status.count(7, true);
    assert_eq!((shown(), status.tokens()), (State::Hot, 7));
    status.set(Work::Failed);
    assert_eq!(shown(), State::Error);
    status.begin();
    assert_eq!(status.tokens(), 0);
    status.count(1, false);
    status.say(Channel::Reasoning);
    assert_eq!(shown(), State::Thinking);
}

#[test]
fn sentences_fit_on_the_display() {
    let status = Status::default();
    status.count(1, true);
    for work in [Work::Loading, Work::Ready, Work::Thinking, Work::Failed] {
        status.set(work);
        let (_, sentence) = state(&status);
        assert!(sentence.is_ascii() && sentence.len() <= 42, "{sentence}");
    }
}

#[test]
fn a_press_stops_and_a_long_one_resets_once() {
    let status = Status::default();
    obey(Press::Short, &status);
    assert!(status.stop.is_asked() && !status.take_reset());
    status.stop.forget();
    obey(Press::Long, &status);
    assert!(status.stop.is_asked() && status.take_reset());
    assert!(!status.take_reset());
}

#[test]
fn the_meter_counts_from_the_first_token_and_starts_again() {
    let mut meter = Meter::default();
    let mut at = |tokens, seconds| meter.step(tokens, Duration::from_secs(seconds));
    assert_eq!(at(0, 1), None);
    assert_eq!(at(0, 90), None);
    assert_eq!(at(1, 100), None);
    assert_eq!(at(5, 102), Some(2.0));
    assert_eq!(at(5, 190), Some(2.0), "a reply that is over stays as it was");
    assert_eq!(at(0, 200), Some(2.0), "the last speed is told until there is a new one");
    assert_eq!(at(2, 300), None);
    assert_eq!(at(32, 310), Some(3.0));
}

#[test]
fn a_board_without_lines_is_told_of_with_its_name() {
    let told = no_lines(None);
    assert!(told.contains("this machine") && told.contains("--board FILE"), "{told}");
}
