//! Temperatures.

use crate::Root;
use crate::identity::printable;
use serde::Serialize;

/// Most zones and monitors that are read; a large server has about forty.
const MAX_ZONES: usize = 64;
/// Most trip points of a zone.
const MAX_TRIPS: usize = 12;
const THERMAL: &str = "/sys/class/thermal";
const HWMON: &str = "/sys/class/hwmon";
/// Drivers whose first temperature is the CPU's, on machines without zones.
const CPU_MONITORS: [&str; 3] = ["coretemp", "k10temp", "cpu_thermal"];

/// A place with a thermometer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Zone {
    /// The kernel's name of it.
    pub name: String,
    /// How hot it is.
    pub celsius: f64,
    /// From where the kernel lowers clocks, where it says so.
    pub slows_celsius: Option<f64>,
}

impl Zone {
    /// Every zone that tells a temperature that can be.
    pub(crate) fn read_all(root: &Root) -> Vec<Self> {
        Self::located(root).map(|(_, zone)| zone).collect()
    }

    /// Files with the temperatures of zones that are named after the CPU, or else of all.
    pub(crate) fn files_of_cpu(root: &Root) -> Vec<String> {
        let (of_cpu, others): (Vec<_>, Vec<_>) =
            Self::located(root).partition(|(_, zone)| zone.is_of_cpu());
        let chosen = if of_cpu.is_empty() { others } else { of_cpu };
        chosen.into_iter().map(|(file, _)| file).collect()
    }

    /// Every zone, with the file of its temperature.
    fn located(root: &Root) -> impl Iterator<Item = (String, Self)> {
        let zones = root.names(THERMAL, "thermal_zone").into_iter().take(MAX_ZONES);
        let zones = zones.filter_map(|zone| Self::read(root, &zone));
        let monitors = root.names(HWMON, "hwmon").into_iter().take(MAX_ZONES);
        zones.chain(monitors.filter_map(|name| monitor(root, &name)))
    }

    /// The zone that tells how hot the CPU is: the hottest of those named after it, else of all.
    pub fn of_cpu(zones: &[Self]) -> Option<&Self> {
        let hottest = |a: &&Self, b: &&Self| a.celsius.total_cmp(&b.celsius);
        let named = zones.iter().filter(|zone| zone.is_of_cpu()).max_by(hottest);
        named.or_else(|| zones.iter().max_by(hottest))
    }

    /// The lowest trip point from where the kernel slows the CPU down.
    pub(crate) fn slows(zones: &[Self]) -> Option<f64> {
        let zones = zones.iter().filter(|zone| zone.is_of_cpu());
        zones.filter_map(|zone| zone.slows_celsius).min_by(f64::total_cmp)
    }

    fn read(root: &Root, zone: &str) -> Option<(String, Self)> {
        let file = |name: &str| format!("{THERMAL}/{zone}/{name}");
        let is_passive = |trip: &usize| {
            let kind = root.text(&file(&format!("trip_point_{trip}_type")));
            kind.is_some_and(|kind| kind == "passive")
        };
        let trips = (0..MAX_TRIPS).filter(is_passive);
        let trips =
            trips.filter_map(|trip| celsius(root, &file(&format!("trip_point_{trip}_temp"))));
        let zone = Self {
            celsius: celsius(root, &file("temp"))?,
            name: root.text(&file("type")).map_or_else(|| zone.into(), |name| printable(&name)),
            slows_celsius: trips.filter(|&trip| trip > 0.0).min_by(f64::total_cmp),
        };
        Some((file("temp"), zone))
    }

    fn is_of_cpu(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        ["cpu", "core", "soc", "tj-", "pkg", "package", "k10temp"]
            .iter()
            .any(|part| name.contains(part))
    }
}

fn monitor(root: &Root, monitor: &str) -> Option<(String, Zone)> {
    let name = root.text(&format!("{HWMON}/{monitor}/name"))?;
    let is_of_cpu = CPU_MONITORS.contains(&name.as_str());
    let file = format!("{HWMON}/{monitor}/temp1_input");
    let celsius = celsius(root, &file).filter(|_| is_of_cpu)?;
    Some((file, Zone { name, celsius, slows_celsius: None }))
}

fn celsius(root: &Root, path: &str) -> Option<f64> {
    degrees(root.number(path)?)
}

/// Thousandths of a degree; sensors that are switched off tell what no board survives.
pub(crate) fn degrees(thousandths: i64) -> Option<f64> {
    (-40_000..=150_000).contains(&thousandths).then_some(thousandths as f64 / 1000.0)
}
