//! Trees that no machine has: every answer is clear, and comes soon.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tree;

use dram_boards::{Catalog, Machine, Root, advise};
use std::process::Command;
use std::time::{Duration, Instant};

/// Reads a tree as `dram doctor` does, and says how many cores compute.
fn examine(folder: &std::path::Path) -> usize {
    let start = Instant::now();
    let root = Root::new(folder);
    let (catalog, _) = Catalog::load(&root);
    let machine = Machine::read(&root, root.page_bytes());
    let board = catalog.detect(&machine.identity).map(|found| found.board);
    if let Some(board) = board {
        advise(&machine, board, "scalar");
        machine.threads(board);
    }
    assert!(start.elapsed() < Duration::from_secs(60));
    machine.cores.fast().cpus.len()
}

#[test]
fn nothing_at_all() {
    let folder = tree::scratch("empty");
    assert_eq!(examine(&folder), 0);
    let machine = Machine::read(&Root::new(&folder), None);
    assert_eq!(machine.cores.fast().because, "the system does not tell its cores");
    assert_eq!(machine.memory.available_bytes(), None);
    assert!(machine.zones.is_empty() && machine.power.is_none());
    let generic = Catalog::builtin();
    let board = generic.detect(&machine.identity).unwrap().board;
    assert!(board.is_generic());
    assert_eq!(machine.threads(board), None);
    assert_eq!(examine(&folder.join("not-even-a-folder")), 0);
}

