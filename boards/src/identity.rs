//! What a machine calls itself.

use crate::Root;
use serde::{Deserialize, Serialize};

/// What programs are built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// 64-bit ARM.
    Aarch64,
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
}

impl Architecture {
    /// What this program was built for; `None` if it is neither of the two.
    pub fn of_program() -> Option<Self> {
        match std::env::consts::ARCH {
            "aarch64" => Some(Self::Aarch64),
            "x86_64" => Some(Self::X86_64),
            _ => None,
        }
    }
}

/// What a machine calls itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The name in the device tree, or of the product on a PC.
    pub model: Option<String>,
    /// The device tree's `compatible`, the most specific first.
    pub compatible: Vec<String>,
    /// What its `/proc/cpuinfo` looks like; else what this program was built for.
    pub architecture: Option<Architecture>,
}

/// Most entries of `compatible` that are looked at; real trees have fewer than ten.
const MAX_COMPATIBLE: usize = 32;
/// Most characters of a name.
const MAX_NAME: usize = 128;

impl Identity {
    /// Reads what the system calls itself.
    pub fn read(root: &Root) -> Self {
        let cpuinfo = root.long_text("/proc/cpuinfo").unwrap_or_default();
        let tree = |file: &str| {
            let sysfs = format!("/sys/firmware/devicetree/base/{file}");
            root.text(&format!("/proc/device-tree/{file}")).or_else(|| root.text(&sysfs))
        };
        let model = tree("model").or_else(|| root.text("/sys/class/dmi/id/product_name"));
        let compatible = tree("compatible").unwrap_or_default();
        let compatible = compatible.split('\0').filter(|entry| !entry.is_empty());
        Self {
            model: model.map(|model| printable(&model)),
            compatible: compatible.take(MAX_COMPATIBLE).map(printable).collect(),
            architecture: architecture(&cpuinfo).or_else(Architecture::of_program),
        }
    }
}

fn architecture(cpuinfo: &str) -> Option<Architecture> {
    let has = |key| cpuinfo.lines().any(|line: &str| line.starts_with(key));
    match (has("CPU implementer"), has("vendor_id")) {
        (true, _) => Some(Architecture::Aarch64),
        (_, true) => Some(Architecture::X86_64),
        _ => None,
    }
}

/// A name that can be shown on a terminal: one line of bounded length, without control characters.
pub(crate) fn printable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_NAME).collect()
}
