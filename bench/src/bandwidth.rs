//! How fast this machine reads memory: the limit of decoding.

use memmap2::MmapMut;
use std::io;
use std::thread;
use std::time::Instant;

/// Far more than caches hold.
const BYTES: usize = 512 << 20;

/// The best of so many passes is what the memory gives; others were disturbed.
const PASSES: usize = 4;

/// Bytes a second that `threads` threads read together, each from a stretch of its own, in huge
/// pages where the system has them, as weights in tiles are.
///
/// # Errors
///
/// If there is no memory to read.
pub(crate) fn read_bandwidth(threads: usize) -> io::Result<f64> {
    let mut memory = MmapMut::map_anon(BYTES)?;
    // Advice may be refused, by an older kernel for one; the memory is only a little slower then.
    #[cfg(target_os = "linux")]
    let _ = memory.advise(memmap2::Advice::HugePage);
    memory.fill(1);
    let passes = (0..PASSES).map(|_| {
        let start = Instant::now();
        let sum = sum(&memory, threads);
        let seconds = start.elapsed().as_secs_f64();
        // Every byte is 1.
        assert_eq!(sum, (BYTES as u64 / 8).wrapping_mul(0x0101_0101_0101_0101));
        BYTES as f64 / seconds
    });
    Ok(passes.fold(0.0, f64::max))
}

/// The sum of memory as 64-bit numbers.
fn sum(memory: &[u8], threads: usize) -> u64 {
    let (words, _) = memory.as_chunks::<8>();
    thread::scope(|scope| {
        let stretches = words.chunks(words.len().div_ceil(threads.max(1)));
        let stretches: Vec<_> = stretches.map(|words| scope.spawn(|| sum_of(words))).collect();
        let sums = stretches.into_iter().map(|sum| sum.join().expect("adding does not panic"));
        sums.fold(0, u64::wrapping_add)
    })
}

fn sum_of(words: &[[u8; 8]]) -> u64 {
    words.iter().fold(0, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)))
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn threads_share_the_memory_without_rest() {
        let words: Vec<u8> = (1..=1001_u64).flat_map(u64::to_le_bytes).collect();
        for threads in [1, 2, 3, 7] {
            assert_eq!(sum(&words, threads), 1001 * 1002 / 2, "{threads}");
        }
    }
}
