//! Trees of real boards: each is recognised, and read as it is.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tree;

use dram_boards::{Architecture, Catalog, Evidence, Machine, Root, Zone, advise};

fn read(name: &str) -> Machine {
    Machine::read(&Root::new(tree::unpack(name)), Some(4096))
}

/// What is found on a machine, and what to do, with the kernels its board expects.
fn advice(machine: &Machine) -> Vec<String> {
    let catalog = Catalog::builtin();
    let board = catalog.detect(&machine.identity).unwrap().board;
    let kernels = board.kernels.as_deref().unwrap_or("scalar");
    advise(machine, board, kernels).iter().map(|a| format!("{}: {}", a.found, a.remedy)).collect()
}

fn threads(machine: &Machine) -> u32 {
    let catalog = Catalog::builtin();
    machine.threads(catalog.detect(&machine.identity).unwrap().board).unwrap().decode
}

#[test]
fn every_tree_is_of_the_board_it_is_named_after() {
    let catalog = Catalog::builtin();
    let named = std::fs::read_dir(tree::trees()).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> =
        named.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert!(names.len() >= 16, "{names:?}");
    for name in names {
        let machine = read(&name);
        let found = catalog.detect(&machine.identity).unwrap();
        let expected = if name == "pc" { "generic-x86_64" } else { &name };
        assert_eq!(found.board.id, expected);
        assert_eq!(Some(found.board.architecture), machine.identity.architecture);
        // What the board's file says of its cores is what its tree says of them.
        for kind in &found.board.cores {
            let is = |core: &&dram_boards::Core| {
                (core.implementer, core.part) == (Some(kind.implementer), Some(kind.part))
            };
            let cores: Vec<_> = machine.cores.online.iter().filter(is).collect();
            assert!(!cores.is_empty() && cores.len() <= kind.count as usize, "{name}");
        }
        let has = |feature: &str| machine.cores.features.iter().any(|found| found == feature);
        for (kernels, wanted) in
            [("dotprod", has("asimddp") && !has("i8mm")), ("i8mm", has("i8mm"))]
        {
            assert_eq!(found.board.kernels.as_deref() == Some(kernels), wanted, "{name}");
        }
        assert!(Zone::of_cpu(&machine.zones).unwrap().celsius < 90.0, "{name}");
    }
}

#[test]
fn a_module_counts_more_than_the_name_of_its_carrier_board() {
    let machine = read("jetson-orin-nano");
    assert!(machine.identity.model.as_deref().unwrap().contains("Orin NX"));
    let catalog = Catalog::builtin();
    let found = catalog.detect(&machine.identity).unwrap();
    assert_eq!(found.evidence, Evidence::Compatible("nvidia,p3767-0003"));
}

#[test]
fn a_model_is_recognised_by_whole_words_where_compatible_is_unknown() {
    let catalog = Catalog::builtin();
    let named = |model: &str| {
        let folder = tree::scratch("model");
        tree::write(&folder, "/proc/device-tree/model", model);
        tree::write(&folder, "/proc/cpuinfo", "processor : 0\nCPU implementer : 0x41\n");
        let machine = Machine::read(&Root::new(folder), None);
        catalog.detect(&machine.identity).unwrap().board.id.clone()
    };
    assert_eq!(named("Raspberry Pi 500 Rev 1.0\0"), "raspberry-pi-500");
    assert_eq!(named("Raspberry Pi 5 Model B Rev 1.1\0"), "raspberry-pi-5");
    assert_eq!(named("Raspberry Pi 3 Model B Rev 1.2\0"), "generic-aarch64");
    assert_eq!(named("NVIDIA Jetson Nano 2GB Developer Kit\0"), "jetson-nano");
    assert_eq!(named("Raspberry Pi 5000\0"), "generic-aarch64");
}

#[test]
fn the_big_cores_compute() {
    let machine = read("orange-pi-5");
    let choice = machine.cores.fast();
    assert_eq!(choice.cpus, [4, 5, 6, 7]);
    assert_eq!(choice.because, "the other 4 are slower");
    assert_eq!(threads(&machine), 4);
    assert_eq!(read("raspberry-pi-5").cores.fast().because, "all are alike");
    assert_eq!(threads(&read("jetson-nano")), 2);
    assert_eq!(threads(&read("jetson-thor")), 14);
}

