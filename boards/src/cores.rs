//! A machine's cores, and which of them should compute.

use crate::Root;
use crate::identity::printable;
use serde::Serialize;
use std::collections::BTreeSet;

/// Most cores that are looked at.
const MAX_CORES: usize = 1024;
const CPU: &str = "/sys/devices/system/cpu";

/// A core that is online.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Core {
    /// The kernel's number for it.
    pub cpu: usize,
    /// `CPU implementer` of `/proc/cpuinfo`.
    pub implementer: Option<u32>,
    /// `CPU part` of `/proc/cpuinfo`.
    pub part: Option<u32>,
    /// The kernel's measure of its speed; the fastest core has 1024.
    pub capacity: Option<u64>,
    /// The highest clock it may take.
    pub max_khz: Option<u64>,
    /// The clock now.
    pub now_khz: Option<u64>,
    /// What decides its clock.
    pub governor: Option<String>,
    /// What sets its clock.
    pub driver: Option<String>,
    /// Whether this process may run on it.
    pub is_allowed: bool,
}

/// All cores of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Cores {
    /// Those that are online, by number.
    pub online: Vec<Core>,
    /// How many more are switched off.
    pub offline: usize,
    /// Features of the CPU that all cores list.
    pub features: Vec<String>,
}

/// The cores that should compute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// Their numbers.
    pub cpus: Vec<usize>,
    /// Why these, as half a sentence.
    pub because: String,
}

/// What one paragraph of `/proc/cpuinfo` says.
#[derive(Default)]
struct Paragraph<'a> {
    cpu: usize,
    implementer: Option<u32>,
    part: Option<u32>,
    features: Option<BTreeSet<&'a str>>,
}

impl Cores {
    /// Reads what the system tells of its cores.
    pub fn read(root: &Root) -> Self {
        let cpuinfo = root.long_text("/proc/cpuinfo").unwrap_or_default();
        let paragraphs = paragraphs(&cpuinfo);
        let listed = || paragraphs.iter().map(|paragraph| paragraph.cpu).collect();
        let list = |path: String| root.text(&path).and_then(|text| numbers(&text));
        let online = list(format!("{CPU}/online")).unwrap_or_else(listed);
        let present = list(format!("{CPU}/present")).unwrap_or_default();
        let allowed = allowed(root);
        let core = |&cpu: &usize| {
            let paragraph = paragraphs.iter().find(|paragraph| paragraph.cpu == cpu);
            Core {
                is_allowed: allowed.as_ref().is_none_or(|allowed| allowed.contains(&cpu)),
                implementer: paragraph.and_then(|paragraph| paragraph.implementer),
                part: paragraph.and_then(|paragraph| paragraph.part),
                ..Core::read(root, cpu)
            }
        };
        Self {
            offline: present.difference(&online).count(),
            online: online.iter().map(core).collect(),
            features: features(&paragraphs),
        }
    }

    /// The fast ones among the cores this process may use, where cores differ; else all of them.
    ///
    /// A core is fast if it has 60 % of the largest capacity or, where capacities are unknown, 85 % of
    /// the highest clock: a slower one would finish its share late and hold up the others. Without capacities and clocks
    /// all cores count as alike.
    pub fn fast(&self) -> Choice {
        let allowed: Vec<&Core> = self.online.iter().filter(|core| core.is_allowed).collect();
        let by_capacity = most(&allowed, |core| core.capacity, 60);
        let by_clock = || most(&allowed, |core| core.max_khz, 85);
        let (cpus, because) = match by_capacity.or_else(by_clock) {
            Some(chosen) => {
                let slow = allowed.len() - chosen.len();
                (chosen, format!("the other {slow} are slower"))
            }
            None => (allowed.iter().map(|core| core.cpu).collect(), alike(&self.online, &allowed)),
        };
        Choice { cpus, because }
    }
}

impl Core {
    fn read(root: &Root, cpu: usize) -> Self {
        let clock = |file: &str| format!("{CPU}/cpu{cpu}/cpufreq/{file}");
        let name = |file: &str| root.text(&clock(file)).map(|name| printable(&name));
        Self {
            cpu,
            capacity: root.positive(&format!("{CPU}/cpu{cpu}/cpu_capacity")),
            max_khz: root.positive(&clock("cpuinfo_max_freq")),
            now_khz: root.positive(&clock("scaling_cur_freq")),
            governor: name("scaling_governor"),
            driver: name("scaling_driver"),
            ..Self::default()
        }
    }
}

/// Cores with at least `percent` of the highest `value`; `None` where that is all of them, or a
/// value is unknown.
fn most(
    cores: &[&Core],
    value: impl Fn(&Core) -> Option<u64>,
    percent: u128,
) -> Option<Vec<usize>> {
    let values: Vec<u64> = cores.iter().map(|core| value(core)).collect::<Option<_>>()?;
    let highest = u128::from(*values.iter().max()?);
    let is_fast = |value: u64| u128::from(value) * 100 >= highest * percent;
    let fast = cores.iter().zip(&values).filter(|&(_, &value)| is_fast(value));
    let fast: Vec<usize> = fast.map(|(core, _)| core.cpu).collect();
    (fast.len() < cores.len()).then_some(fast)
}

fn alike(online: &[Core], allowed: &[&Core]) -> String {
    match (online.len(), online.len() - allowed.len()) {
        (0, _) => "the system does not tell its cores".into(),
        (_, 0) => "all are alike".into(),
        (_, others) => format!("this process may not use the other {others}"),
    }
}

fn allowed(root: &Root) -> Option<BTreeSet<usize>> {
    let status = root.text("/proc/self/status")?;
    numbers(status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?)
}

/// Numbers of a list like `0-3,6`; `None` if it is no such list or empty.
fn numbers(list: &str) -> Option<BTreeSet<usize>> {
    let mut numbers = BTreeSet::new();
    for range in list.trim().split(',').take(MAX_CORES) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        numbers.extend(first..=last.min(MAX_CORES - 1));
    }
    (!numbers.is_empty()).then_some(numbers)
}

fn paragraphs(cpuinfo: &str) -> Vec<Paragraph<'_>> {
    let mut paragraphs: Vec<Paragraph<'_>> = Vec::new();
    for line in cpuinfo.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let (key, value) = (key.trim(), value.trim());
        if key == "processor" {
            let Ok(cpu) = value.parse() else { continue };
            if paragraphs.len() == MAX_CORES {
                break;
            }
            paragraphs.push(Paragraph { cpu, ..Paragraph::default() });
        }
        let Some(paragraph) = paragraphs.last_mut() else { continue };
        match key {
            "CPU implementer" => paragraph.implementer = hexadecimal(value),
            "CPU part" => paragraph.part = hexadecimal(value),
            "Features" | "flags" => paragraph.features = Some(value.split_whitespace().collect()),
            _ => {}
        }
    }
    paragraphs
}

fn hexadecimal(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// Features that tell what kernels a CPU can run; the rest of a long list tells nothing here.
const FEATURES: [&str; 20] = [
    "asimd",
    "asimdhp",
    "asimddp",
    "i8mm",
    "bf16",
    "sve",
    "sve2",
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512bw",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_int8",
    "sse4_1",
    "ssse3",
];

fn features(paragraphs: &[Paragraph<'_>]) -> Vec<String> {
    let has = |feature: &&&str| {
        let lists = |paragraph: &Paragraph<'_>| {
            paragraph.features.as_ref().is_some_and(|features| features.contains(**feature))
        };
        !paragraphs.is_empty() && paragraphs.iter().all(lists)
    };
    FEATURES.iter().filter(has).map(ToString::to_string).collect()
}
