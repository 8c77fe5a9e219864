//! What a machine does as it gets hot: by tables, on a simulated board, and on trees of files.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tree;

use dram_boards::{Board, Catalog, Governor, Machine, Pace, Reading, Root, Sensors};
use std::path::Path;
use std::time::{Duration, Instant};

/// Hot from here on in these tables.
const HOT: f64 = 77.0;

fn warm(celsius: f64) -> Reading {
    Reading { celsius: Some(celsius), ..Reading::default() }
}

fn pace(threads: usize, rest: u32) -> Pace {
    Pace { threads, rest }
}

#[test]
fn threads_are_shed_one_by_one_then_it_rests_then_all_comes_back() {
    let mut governor = Governor::new(Some(HOT), 3);
    let table: [(f64, &[(usize, u32)]); 7] = [
        (40.0, &[(3, 0); 5]),
        (76.9, &[(3, 0); 5]),
        (77.0, &[(2, 0), (1, 0), (1, 1), (1, 3), (1, 3), (1, 3)]),
        (74.0, &[(1, 3); 9]),
        (71.9, &[(1, 3), (1, 3), (1, 1), (1, 1), (1, 1), (1, 0), (1, 0), (1, 0), (2, 0)]),
        (72.0, &[(2, 0); 4]),
        (71.0, &[(2, 0), (2, 0), (3, 0), (3, 0), (3, 0), (3, 0), (3, 0)]),
    ];
    for (celsius, paces) in table {
        for &(threads, rest) in paces {
            assert_eq!(governor.take(warm(celsius)), pace(threads, rest), "{celsius}");
            assert_eq!(governor.pace(), pace(threads, rest));
        }
    }
    // Cool readings count in a row.
    assert_eq!(governor.take(warm(80.0)), pace(2, 0));
    for celsius in [60.0, 60.0, 75.0, 60.0, 60.0, 75.0] {
        assert_eq!(governor.take(warm(celsius)), pace(2, 0));
    }
    governor.restart();
    assert_eq!(governor.pace(), pace(3, 0));
    assert_eq!(governor.take(warm(77.0)), pace(2, 0));
}

#[test]
fn what_the_firmware_says_counts_where_it_may_be_heat() {
    let flag = |celsius| Reading { celsius, is_throttled: true, ..Reading::default() };
    let first = |hot, reading| Governor::new(hot, 4).take(reading).threads;
    assert_eq!(first(Some(HOT), flag(Some(73.0))), 3, "near the limit");
    assert_eq!(first(Some(HOT), flag(Some(50.0))), 4, "it is the supply");
    assert_eq!(first(Some(HOT), flag(None)), 3, "the thermometer is gone");
    assert_eq!(first(None, flag(Some(50.0))), 3, "no limit is known");
    assert_eq!(first(None, warm(120.0)), 4, "120 °C may be right for it");
    let mut governor = Governor::new(None, 2);
    let silent = Reading::default();
    assert_eq!(governor.take(flag(None)), pace(1, 0));
    assert_eq!([silent; 3].map(|reading| governor.take(reading))[2], pace(2, 0));
}

#[test]
fn a_clock_that_falls_near_the_limit_is_heat() {
    let clock =
        |celsius, khz| Reading { celsius: Some(celsius), khz: Some(khz), is_throttled: false };
    let mut governor = Governor::new(Some(HOT), 3);
    assert_eq!(governor.take(clock(50.0, 2_400_000)), pace(3, 0));
    assert_eq!(governor.take(clock(50.0, 600_000)), pace(3, 0), "cool: another reason");
    assert_eq!(governor.take(clock(74.0, 2_100_000)), pace(3, 0), "a little");
    assert_eq!(governor.take(clock(74.0, 1_500_000)), pace(2, 0));
    assert_eq!(governor.take(clock(74.0, 1_500_000)), pace(1, 0));
    assert_eq!(governor.take(clock(74.0, 1_500_000)), pace(1, 1));
    // A core that rests takes a low clock by itself.
    assert_eq!(governor.take(clock(74.0, 600_000)), pace(1, 1));
    assert_eq!(governor.take(clock(74.0, u64::MAX)), pace(1, 1));
}