#[test]
fn without_capacities_clocks_tell_the_big_cores_and_affinity_limits_them() {
    let folder = tree::unpack("orange-pi-5");
    for cpu in 0..8 {
        let path = format!("sys/devices/system/cpu/cpu{cpu}/cpu_capacity");
        std::fs::remove_file(folder.join(path)).unwrap();
    }
    let root = Root::new(&folder);
    assert_eq!(Machine::read(&root, None).cores.fast().cpus, [4, 5, 6, 7]);
    tree::write(&folder, "/proc/self/status", "Cpus_allowed_list:\t2-5\n");
    assert_eq!(Machine::read(&root, None).cores.fast().cpus, [4, 5]);
    tree::write(&folder, "/proc/self/status", "Cpus_allowed_list:\t0-3\n");
    let choice = Machine::read(&root, None).cores.fast();
    assert_eq!(choice.cpus, [0, 1, 2, 3]);
    assert_eq!(choice.because, "this process may not use the other 4");
}

#[test]
fn memory_is_what_may_be_used_without_swapping() {
    let memory = read("raspberry-pi-5").memory;
    assert_eq!(memory.total_bytes, Some(8_255_776 * 1024));
    assert_eq!(memory.available_bytes(), Some(6_713_248 * 1024));
    assert_eq!((memory.swap_bytes, memory.zram_bytes), (2_097_136 * 1024, 2_097_136 * 1024));
    let memory = read("jetson-nano").memory;
    assert_eq!(memory.zram_bytes, 4 * 507_408 * 1024);
    let memory = read("raspberry-pi-cm5").memory;
    assert_eq!((memory.swap_bytes, memory.zram_bytes), (524_272 * 1024, 0));
}

#[test]
fn control_groups_limit_memory() {
    // Half a gigabyte of files among the 768 MiB in use would be given up.
    let left = (2 << 30) - (256 << 20);
    assert_eq!(read("pc").memory.available_bytes(), Some(left));
    let folder = tree::unpack("raspberry-pi-5");
    tree::write(&folder, "/proc/self/cgroup", "4:cpu,memory:/docker/abc\n0::/\n");
    let group = "/sys/fs/cgroup/memory";
    tree::write(&folder, &format!("{group}/memory.limit_in_bytes"), "9223372036854771712\n");
    let root = Root::new(&folder);
    assert_eq!(Machine::read(&root, None).memory.limit_bytes, None);
    tree::write(&folder, &format!("{group}/docker/abc/memory.limit_in_bytes"), "536870912\n");
    tree::write(&folder, &format!("{group}/docker/abc/memory.usage_in_bytes"), "36870912\n");
    assert_eq!(Machine::read(&root, None).memory.available_bytes(), Some(500_000_000));
}

#[test]
fn pages_of_files_are_free_however_often_they_were_read() {
    let folder = tree::unpack("raspberry-pi-5");
    let root = Root::new(&folder);
    let left = || Machine::read(&root, None).memory.limit_bytes;
    tree::write(&folder, "/proc/self/cgroup", "0::/kiosk\n");
    let group = "/sys/fs/cgroup/kiosk";
    tree::write(&folder, &format!("{group}/memory.max"), "700\n");
    tree::write(&folder, &format!("{group}/memory.current"), "500\n");
    assert_eq!(left(), Some(200), "nothing is told of files");
    let stat = format!("{group}/memory.stat");
    tree::write(&folder, &stat, "anon 20\nfile 480\nactive_file 380\ninactive_file 100\n");
    assert_eq!(left(), Some(680), "a model that ran several times is active");
    tree::write(&folder, &stat, "active_file 18446744073709551615\ninactive_file 9\n");
    assert_eq!(left(), Some(700), "never more than the limit");
    tree::write(&folder, "/proc/self/cgroup", "4:memory:/kiosk\n");
    let group = "/sys/fs/cgroup/memory/kiosk";
    tree::write(&folder, &format!("{group}/memory.limit_in_bytes"), "700\n");
    tree::write(&folder, &format!("{group}/memory.usage_in_bytes"), "500\n");
    let stat = "inactive_file 1\nactive_file 2\ntotal_inactive_file 100\ntotal_active_file 380\n";
    tree::write(&folder, &format!("{group}/memory.stat"), stat);
    assert_eq!(left(), Some(680), "version 1 tells of the groups below as well");
}

