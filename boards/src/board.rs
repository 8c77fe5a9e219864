//! What a board's file says.

use crate::{Architecture, Error};
use serde::{Deserialize, Serialize};

/// A board, as its TOML file describes it. Unknown keys are refused.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// The name of its file without `.toml`: what `--board` takes.
    #[serde(skip_deserializing)]
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What its programs are built for.
    pub architecture: Architecture,
    /// How it is recognised. Empty for a generic board: any machine of its architecture.
    #[serde(default)]
    pub detect: Detect,
    /// The table of kernels its CPU should run. Absent where CPUs differ.
    pub kernels: Option<String>,
    /// Its cores, the fastest kind first. Empty where machines differ.
    #[serde(default)]
    pub cores: Vec<CoreKind>,
    /// The last level of cache, shared by clusters of cores or all. Absent where L2 is the last, or
    /// unknown.
    pub l3_kib: Option<u32>,
    /// The sizes of memory it is sold with, ascending.
    #[serde(default)]
    pub memory_mib: Vec<u32>,
    /// How fast its cores read memory. More than one where a measured figure is a lower bound.
    #[serde(default)]
    pub bandwidth: Vec<Bandwidth>,
    /// How many threads to use. Absent where that follows from the machine's cores alone.
    pub threads: Option<Threads>,
    /// What to run on it by size of memory, ascending.
    #[serde(default)]
    pub models: Vec<DefaultModel>,
    /// When it gets too hot. Absent where the kernel's trip points tell, or unknown.
    pub thermal: Option<Thermal>,
    /// Lines of the kiosk's face. Absent where the header's lines were not checked.
    pub face: Option<Face>,
    /// How to power and cool it.
    pub power: Option<String>,
    /// Where the facts are from.
    #[serde(default)]
    pub sources: Vec<String>,
}

/// How a board is recognised.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Detect {
    /// Entries of `/proc/device-tree/compatible`; any one of them is proof.
    #[serde(default)]
    pub compatible: Vec<String>,
    /// Whole words that `/proc/device-tree/model` begins with, for trees with other entries.
    #[serde(default)]
    pub models: Vec<String>,
}

/// Cores of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CoreKind {
    /// What its maker calls it.
    pub name: String,
    /// `CPU implementer` of `/proc/cpuinfo`: 0x41 for Arm.
    pub implementer: u32,
    /// `CPU part` of `/proc/cpuinfo`.
    pub part: u32,
    /// How many there are, on the largest variant.
    pub count: u32,
    /// The highest clock without overclocking.
    pub clock_mhz: u32,
    /// Products of 8-bit numbers that a core can sum up in a cycle, by its instruction timings.
    /// Absent where these are not public.
    pub products_per_cycle: Option<u32>,
    /// First-level data cache of each core.
    pub l1d_kib: Option<u32>,
    /// Second-level cache of each core, or of all of its cluster if `l2_shared`.
    pub l2_kib: Option<u32>,
    /// Whether a cluster shares its second-level cache.
    #[serde(default)]
    pub l2_shared: bool,
}

/// A rate at which cores read memory.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bandwidth {
    /// Thousand million bytes a second.
    pub gbytes_per_second: f64,
    /// How the figure was obtained.
    pub basis: Basis,
    /// Who measured it, or which memory it follows from.
    pub source: String,
}

/// How a bandwidth was obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Measured with one core: a lower bound for all.
    OneCore,
    /// Measured with all cores.
    AllCores,
    /// Clock times width: an upper bound that nothing reaches.
    Theoretical,
}

/// Threads for the two kinds of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Threads {
    /// To generate a token: bound by memory.
    pub decode: u32,
    /// To read a prompt: bound by arithmetic.
    pub prefill: u32,
}

/// What to run on a board with some memory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultModel {
    /// The size of memory this is for, and larger ones up to the next entry.
    pub memory_mib: u32,
    /// The model, as its authors call it.
    pub name: String,
    /// The format of most of its weights.
    pub quant: String,
    /// Positions of prompt and answer together.
    pub context: u32,
    /// The format of keys and values: `f16` or `q8_0`.
    pub kv: String,
}

/// When a board gets too hot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Thermal {
    /// From here its firmware or kernel lowers clocks.
    pub slows_celsius: u32,
    /// From here a running model takes fewer threads. Absent: shortly before clocks are lowered.
    pub sheds_celsius: Option<u32>,
    /// What it must not reach.
    pub limit_celsius: u32,
}

/// Lines of the kiosk's face.
///
/// The chip and the bus are the board's. The lines are a choice: in the files built in 17 and 27, side
/// by side on a Raspberry Pi's header (pins 11 and 13). So is the display's address, always 0x3c.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Face {
    /// The label of the GPIO chip that drives the header.
    pub chip: String,
    /// The chip's line with the status light.
    pub light: u32,
    /// The chip's line with the button to ground.
    pub button: u32,
    /// The bus of the status display.
    pub i2c: String,
}