#[test]
fn garbage_in_every_file() {
    let garbage: Vec<u8> =
        (0..40_000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let numbers =
        ["-1", "0", "99999999999999999999", "18446744073709551615", "0x", "", "\n", "NaN"];
    let folder = tree::unpack("orange-pi-5");
    let mut files = vec![folder.clone()];
    let mut at = 0;
    while at < files.len() {
        if files[at].is_dir() {
            files.extend(std::fs::read_dir(&files[at]).unwrap().map(|entry| entry.unwrap().path()));
        }
        at += 1;
    }
    files.retain(|path| path.is_file());
    for file in &files {
        let whole = std::fs::read(file).unwrap();
        std::fs::write(file, &garbage).unwrap();
        assert!(examine(&folder) <= 8, "{file:?}");
        std::fs::write(file, whole).unwrap();
    }
    assert_eq!(examine(&folder), 4);
    for content in numbers.map(str::as_bytes).into_iter().chain([&garbage[..]]) {
        files.iter().for_each(|file| std::fs::write(file, content).unwrap());
        examine(&folder);
    }
}

#[test]
fn ten_thousand_zones() {
    let folder = tree::unpack("raspberry-pi-5");
    // As in sysfs, where each is a link.
    let thermal = folder.join("sys/class/thermal");
    tree::write(&folder, "/zone/type", "a name without end ".repeat(20));
    tree::write(&folder, "/zone/temp", "149000");
    for zone in 1..10_000 {
        let link = thermal.join(format!("thermal_zone{zone}"));
        std::os::unix::fs::symlink("../../../zone", link).unwrap();
    }
    assert_eq!(examine(&folder), 4);
    let machine = Machine::read(&Root::new(&folder), None);
    assert_eq!(machine.zones.len(), 64);
    let zone = dram_boards::Zone::of_cpu(&machine.zones).unwrap();
    assert_eq!((zone.name.as_str(), zone.celsius), ("cpu-thermal", 49.05));
    assert!(machine.zones.iter().all(|zone| zone.name.chars().count() <= 128));
}

#[test]
fn clocks_of_zero_and_cores_without_number() {
    let folder = tree::unpack("orange-pi-5");
    for cpu in 0..8 {
        let cpu = format!("/sys/devices/system/cpu/cpu{cpu}");
        tree::write(&folder, &format!("{cpu}/cpufreq/cpuinfo_max_freq"), "0");
        tree::write(&folder, &format!("{cpu}/cpu_capacity"), "0");
    }
    assert_eq!(examine(&folder), 8);
    let online = "/sys/devices/system/cpu/online";
    for (list, cores) in [("0-4294967295", 8), ("7-0", 8), ("0,,1", 8), ("3", 1), ("0-", 8)] {
        tree::write(&folder, online, list);
        tree::write(&folder, "/proc/self/status", "Cpus_allowed_list: 0-7");
        assert_eq!(examine(&folder), cores, "{list}");
    }
    tree::write(&folder, online, "0-1023,".repeat(100_000));
    examine(&folder);
    tree::write(&folder, online, "0-7");
    tree::write(&folder, "/proc/cpuinfo", "processor : 1\n".repeat(100_000));
    assert_eq!(examine(&folder), 8);
}

#[test]
fn groups_that_lead_elsewhere() {
    let folder = tree::unpack("raspberry-pi-5");
    tree::write(&folder, "/etc/memory.max", "1000");
    for path in ["/../../etc", "/".repeat(10_000).as_str(), "no/slash", ""] {
        tree::write(&folder, "/proc/self/cgroup", format!("0::{path}\n:::\n4:memory\n"));
        let machine = Machine::read(&Root::new(&folder), None);
        assert_eq!(machine.memory.limit_bytes, None, "{path:.20}");
    }
    let used = "/sys/fs/cgroup/memory.current";
    tree::write(&folder, "/proc/self/cgroup", "0::/\n");
    tree::write(&folder, "/sys/fs/cgroup/memory.max", "1000");
    tree::write(&folder, used, "18446744073709551615");
    let machine = Machine::read(&Root::new(&folder), None);
    assert_eq!(machine.memory.available_bytes(), Some(1000));
    tree::write(&folder, used, "5000");
    let machine = Machine::read(&Root::new(&folder), None);
    assert_eq!(machine.memory.available_bytes(), Some(0));
}

#[test]
fn pipes_and_folders_in_place_of_files_do_not_block() {
    let folder = tree::scratch("pipes");
    std::fs::create_dir_all(folder.join("proc/meminfo")).unwrap();
    let made = Command::new("mkfifo").arg(folder.join("proc/cpuinfo")).status().unwrap();
    assert!(made.success());
    assert_eq!(examine(&folder), 0);
}

#[test]
fn names_cannot_write_to_a_terminal() {
    let folder = tree::scratch("names");
    tree::write(&folder, "/proc/device-tree/model", "\x1b[2JBoard\r\n\x07");
    let machine = Machine::read(&Root::new(&folder), None);
    assert_eq!(machine.identity.model.as_deref(), Some(" [2JBoard   "));
}

#[test]
fn boards_of_the_owner_replace_and_bad_ones_are_told_of() {
    let folder = tree::unpack("raspberry-pi-5");
    let own = "name = \"Pi on ice\"\narchitecture = \"aarch64\"\n\
               [detect]\ncompatible = [\"raspberrypi,5-model-b\"]\n";
    tree::write(&folder, "/etc/dram/boards/raspberry-pi-5.toml", own);
    tree::write(&folder, "/etc/dram/boards/bad.toml", "name = \"x\"\ncolour = \"green\"\n");
    tree::write(&folder, "/etc/dram/boards/garbage.toml", [0xff_u8; 100]);
    tree::write(&folder, "/etc/dram/boards/notes.txt", "not a board");
    let root = Root::new(&folder);
    let (catalog, errors) = Catalog::load(&root);
    let machine = Machine::read(&root, None);
    assert_eq!(catalog.detect(&machine.identity).unwrap().board.name, "Pi on ice");
    assert_eq!(catalog.boards().len(), Catalog::builtin().boards().len());
    assert_eq!(errors.len(), 2);
    let told = errors[0].to_string();
    assert!(told.starts_with("bad.toml:2: ") && told.contains("colour"), "{told}");
    assert!(errors[1].to_string().starts_with("garbage.toml:1: "), "{}", errors[1]);
}