#[test]
fn power_and_heat_are_told_with_a_remedy() {
    let found = advice(&read("raspberry-pi-4b"));
    assert!(found[0].starts_with("the supply's voltage is too low now: Use the official"));
    assert!(found[1].starts_with("the clock is lowered now"), "{found:?}");
    let found = advice(&read("raspberry-pi-3b-plus"));
    assert!(found[0].contains("too low at times since the board started"), "{found:?}");
    assert!(found[2].starts_with("63 °C, and clocks fall from 60 °C on"), "{found:?}");
    let found = advice(&read("raspberry-pi-500"));
    assert!(found[0].starts_with("82 °C, and clocks fall from 80 °C on"), "{found:?}");
    let found = advice(&read("raspberry-pi-cm4"));
    assert!(found[0].starts_with("the governor \"powersave\" holds the clock down"), "{found:?}");
    let found = advice(&read("jetson-nano"));
    assert!(found[0].starts_with("2 cores are switched off: ") && found[0].contains("nvpmodel"));
    for good in ["raspberry-pi-5", "raspberry-pi-400", "jetson-orin-nx", "orange-pi-5", "pc"] {
        assert_eq!(advice(&read(good)), [""; 0], "{good}");
    }
}

#[test]
fn the_firmware_is_read_wherever_it_speaks() {
    let power = read("raspberry-pi-4b").power.unwrap();
    let past = power.since_boot.unwrap();
    assert!(power.now.under_voltage && power.now.throttled && !power.now.capped);
    assert!(past.under_voltage && past.throttled && !past.soft_limit);
    assert_eq!(read("raspberry-pi-5").power.unwrap().since_boot, None);
    assert_eq!(read("jetson-nano").power, None);
    let folder = tree::scratch("node");
    let node = "/sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled";
    tree::write(&folder, node, "20000\n");
    let power = Machine::read(&Root::new(folder), None).power.unwrap();
    assert!(power.since_boot.unwrap().capped && !power.now.capped);
}

#[test]
fn the_zone_of_the_cpu_is_not_the_hottest_of_all() {
    let machine = read("jetson-nano");
    let zone = Zone::of_cpu(&machine.zones).unwrap();
    assert_eq!((zone.name.as_str(), zone.celsius), ("CPU-therm", 33.5));
    assert_eq!(zone.slows_celsius, Some(97.0));
    assert!(read("jetson-xavier-nx").zones.iter().all(|zone| zone.celsius > 0.0));
}

#[test]
fn pages_have_the_size_that_the_kernel_tells() {
    let folder = tree::scratch("pages");
    let root = Root::new(&folder);
    for size in [4096_usize, 16_384, 65_536] {
        let words = [3, 0x40, 6, size, 0, 0].map(usize::to_ne_bytes).concat();
        tree::write(&folder, "/proc/self/auxv", words);
        assert_eq!(root.page_bytes(), Some(size));
        assert_eq!(Machine::read(&root, root.page_bytes()).page_bytes, Some(size));
    }
    tree::write(&folder, "/proc/self/auxv", [6_usize, 4097].map(usize::to_ne_bytes).concat());
    assert_eq!(root.page_bytes(), None);
}

#[test]
fn this_machine_is_read() {
    let root = Root::system();
    let machine = Machine::read(&root, root.page_bytes());
    assert!(machine.page_bytes.is_some_and(|size| size >= 4096));
    assert!(machine.memory.available_bytes().unwrap() <= machine.memory.total_bytes.unwrap());
    let threads = std::thread::available_parallelism().unwrap().get();
    assert!((1..=threads).contains(&machine.cores.fast().cpus.len()));
    assert_eq!(machine.identity.architecture, Architecture::of_program());
}
