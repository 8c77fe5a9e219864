//! A real model on a tree of files that warms up and cools down while it runs.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{Heat, Story};
use crate::answer::{Answer, Asking, Question};
use crate::batch::BatchMemory;
use crate::error::{EngineError, Outcome};
use crate::host::Host;
use crate::load::with_session;
use crate::options::LoadOptions;
use crate::status::Status;
use dram_boards::Root;
use dram_runtime::text::Encoder;
use dram_runtime::{Reply, ReplyOptions, Sampling};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use std::{env, fs, process, slice};

/// Where this board's clocks fall, and where the file has its temperature.
const SLOWS: f64 = 80.0;
const ZONE: &str = "sys/class/thermal/thermal_zone0";
/// Tokens of each reply.
const TOKENS: usize = 48;

/// A folder that stands for `/` of a board with one zone, removed in the end.
struct Tree(PathBuf);

impl Tree {
    fn new(name: &str) -> Self {
        let tree = Self(env::temp_dir().join(format!("dram-heat-{name}-{}", process::id())));
        let _ = fs::remove_dir_all(&tree.0);
        tree.write(&format!("{ZONE}/type"), "cpu-thermal\n");
        tree.warm(40.0);
        let board = format!(
            "name = \"Stove\"\narchitecture = \"aarch64\"\n[detect]\ncompatible = [\"test,stove\"]\n\
             [threads]\ndecode = 3\nprefill = 3\n\
             [thermal]\nslows_celsius = {SLOWS}\nlimit_celsius = 90\n"
        );
        tree.write("etc/dram/boards/stove.toml", &board);
        tree.write("proc/device-tree/compatible", "test,stove");
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn warm(&self, celsius: f64) {
        self.write(&format!("{ZONE}/temp"), &format!("{:.0}\n", celsius * 1000.0));
    }

    fn host(&self) -> Host {
        Host::read(Root::new(&self.0), None, &mut |_| {}).unwrap()
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn model() -> PathBuf {
    let folder = env::var_os("DRAM_FETCHED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/fetched"),
        PathBuf::from,
    );
    let model = folder.join("SmolLM2-135M-Instruct.Q4_1.gguf");
    assert!(model.exists(), "{folder:?} has no model; run `cargo x fetch` first");
    model
}

fn options(threads: usize, context: usize) -> LoadOptions {
    LoadOptions { threads: Some(threads), context: Some(context), ..LoadOptions::default() }
}

/// What a reply was, how its heat was told, and the session's threads in the end.
struct Told {
    tokens: Vec<u32>,
    heat: Story,
    sentence: Option<String>,
    threads: [usize; 2],
    is_hot: bool,
}

/// Makes a reply at random while `celsius` of the tokens so far warms the tree, and a reading comes
/// behind every step.
fn reply(name: &str, celsius: impl Fn(usize) -> f64) -> Told {
    let tree = Tree::new(name);
    let run = || -> Outcome<Told> {
        let host = tree.host();
        let options = options(3, 128);
        with_session(&host, &model(), &options, dram_targets::best(), |model, session| {
            let mut heat = Heat::watch(&host, model.threads, &host.cpus(&options));
            heat.every = Duration::ZERO;
            let sampling = Sampling { temperature: 1.5, seed: 11, ..Sampling::COMMON };
            let mut scratch = vec![0; Encoder::BYTES];
            let (mut prompt, mut pieces) = (Vec::new(), 0);
            let mut encoder = Encoder::new(model.vocab, &mut scratch)?;
            encoder.encode_leading("Once upon a time", true, |id| prompt.push(id));
            let (sequence, start) = (session.open()?, Instant::now());
            let status = Status::default();
            let asking = Asking { most: TOKENS, asked: start, status: &status };
            let options =
                ReplyOptions { sampling, start: None, max_tokens: TOKENS, logprobs: None };
            let question = Question { tokens: &prompt, sequence, known: 0, options };
            let mut memory = BatchMemory::new(session);
            let batch = &mut memory.batch(model.vocab)?;
            let answer = Answer::make(session, batch, &mut heat, &question, &asking, |_, _| {
                pieces += 1;
                tree.warm(celsius(pieces));
                Ok::<_, EngineError>(())
            })?;
            let sentence = heat.story().slowdown();
            let (now, is_hot) = (session.threads(), heat.is_hot());
            let threads = [now.few, now.many];
            Ok(Told { tokens: answer.tokens, heat: answer.heat, sentence, threads, is_hot })
        })
    };
    run().unwrap_or_else(|failure| panic!("{failure:?}"))
}

#[test]
fn threads_are_shed_before_the_limit_and_return_and_tokens_stay_the_same() {
    let cool = reply("cool", |_| 40.0);
    assert_eq!(cool.tokens.len(), TOKENS);
    assert_eq!((cool.threads, &cool.sentence, cool.is_hot), ([3, 3], &None, false));
    assert_eq!((cool.heat.fewest_threads, cool.heat.rested), (3, Duration::ZERO));

    let hottest = SLOWS - 1.0;
    let warms = |piece: usize| (60.0 + piece as f64).min(hottest);
    let hot = reply("hot", warms);
    assert_eq!(hot.tokens, cool.tokens);
    assert_eq!((hot.threads, hot.is_hot), ([1, 1], true), "it stays hot");
    assert_eq!(hot.heat.highest_celsius, Some(hottest), "never at the limit");
    assert_eq!((hot.heat.fewest_threads, hot.heat.threads), (1, 1));
    assert!(hot.heat.rested > Duration::ZERO);
    let sentence = hot.sentence.unwrap();
    assert!(sentence.starts_with("it was hot (79 °C): down to 1 of 3 threads and "), "{sentence}");

    let passes = reply("passes", |piece| if piece < 25 { warms(piece) } else { 50.0 });
    assert_eq!(passes.tokens, cool.tokens);
    assert_eq!((passes.threads, passes.is_hot), ([3, 3], false), "it is cool again");
    assert_eq!((passes.heat.fewest_threads, passes.heat.threads), (1, 3));
}

#[test]
fn a_prompt_is_read_in_short_steps_where_heat_counts() {
    let tree = Tree::new("steps");
    let (options, kernels) = (options(1, 512), dram_targets::best());
    let first = |host: &Host| {
        with_session(host, &model(), &options, kernels, |model, session| {
            let mut heat = Heat::watch(host, model.threads, &[]);
            let (sequence, mut tokens) = (session.open()?, [100; 301]);
            let sampling = Sampling::GREEDY;
            let options = ReplyOptions { sampling, start: None, max_tokens: 1, logprobs: None };
            let mut reply = Reply::new(&mut tokens[..], |_, _: &str| {}, 300, &options)?;
            reply.attach(sequence, 0);
            heat.begin(session);
            let (columns, replies) = (heat.prompt_columns(), slice::from_mut(&mut reply));
            let mut memory = BatchMemory::new(session);
            let mut batch = memory.batch(model.vocab)?;
            batch.step(session, replies, columns, &AtomicBool::new(false))?;
            Ok::<_, EngineError>(reply.wants().len())
        })
    };
    assert_eq!(first(&tree.host()).unwrap(), 300 - 32);
    fs::remove_file(tree.0.join(ZONE).join("temp")).unwrap();
    assert_eq!(first(&tree.host()).unwrap(), 300 - 256, "there is no thermometer");
    let seconds = |seconds| Duration::from_secs_f64(seconds);
    let batches = [(32, 0.1, 64), (64, 0.7, 64), (64, 3.0, 32), (32, 9.0, 32)];
    for (batch, worked, fits) in batches {
        assert_eq!(super::fitting(batch, seconds(worked)), fits, "{batch} in {worked} s");
    }
}

#[test]
fn a_thermometer_that_goes_mad_does_not_stop_a_reply() {
    let tokens = reply("mad", |piece| match piece % 4 {
        0 => f64::NAN,
        1 => 1e12,
        2 => -1e12,
        _ => 0.0,
    });
    assert_eq!(tokens.tokens, reply("sane", |_| 40.0).tokens);
    assert_eq!(tokens.threads, [3, 3]);
}

#[test]
fn what_would_swap_is_refused_also_with_zram_and_in_a_control_group() {
    let refused = |tree: &Tree| {
        let (host, kernels) = (tree.host(), dram_targets::best());
        let options = LoadOptions::default();
        let outcome = with_session(&host, &model(), &options, kernels, |_, _| Ok(()));
        outcome.err().map(|error: EngineError| format!("{error:?}"))
    };
    let tree = Tree::new("memory");
    let meminfo = |free: u32| {
        format!("MemTotal: 4000000 kB\nMemAvailable: {free} kB\nSwapTotal: 4000000 kB\n")
    };
    tree.write("proc/meminfo", &meminfo(2_000_000));
    assert_eq!(refused(&tree), None);
    // Swap in compressed memory is swap too.
    tree.write("proc/meminfo", &meminfo(90_000));
    tree.write("proc/swaps", "Filename\n/dev/zram0 partition 4000000 0 100\n");
    let told = refused(&tree).unwrap();
    assert!(told.contains("NoRoom") && told.contains("92.2 MB are available"), "{told}");
    tree.write("proc/meminfo", &meminfo(2_000_000));
    tree.write("proc/self/cgroup", "0::/robot\n");
    tree.write("sys/fs/cgroup/robot/memory.max", "80000000\n");
    tree.write("sys/fs/cgroup/robot/memory.current", "10000000\n");
    let told = refused(&tree).unwrap();
    assert!(told.contains("NoRoom") && told.contains("70.0 MB are available"), "{told}");
    tree.write("sys/fs/cgroup/robot/memory.max", "max\n");
    assert_eq!(refused(&tree), None);
}

#[test]
fn threads_are_the_boards_and_cores_are_spared() {
    let tree = Tree::new("cores");
    tree.write("sys/devices/system/cpu/online", "0-3\n");
    let own = |decode, prefill| {
        let board = format!(
            "name = \"Own\"\narchitecture = \"aarch64\"\n\
             [threads]\ndecode = {decode}\nprefill = {prefill}\n"
        );
        tree.write("own.toml", &board);
        let own = tree.0.join("own.toml");
        Host::read(Root::new(&tree.0), Some(own.as_os_str()), &mut |_| {}).unwrap()
    };
    let chosen = |host: &Host, options: &LoadOptions| {
        let threads = host.threads(options);
        (threads.decode, threads.prefill, host.cpus(options))
    };
    let spare = |spare| LoadOptions { spare, ..LoadOptions::default() };
    // No more threads than this machine offers, whatever the tree says.
    let most = crate::host::all_threads() as u32;
    assert_eq!(chosen(&own(1, 2), &spare(0)), (1, 2.min(most), vec![0, 1, 2, 3]));
    assert_eq!(chosen(&own(4, 4), &spare(1)), (3.min(most), 3.min(most), vec![1, 2, 3]));
    assert_eq!(chosen(&own(4, 4), &spare(9)), (1, 1, vec![3]));
    assert_eq!(chosen(&own(1, 2), &options(7, 128)), (7, 7, vec![0, 1, 2, 3]));
}
