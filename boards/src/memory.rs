//! How much memory there is, and how much may be used.

use crate::Root;
use serde::Serialize;

/// A machine's memory. Numbers the system does not tell are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// All of it.
    pub total_bytes: Option<u64>,
    /// What can be used without swapping, in the kernel's estimate.
    pub free_bytes: Option<u64>,
    /// What a control group leaves to this process, where one limits it.
    pub limit_bytes: Option<u64>,
    /// Room to swap to.
    pub swap_bytes: u64,
    /// The part of it that is memory compressed (zram).
    pub zram_bytes: u64,
}

/// Most levels of control groups that are looked at.
const MAX_LEVELS: usize = 32;

impl Memory {
    /// What may be used without swapping, by the kernel's estimate and by control groups.
    pub fn available_bytes(&self) -> Option<u64> {
        match (self.free_bytes, self.limit_bytes) {
            (Some(free), Some(limit)) => Some(free.min(limit)),
            (free, limit) => free.or(limit),
        }
    }

    /// How much a model may count on: all of it, or what a control group leaves.
    pub fn size_bytes(&self) -> Option<u64> {
        self.total_bytes.into_iter().chain(self.limit_bytes).min()
    }

    /// Reads what the system tells of its memory.
    pub fn read(root: &Root) -> Self {
        let meminfo = root.text("/proc/meminfo").unwrap_or_default();
        let total_bytes = kilobytes(&meminfo, "MemTotal:");
        Self {
            total_bytes,
            free_bytes: kilobytes(&meminfo, "MemAvailable:"),
            limit_bytes: limit(root, total_bytes.unwrap_or(u64::MAX)),
            swap_bytes: kilobytes(&meminfo, "SwapTotal:").unwrap_or(0),
            zram_bytes: zram(root),
        }
    }
}

/// A line like `MemTotal:  927248 kB`, in bytes.
fn kilobytes(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Sizes of the devices in `/proc/swaps` that are zram, in bytes.
fn zram(root: &Root) -> u64 {
    let swaps = root.text("/proc/swaps").unwrap_or_default();
    let devices = swaps.lines().filter(|line| line.starts_with("/dev/zram"));
    let kilobytes = devices.filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
    kilobytes.fold(0, |sum: u64, size| sum.saturating_add(size.saturating_mul(1024)))
}

/// What the tightest control group leaves; `None` where none limits to less than `total`.
fn limit(root: &Root, total: u64) -> Option<u64> {
    let groups = root.text("/proc/self/cgroup")?;
    let left = groups.lines().filter_map(|line| {
        let (_, line) = line.split_once(':')?;
        let (controllers, path) = line.split_once(':')?;
        match controllers {
            "" => tightest(path, |group| unified(root, group, total)),
            _ if controllers.split(',').any(|name| name == "memory") => {
                tightest(path, |group| legacy(root, group, total))
            }
            _ => None,
        }
    });
    left.min()
}

/// The least that a group or any group above it leaves. A group's path may be that of another
/// namespace: levels that do not exist here say nothing.
fn tightest(path: &str, left: impl Fn(&str) -> Option<u64>) -> Option<u64> {
    // A path that goes up, or does not start at the root, names no group.
    let is_odd = !path.starts_with('/') || path.split('/').any(|part| part == "..");
    let path = if is_odd { "" } else { path };
    let mut path = path.trim_end_matches('/');
    let mut least = None;
    for _ in 0..MAX_LEVELS {
        least = [least, left(path)].into_iter().flatten().min();
        match path.rsplit_once('/') {
            Some((above, _)) => path = above,
            None => break,
        }
    }
    least
}

/// Version 2: `memory.max` and `memory.current`.
fn unified(root: &Root, group: &str, total: u64) -> Option<u64> {
    let file = |name: &str| format!("/sys/fs/cgroup{group}/{name}");
    let limit = root.positive(&file("memory.max"))?;
    leaves(root, limit, &file("memory.current"), &file("memory.stat"), total)
}

/// Version 1, which says "no limit" with a number beyond all memory.
fn legacy(root: &Root, group: &str, total: u64) -> Option<u64> {
    let file = |name: &str| format!("/sys/fs/cgroup/memory{group}/{name}");
    let limit = root.positive(&file("memory.limit_in_bytes"))?;
    leaves(root, limit, &file("memory.usage_in_bytes"), &file("memory.stat"), total)
}

/// A limit without what is used, except for pages of files, which the kernel gives up when it needs
/// room: those of a model that ran before among them, however often it ran.
fn leaves(root: &Root, limit: u64, usage: &str, stat: &str, total: u64) -> Option<u64> {
    if limit >= total {
        return None;
    }
    let used = root.positive(usage).unwrap_or(0);
    let stat = root.text(stat).unwrap_or_default();
    Some(limit.saturating_sub(used.saturating_sub(file_pages(&stat))))
}

/// Bytes of pages that mirror files, in a `memory.stat`. They become active when they are read
/// again, which keeps none of them. Version 1 tells of a group alone and, as `total_…`, with those
/// below it, as usage is counted.
fn file_pages(stat: &str) -> u64 {
    let number = |key: &str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))?;
        line.trim().parse::<u64>().ok()
    };
    let kinds = [
        number("total_inactive_file").or_else(|| number("inactive_file")),
        number("total_active_file").or_else(|| number("active_file")),
    ];
    kinds.into_iter().flatten().fold(0, u64::saturating_add)
}
