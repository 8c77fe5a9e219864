//! How fast the kernels multiply where memory is no limit.

use crate::kernels;
use std::thread;

/// Multiplications and additions a second of `threads` threads, each with weights of Q4_0 that stay
/// in its cache and many columns.
pub(crate) fn multiply_rate(threads: usize) -> f64 {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(kernels::macs_per_second)).collect();
        threads.into_iter().map(|thread| thread.join().expect("nothing in it panics")).sum()
    })
}
