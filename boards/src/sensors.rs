//! Sensors that are read while a model runs.

use crate::governor::Reading;
use crate::thermal::degrees;
use crate::{Power, Root, Zone, power};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// Most files of a kind that are read each time.
const MAX_FILES: usize = 16;
/// Longer than any number that a sensor tells.
const MAX_NUMBER: usize = 32;

/// The open files of a machine's thermometers, clocks and throttle flags.
#[derive(Debug)]
pub struct Sensors {
    /// Thousandths of a degree.
    thermometers: Vec<File>,
    /// Clocks of the cores that compute.
    clocks: Vec<File>,
    /// How far the kernel lowers clocks.
    coolers: Vec<File>,
    /// The word of a Raspberry Pi's firmware.
    throttled: Option<File>,
}

impl Sensors {
    /// Opens what there is below a root; `cpus` are the cores that compute.
    pub fn open(root: &Root, cpus: &[usize]) -> Self {
        let open = |files: Vec<String>| {
            files.iter().filter_map(|file| root.open(file)).take(MAX_FILES).collect()
        };
        let clock = |cpu| format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq");
        Self {
            thermometers: open(Zone::files_of_cpu(root)),
            clocks: open(cpus.iter().map(clock).collect()),
            coolers: open(power::coolers(root)),
            throttled: power::GET_THROTTLED.iter().find_map(|path| root.open(path)),
        }
    }

    /// Whether there is any thermometer.
    pub fn has_thermometer(&self) -> bool {
        !self.thermometers.is_empty()
    }

    /// Reads them all, and allocates nothing. What tells no number, or one that cannot be, is left
    /// out.
    pub fn read(&self) -> Reading {
        let thermometers = self.thermometers.iter().filter_map(number);
        let clocks = self.clocks.iter().filter_map(number);
        Reading {
            celsius: thermometers.filter_map(degrees).max_by(f64::total_cmp),
            khz: clocks.filter_map(|khz| u64::try_from(khz).ok()).filter(|&khz| khz > 0).max(),
            is_throttled: self.is_throttled(),
        }
    }

    fn is_throttled(&self) -> bool {
        let mut buffer = [0; MAX_NUMBER];
        let word = self.throttled.as_ref().and_then(|file| text(file, &mut buffer));
        let firmware = word.and_then(Power::parse).is_some_and(|power| power.now.throttled);
        firmware || self.coolers.iter().filter_map(number).any(|state| state > 0)
    }
}

fn number(file: &File) -> Option<i64> {
    text(file, &mut [0; MAX_NUMBER])?.parse().ok()
}

/// What a file holds now; `None` unless that is one short line.
fn text<'b>(mut file: &File, buffer: &'b mut [u8; MAX_NUMBER]) -> Option<&'b str> {
    file.seek(SeekFrom::Start(0)).ok()?;
    let len = file.read(buffer).ok().filter(|&len| len < MAX_NUMBER)?;
    std::str::from_utf8(&buffer[..len]).ok().map(str::trim)
}
