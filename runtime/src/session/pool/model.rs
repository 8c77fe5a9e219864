//! The crew under loom: every order in which its threads can run, up to some preemptions.
//!
//! A part's cell is plain memory, so loom also fails where a thread, or the caller after the job,
//! does not see what another wrote.

use super::crew::Crew;
use super::sync::UnsafeCell;
use std::vec::Vec;

/// One plain number a part.
struct Parts(Vec<UnsafeCell<u32>>);

// SAFETY: loom fails the test if two threads are at one cell without an order between them.
unsafe impl Sync for Parts {}

impl Parts {
    fn new(count: usize) -> Self {
        Self((0..count).map(|_| UnsafeCell::new(0)).collect())
    }

    /// Has `crew` add one to every part, and asserts that it has `jobs` times.
    fn run(&self, crew: &Crew, jobs: u32) {
        crew.run(self.0.len(), &|_, part| {
            // SAFETY: the pointer is used within the call; loom watches who else is there.
            self.0[part].with_mut(|number| unsafe { *number += 1 });
        });
        for part in &self.0 {
            // SAFETY: as above.
            assert_eq!(part.with(|number| unsafe { *number }), jobs);
        }
    }
}

/// Runs `model` in every order with up to `preemptions` of threads that could go on.
fn every_order(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

#[test]
fn every_job_is_whole_when_it_returns() {
    every_order(3, || {
        let (crew, parts) = (Crew::new(1), Parts::new(2));
        (1..=3).for_each(|jobs| parts.run(&crew, jobs));
    });
}

#[test]
fn two_threads_and_the_caller_share_a_job() {
    every_order(1, || {
        let (crew, parts) = (Crew::new(2), Parts::new(2));
        (1..=2).for_each(|jobs| parts.run(&crew, jobs));
    });
}

#[test]
fn a_thread_that_is_not_kept_sleeps_and_comes_back() {
    every_order(3, || {
        let (crew, parts) = (Crew::new(1), Parts::new(2));
        parts.run(&crew, 1);
        crew.keep(1);
        parts.run(&crew, 2);
        crew.keep(2);
        parts.run(&crew, 3);
    });
}

#[test]
fn a_crew_ends_whatever_its_threads_are_at() {
    every_order(3, || {
        let crew = Crew::new(1);
        crew.keep(1);
        crew.keep(2);
    });
}