impl Threads {
    /// The same, but no more than `most` for either.
    #[must_use]
    pub fn at_most(self, most: u32) -> Self {
        Self { decode: self.decode.min(most), prefill: self.prefill.min(most) }
    }
}

impl Board {
    /// Reads a board's file; `id` is its name without `.toml`.
    ///
    /// # Errors
    ///
    /// If it is not TOML, lacks a key, has one that is unknown or of the wrong type, or
    /// contradicts itself.
    pub fn parse(id: &str, text: &str) -> Result<Self, Error> {
        let board: Self = toml::from_str(text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Error::new(format_args!("{id}.toml:{line}"), error.message().replace('\n', ", "))
        })?;
        let board = Self { id: id.into(), ..board };
        match board.contradiction() {
            Some(message) => Err(Error::new(format_args!("{id}.toml"), message)),
            None => Ok(board),
        }
    }

    /// Whether it stands for any machine of its architecture.
    pub fn is_generic(&self) -> bool {
        self.detect == Detect::default()
    }

    /// The best figure of how fast its cores read memory: all cores, else one, else in theory.
    pub fn best_bandwidth(&self) -> Option<&Bandwidth> {
        let of = |basis| self.bandwidth.iter().find(|bandwidth| bandwidth.basis == basis);
        of(Basis::AllCores).or_else(|| of(Basis::OneCore)).or_else(|| of(Basis::Theoretical))
    }

    /// What to run with so much memory; `None` if that is less than any entry asks for.
    ///
    /// Firmware and graphics keep some of a board's memory, so a quarter less counts as the size.
    pub fn default_model(&self, total_bytes: u64) -> Option<&DefaultModel> {
        let mib = total_bytes / (1 << 20);
        let fits = |model: &&DefaultModel| u64::from(model.memory_mib) * 3 / 4 <= mib;
        self.models.iter().rev().find(fits)
    }

    /// Products of 8-bit numbers that so many of its fastest cores can sum up in a second; `None`
    /// where it is not known.
    pub fn products_per_second(&self, cores: u32) -> Option<f64> {
        let kind = self.cores.first()?;
        let hertz = f64::from(kind.clock_mhz) * 1e6;
        Some(f64::from(kind.products_per_cycle?) * hertz * f64::from(cores.min(kind.count)))
    }

    /// What a machine of this board with so much memory can give to a model: an estimate, since the
    /// firmware, the kernel and a system without a desktop take 256 MiB and a twentieth.
    pub fn usable_bytes(memory_mib: u32) -> u64 {
        (u64::from(memory_mib) * 19 / 20).saturating_sub(256) << 20
    }

    /// What its cores are called where `/proc/cpuinfo` has these numbers.
    pub fn core_name(&self, implementer: u32, part: u32) -> Option<&str> {
        let kind = |kind: &&CoreKind| (kind.implementer, kind.part) == (implementer, part);
        self.cores.iter().find(kind).map(|kind| kind.name.as_str())
    }

    /// What contradicts itself, as a sentence.
    fn contradiction(&self) -> Option<String> {
        let ascends = |sizes: &[u32]| sizes.windows(2).all(|pair| pair[0] < pair[1]);
        let models: Vec<u32> = self.models.iter().map(|model| model.memory_mib).collect();
        if self.name.trim().is_empty() {
            return Some("`name` is empty; it is what people call the board".into());
        }
        if self.cores.iter().any(|kind| kind.count == 0 || kind.clock_mhz == 0) {
            return Some("`cores` has a kind with no cores or no clock".into());
        }
        if !ascends(&self.memory_mib) || !ascends(&models) {
            return Some("sizes of memory must ascend, in `memory_mib` and in `models`".into());
        }
        if let Some(size) = models.iter().find(|size| !self.memory_mib.contains(size)) {
            return Some(format!("`models` has one for {size} MiB, which `memory_mib` lacks"));
        }
        if let Some(model) = self.models.iter().find(|model| !is_kv(&model.kv)) {
            return Some(format!("`kv` is \"{}\"; it can be \"f16\" or \"q8_0\"", model.kv));
        }
        let mut rates = self.bandwidth.iter().map(|bandwidth| bandwidth.gbytes_per_second);
        if rates.any(|rate| !rate.is_finite() || rate <= 0.0) {
            return Some("`gbytes_per_second` must be more than 0".into());
        }
        if self.threads.is_some_and(|threads| threads.decode == 0 || threads.prefill == 0) {
            return Some("`threads` must be at least 1".into());
        }
        let thermal = self.thermal.filter(|thermal| {
            let sheds = thermal.sheds_celsius.unwrap_or(thermal.slows_celsius);
            thermal.slows_celsius.max(sheds) >= thermal.limit_celsius
        });
        let message = "`slows_celsius` and `sheds_celsius` must be below `limit_celsius`";
        thermal.map(|_| message.into())
    }
}

fn is_kv(format: &str) -> bool {
    matches!(format, "f16" | "q8_0")
}
