//! What a board's firmware says of its power and clock.

use crate::Root;
use serde::Serialize;

/// What goes wrong, or went wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Conditions {
    /// The supply's voltage is too low.
    pub under_voltage: bool,
    /// The clock is kept below a limit.
    pub capped: bool,
    /// The clock is lowered.
    pub throttled: bool,
    /// The soft limit of temperature is reached.
    pub soft_limit: bool,
}

/// What the firmware of a Raspberry Pi says; of other machines, what the kernel says of clocks alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Power {
    /// At this moment.
    pub now: Conditions,
    /// At any moment since the board started; `None` where only the present is known.
    pub since_boot: Option<Conditions>,
}

/// Where kernels of Raspberry Pi OS had the firmware's word. Later ones leave it to `vcgencmd`.
pub(crate) const GET_THROTTLED: [&str; 2] = [
    "/sys/devices/platform/soc/soc:firmware/get_throttled",
    "/sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled",
];

const HWMON: &str = "/sys/class/hwmon";
const THERMAL: &str = "/sys/class/thermal";
/// Most cooling devices that are looked at: a PC has one for each core, and some fans.
const MAX_COOLERS: usize = 64;

impl Power {
    /// Reads the firmware's word in hexadecimal, as sysfs or `vcgencmd get_throttled` writes it.
    ///
    /// Bits 0 to 3 are the present, bits 16 to 19 the past (Raspberry Pi documentation, "vcgencmd").
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.trim();
        let word = word.strip_prefix("throttled=").unwrap_or(word);
        let word = u32::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok()?;
        Some(Self { now: conditions(word), since_boot: Some(conditions(word >> 16)) })
    }

    pub(crate) fn read(root: &Root) -> Option<Self> {
        let word = GET_THROTTLED.iter().find_map(|path| root.text(path));
        let told = word.and_then(|word| Self::parse(&word)).or_else(|| alarm(root));
        told.or_else(|| kernel(root))
    }
}

/// Files with how far the kernel lowers the clocks of CPUs because of heat; 0 for not at all.
pub(crate) fn coolers(root: &Root) -> Vec<String> {
    let is_of_cpu = |device: &String| {
        let kind = root.text(&format!("{THERMAL}/{device}/type")).unwrap_or_default();
        ["cpufreq", "thermal-cpufreq", "Processor"].iter().any(|known| kind.starts_with(known))
    };
    let devices = root.names(THERMAL, "cooling_device").into_iter().take(MAX_COOLERS);
    devices.filter(is_of_cpu).map(|device| format!("{THERMAL}/{device}/cur_state")).collect()
}

/// What the kernel says where the firmware says nothing: whether it lowers clocks now, and whether
/// an Intel CPU has ever been told to.
fn kernel(root: &Root) -> Option<Power> {
    let coolers = coolers(root);
    let states: Vec<i64> = coolers.iter().filter_map(|file| root.number(file)).collect();
    let count = root.number("/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count");
    if states.is_empty() && count.is_none() {
        return None;
    }
    let throttled = |throttled| Conditions { throttled, ..Conditions::default() };
    Some(Power {
        now: throttled(states.iter().any(|&state| state > 0)),
        since_boot: count.map(|count| throttled(count > 0)),
    })
}

fn conditions(bits: u32) -> Conditions {
    Conditions {
        under_voltage: bits & 1 != 0,
        capped: bits & 2 != 0,
        throttled: bits & 4 != 0,
        soft_limit: bits & 8 != 0,
    }
}

/// The driver that every kernel has: of the present voltage alone.
fn alarm(root: &Root) -> Option<Power> {
    let monitors = root.names(HWMON, "hwmon");
    let name = |monitor: &&String| {
        root.text(&format!("{HWMON}/{monitor}/name")).is_some_and(|name| name == "rpi_volt")
    };
    let monitor = monitors.iter().take(64).find(name)?;
    let alarm = root.number(&format!("{HWMON}/{monitor}/in0_lcrit_alarm"))?;
    let now = Conditions { under_voltage: alarm != 0, ..Conditions::default() };
    Some(Power { now, since_boot: None })
}