#[test]
fn a_thermometer_that_falls_silent_changes_nothing() {
    let mut governor = Governor::new(Some(HOT), 4);
    governor.take(warm(78.0));
    for _ in 0..50 {
        assert_eq!(governor.take(Reading::default()), pace(3, 0));
    }
    let mut cool = Governor::new(Some(HOT), 4);
    assert_eq!(cool.take(Reading::default()), pace(4, 0));
    let not_a_number = warm(f64::NAN);
    assert_eq!(cool.take(not_a_number), pace(4, 0));
    assert_eq!(Governor::new(Some(HOT), 0).take(warm(90.0)), pace(1, 1), "one thread at least");
}

/// A board that gains heat by working threads and loses it to a room, a reading a second.
fn simulate(room: f64, heat: f64) -> (f64, Vec<Pace>) {
    let (mut governor, mut celsius, mut hottest) = (Governor::new(Some(HOT), 4), room, room);
    let paces = (0..3600).map(|_| {
        let pace = governor.take(warm(celsius));
        let work = pace.threads as f64 / f64::from(pace.rest + 1);
        celsius += heat * work - 0.02 * (celsius - room);
        hottest = hottest.max(celsius);
        pace
    });
    let paces = paces.collect();
    (hottest, paces)
}

#[test]
fn a_board_without_a_heat_sink_never_reaches_its_limit() {
    let work = |paces: &[Pace]| {
        let work = paces.iter().map(|pace| pace.threads as f64 / f64::from(pace.rest + 1));
        work.sum::<f64>() / paces.len() as f64
    };
    // Four threads would heat it to 100 °C, 113 °C in a hot room.
    for (room, least) in [(25.0, 1.7), (38.0, 1.1)] {
        let (hottest, paces) = simulate(room, 0.375);
        assert!(hottest > HOT - 1.0 && hottest < HOT + 3.0, "{hottest} in a room of {room}");
        assert!(work(&paces[600..]) > least, "{} threads on average", work(&paces[600..]));
    }
    let (hottest, paces) = simulate(25.0, 0.2);
    assert!(hottest < HOT && paces.iter().all(|&at| at == pace(4, 0)), "it is cool enough");
}

/// The sensors of a tree, and where its board sheds threads.
fn sensors(folder: &Path) -> (Sensors, Option<f64>) {
    let root = Root::new(folder);
    let machine = Machine::read(&root, None);
    let catalog = Catalog::builtin();
    let board = catalog.detect(&machine.identity).unwrap().board;
    (Sensors::open(&root, &machine.cores.fast().cpus), machine.sheds_celsius(board))
}

#[test]
fn boards_shed_before_their_clocks_fall() {
    let table = [
        ("raspberry-pi-5", Some(77.0)),
        ("raspberry-pi-3b-plus", Some(77.0)),
        ("orange-pi-5", Some(82.0)),
        ("jetson-nano", Some(94.0)),
    ];
    for (name, expected) in table {
        let (sensors, sheds) = sensors(&tree::unpack(name));
        assert_eq!(sheds, expected, "{name}");
        let reading = sensors.read();
        assert!(reading.celsius.is_some_and(|celsius| celsius > 0.0 && celsius < 77.0), "{name}");
        assert!(reading.khz.is_some_and(|khz| khz > 100_000), "{name}");
        assert!(!reading.is_throttled, "{name}");
    }
    let own = |thermal: &str| {
        let text = format!("name = \"x\"\narchitecture = \"aarch64\"\n[thermal]\n{thermal}");
        let machine = Machine::read(&Root::new(tree::scratch("empty")), None);
        Board::parse("x", &text).map(|board| machine.sheds_celsius(&board))
    };
    assert_eq!(own("slows_celsius = 90\nlimit_celsius = 100\n"), Ok(Some(87.0)));
    let told = "slows_celsius = 60\nsheds_celsius = 70\nlimit_celsius = 100\n";
    assert_eq!(own(told), Ok(Some(70.0)));
    assert_eq!(own("slows_celsius = 1\nlimit_celsius = 100\n"), Ok(None), "a room is warmer");
    assert!(own("slows_celsius = 90\nsheds_celsius = 100\nlimit_celsius = 100\n").is_err());
}

