//! On which cores threads run.

/// Keeps this thread, and those it starts from now on, on `cpus`.
///
/// A set of cores and not one for each: a thread whose core is busy moves to a free one, and does
/// not hold up a step. Where the system refuses, threads run where they did, only slower.
#[cfg(target_os = "linux")]
pub(crate) fn keep_to(cpus: &[usize]) {
    use nix::sched::{CpuSet, sched_setaffinity};
    let mut set = CpuSet::new();
    let is_whole = cpus.iter().all(|&cpu| set.set(cpu).is_ok());
    if is_whole && !cpus.is_empty() {
        let _ = sched_setaffinity(nix::unistd::Pid::from_raw(0), &set);
    }
}

/// Threads run where the system likes.
#[cfg(not(target_os = "linux"))]
pub(crate) fn keep_to(_: &[usize]) {}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::keep_to;
    use dram_boards::{Cores, Root};
    use std::{fs, thread};

    /// The cores this thread may run on, as the kernel lists them.
    fn allowed() -> String {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        line.unwrap().trim().into()
    }

    #[test]
    fn threads_started_later_stay_on_the_cores_too() {
        let last = *Cores::read(&Root::system()).fast().cpus.last().unwrap();
        let own = allowed();
        let inside = thread::spawn(move || {
            keep_to(&[last]);
            thread::spawn(allowed).join().unwrap()
        });
        assert_eq!(inside.join().unwrap(), last.to_string());
        assert_eq!(allowed(), own, "other threads are left alone");
    }

    #[test]
    fn cores_that_cannot_be_change_nothing() {
        let own = allowed();
        keep_to(&[]);
        keep_to(&[1 << 20]);
        assert_eq!(allowed(), own);
    }
}