#[test]
fn readings_follow_the_files() {
    let folder = tree::unpack("raspberry-pi-5");
    let flag = "/sys/devices/platform/soc/soc:firmware/get_throttled";
    tree::write(&folder, flag, "0\n");
    let (sensors, _) = sensors(&folder);
    let zone = "/sys/class/thermal/thermal_zone0/temp";
    for (text, celsius) in [
        ("78250\n", Some(78.25)),
        ("-5000", Some(-5.0)),
        ("0", Some(0.0)),
        ("", None),
        ("hot", None),
        ("150001", None),
        ("99999999999999999999", None),
        ("7825000000000000000000000000000000000000000000", None),
    ] {
        tree::write(&folder, zone, text);
        assert_eq!(sensors.read().celsius, celsius, "{text:?}");
    }
    tree::write(&folder, zone, [0xff; 8]);
    assert_eq!(sensors.read().celsius, None);
    let clock = |cpu| format!("/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq");
    (0..4).for_each(|cpu| tree::write(&folder, &clock(cpu), ["0", "-1", "x", "1500000"][cpu]));
    assert_eq!(sensors.read().khz, Some(1_500_000));
    for (word, is_throttled) in [("50005", true), ("50001", false), ("0x4", true), ("z", false)] {
        tree::write(&folder, flag, word);
        assert_eq!(sensors.read().is_throttled, is_throttled, "{word}");
    }
    assert!(sensors.has_thermometer());
}

#[test]
fn the_kernels_own_cooling_counts() {
    let folder = tree::unpack("orange-pi-5");
    let device =
        |number: u32, file: &str| format!("/sys/class/thermal/cooling_device{number}/{file}");
    tree::write(&folder, &device(0, "type"), "pwm-fan\n");
    tree::write(&folder, &device(0, "cur_state"), "3\n");
    tree::write(&folder, &device(1, "type"), "thermal-cpufreq-0\n");
    tree::write(&folder, &device(1, "cur_state"), "0\n");
    let throttled =
        || Machine::read(&Root::new(&folder), None).power.map(|power| power.now.throttled);
    let (sensors, _) = sensors(&folder);
    assert_eq!((sensors.read().is_throttled, throttled()), (false, Some(false)));
    tree::write(&folder, &device(1, "cur_state"), "2\n");
    assert_eq!((sensors.read().is_throttled, throttled()), (true, Some(true)));
    let count = "/sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count";
    tree::write(&folder, count, "17");
    let power = Machine::read(&Root::new(&folder), None).power.unwrap();
    assert!(power.since_boot.unwrap().throttled && !power.since_boot.unwrap().under_voltage);
}

#[test]
fn odd_trees_are_read_soon_and_open_few_files() {
    let start = Instant::now();
    let (none, sheds) = sensors(&tree::scratch("empty"));
    assert_eq!((none.read(), sheds), (Reading::default(), None));
    assert!(!none.has_thermometer());
    let folder = tree::unpack("raspberry-pi-5");
    tree::write(&folder, "/zone/type", "cpu");
    tree::write(&folder, "/zone/temp", "60000");
    tree::write(&folder, "/zone/cur_state", "1");
    for number in 1..10_000 {
        for name in ["thermal_zone", "cooling_device"] {
            let link = folder.join(format!("sys/class/thermal/{name}{number}"));
            std::os::unix::fs::symlink("../../../zone", link).unwrap();
        }
    }
    let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = open();
    let (many, _) = sensors(&folder);
    assert_eq!(many.read().celsius, Some(60.0));
    // Other tests open files meanwhile, but not thousands.
    assert!(open() < before + 100, "{} files are open", open());
    for path in ["type", "temp"] {
        let pipe = tree::scratch("pipe").join(path);
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        std::fs::rename(&pipe, folder.join("zone").join(path)).unwrap();
    }
    let (piped, _) = sensors(&folder);
    assert_eq!(piped.read().celsius, Some(49.05), "the one zone that is none of pipes");
    assert!(start.elapsed() < Duration::from_secs(60));
}
