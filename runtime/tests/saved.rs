//! Saved sequences go on elsewhere as if they had never left, and what is not one is refused.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod fetched;
mod tiny;

use dram_runtime::{
    Error, Gguf, KvFormat, Limits, Map, Plan, SavedFault, Sequence, Session, SessionFault,
};
use dram_targets::best;
use std::env;
use std::path::{Path, PathBuf};
use tiny::session::{limits, start};
use tiny::{Mix, Tiny};

const MODEL: u64 = 0x0123_4567_89ab_cdef;

/// A session of two sequences of up to 200 positions.
fn with_session<T>(model: &Tiny, kv: KvFormat, work: impl FnOnce(&mut Session<'_>) -> T) -> T {
    let limits = Limits { sequences: 2, kv, ..limits(200, 64) };
    start(&model.file(), best(), limits, work)
}

/// A sequence that has read `tokens`, as bytes.
fn saved(session: &mut Session<'_>, tokens: &[u32]) -> Vec<u8> {
    let sequence = session.open().unwrap();
    session.prompt(sequence, tokens).unwrap();
    let mut bytes = Vec::new();
    session.save(sequence, MODEL, tokens, &mut bytes).unwrap();
    session.close(sequence).unwrap();
    bytes
}

fn load(session: &mut Session<'_>, bytes: &[u8]) -> Result<(Sequence, Vec<u32>), Error> {
    let mut tokens = Vec::new();
    session.load(MODEL, &mut &*bytes, &mut tokens).map(|sequence| (sequence, tokens))
}

/// The logits after a sequence is given more tokens.
fn going_on(session: &mut Session<'_>, sequence: Sequence, tokens: &[u32]) -> Vec<u32> {
    session.prompt(sequence, tokens).unwrap();
    let logits = session.logits(0).iter().map(|logit| logit.to_bits()).collect();
    session.close(sequence).unwrap();
    logits
}

#[test]
fn a_saved_sequence_goes_on_with_the_same_bits_on_every_table() {
    for (model, kv) in [
        (tiny::llama(Mix::Q4_0), KvFormat::F16),
        (tiny::qwen2(Mix::Q4_K_M), KvFormat::F16),
        (tiny::llama(Mix::Q8_0), KvFormat::Q8_0),
    ] {
        let tokens = model.shape.tokens(150);
        for past in [0, 1, 31, 32, 33, 100] {
            let (past, rest) = tokens.split_at(past);
            let (bytes, expected) = with_session(&model, kv, |session| {
                let bytes = saved(session, past);
                let sequence = session.open().unwrap();
                (bytes, going_on(session, sequence, &tokens))
            });
            for kernels in dram_targets::all() {
                let limits = Limits { sequences: 2, kv, threads: 2, ..limits(200, 7) };
                start(&model.file(), kernels, limits, |session| {
                    // Pages in another order than where it was saved.
                    saved(session, &tokens[..40]);
                    let other = session.open().unwrap();
                    session.prompt(other, &tokens[..70]).unwrap();
                    let (sequence, found) = load(session, &bytes).unwrap();
                    assert_eq!(
                        (found.as_slice(), session.position(sequence)),
                        (past, Ok(past.len()))
                    );
                    session.close(other).unwrap();
                    let found = going_on(session, sequence, rest);
                    assert_eq!(found, expected, "{} after {}", kernels.name(), past.len());
                });
            }
        }
    }
}

/// Bytes depend on the sequence alone, not on what its pages held before.
#[test]
fn nothing_of_other_sequences_is_saved() {
    let model = tiny::llama(Mix::Q4_0);
    let tokens = model.shape.tokens(100);
    for kv in [KvFormat::F16, KvFormat::Q8_0] {
        with_session(&model, kv, |session| {
            let first = saved(session, &tokens[..40]);
            let other: Vec<u32> = tokens.iter().rev().copied().collect();
            saved(session, &other);
            assert_eq!(saved(session, &tokens[..40]), first);
        });
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let model = tiny::llama(Mix::Q4_0);
    for kv in [KvFormat::F16, KvFormat::Q8_0] {
        with_session(&model, kv, |session| {
            let bytes = saved(session, &model.shape.tokens(3));
            let free = session.free_pages();
            let mut refuse = |bytes: &[u8], what: &str| {
                let mut tokens = vec![7];
                let error = session.load(MODEL, &mut &*bytes, &mut tokens).expect_err(what);
                assert!(!error.to_string().is_empty());
                assert_eq!((&*tokens, session.free_pages()), (&[7][..], free), "{what}");
                error
            };
            for at in 0..bytes.len() {
                for bit in 0..8 {
                    let mut bytes = bytes.clone();
                    bytes[at] ^= 1 << bit;
                    refuse(&bytes, &format!("bit {bit} of byte {at}"));
                }
                let error = refuse(&bytes[..at], &format!("cut at {at}"));
                assert_eq!(error, SavedFault::Truncated.into(), "cut at {at}");
            }
            let (sequence, _) = load(session, &bytes).unwrap();
            assert_eq!(session.position(sequence), Ok(3), "all were closed again");
        });
    }
}

fn assert_says(error: Error, expected: SavedFault, part: &str) {
    assert_eq!(error, expected.into());
    assert!(error.to_string().contains(part), "{part:?} is not in \"{error}\"");
}

#[test]
fn other_models_and_formats_are_refused() {
    let model = tiny::llama(Mix::Q4_0);
    let tokens = model.shape.tokens(60);
    let bytes = with_session(&model, KvFormat::F16, |session| saved(session, &tokens));
    with_session(&model, KvFormat::F16, |session| {
        let error = session.load(MODEL + 1, &mut &*bytes, &mut Vec::new()).unwrap_err();
        let fault = SavedFault::Model { found: MODEL, must: MODEL + 1 };
        assert_says(error, fault, "0123456789abcdef instead of 0123456789abcdf0");
        let error = load(session, b"GGUF\x03\0\0\0").unwrap_err();
        assert_says(error, SavedFault::Magic, "dram-seq");
        let mut newer = bytes.clone();
        newer[8] = 2;
        let fault = SavedFault::Version { found: 2, must: 1 };
        assert_says(load(session, &newer).unwrap_err(), fault, "version 2");
    });
    with_session(&model, KvFormat::Q8_0, |session| {
        let fault = SavedFault::KvFormat { must: "q8_0" };
        assert_says(load(session, &bytes).unwrap_err(), fault, "q8_0");
    });
    with_session(&tiny::qwen2(Mix::Q4_0), KvFormat::F16, |session| {
        let fault = SavedFault::Shape { found: 3, must: 2 };
        assert_says(load(session, &bytes).unwrap_err(), fault, "has 3 layers");
    });
}

#[test]
fn a_session_without_room_refuses() {
    let model = tiny::llama(Mix::Q4_0);
    let tokens = model.shape.tokens(100);
    let bytes = with_session(&model, KvFormat::F16, |session| saved(session, &tokens));
    start(&model.file(), best(), limits(99, 64), |session| {
        let fault = SavedFault::Long { tokens: 100, context: 99 };
        assert_says(load(session, &bytes).unwrap_err(), fault, "100 tokens");
    });
    let few = Limits { pages: 3, ..limits(200, 64) };
    start(&model.file(), best(), few, |session| {
        let fault = SessionFault::Pages { needed: 4, free: 3 };
        assert_eq!(load(session, &bytes).unwrap_err(), fault.into());
        session.open().unwrap();
        let fault = SessionFault::Sequences { most: 1 };
        assert_eq!(load(session, &bytes).unwrap_err(), fault.into());
    });
    with_session(&model, KvFormat::F16, |session| {
        let sequence = session.open().unwrap();
        session.prompt(sequence, &tokens).unwrap();
        let error = session.save(sequence, MODEL, &tokens[1..], &mut Vec::new()).unwrap_err();
        assert_says(error, SavedFault::Tokens { found: 99, must: 100 }, "99 tokens");
        let mut full = [0; 100];
        let error = session.save(sequence, MODEL, &tokens, &mut &mut full[..]).unwrap_err();
        assert!(matches!(error, Error::Io { doing: "write", .. }), "{error}");
        session.close(sequence).unwrap();
        let error = session.save(sequence, MODEL, &tokens, &mut Vec::new()).unwrap_err();
        assert_eq!(error, SessionFault::Closed.into());
    });
}

#[test]
fn fingerprints_tell_models_apart_and_not_orders() {
    let print = |file: &[u8]| Gguf::parse(file).unwrap().fingerprint();
    let model = tiny::llama(Mix::Q4_0);
    let file = model.file();
    let path = env::temp_dir().join(format!("dram-saved-{}.gguf", std::process::id()));
    std::fs::write(&path, &file).unwrap();
    let tiles = Map::read_tiles(&path, 2).unwrap().remove(0);
    std::fs::remove_file(&path).unwrap();
    assert_ne!(*tiles, *file, "the model has become tiles");
    assert_eq!(print(&tiles), print(&file));
    let mut shape = model.shape.clone();
    shape.rope_base = 1e6;
    let others = [tiny::llama(Mix::Q8_0), tiny::qwen2(Mix::Q4_0), Tiny::new(shape, Mix::Q4_0)];
    for other in others {
        assert_ne!(print(&other.file()), print(&file));
    }
}

/// The folders that this machine saves to and reads from: `DRAM_SAVE_TO` on one machine and
/// `DRAM_SAVED_IN` on another, or where neither is told one for both, which is removed.
struct Folders {
    to: Option<PathBuf>,
    from: Option<PathBuf>,
    own: Option<PathBuf>,
}

impl Folders {
    fn told() -> Self {
        let folder = |name| env::var_os(name).map(PathBuf::from);
        let (to, from) = (folder("DRAM_SAVE_TO"), folder("DRAM_SAVED_IN"));
        if to.is_some() || from.is_some() {
            return Self { to, from, own: None };
        }
        let own = Some(env::temp_dir().join(format!("dram-saved-{}", std::process::id())));
        std::fs::create_dir(own.as_ref().unwrap()).unwrap();
        Self { to: own.clone(), from: own.clone(), own }
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            std::fs::remove_dir_all(own).unwrap();
        }
    }
}

/// The real model: what this machine saves, all others go on with to the same bits.
#[test]
fn the_real_model_goes_on_on_other_machines() {
    let file = fetched::bytes("SmolLM2-135M-Instruct.Q4_1.gguf");
    let gguf = Gguf::parse(&file).unwrap();
    let mut slots = vec![None; Plan::layers_in(&gguf).unwrap()];
    let plan = Plan::new(&gguf, &mut slots).unwrap();
    let tokens: Vec<u32> = (0..45).map(|i| 504 + i * i * 7 % 3000).collect();
    let folders = Folders::told();
    for kv in [KvFormat::F16, KvFormat::Q8_0] {
        let limits = Limits { context: 64, kv, ..Limits::default() };
        let mut memory = vec![0; Session::bytes(&plan, &limits).unwrap()];
        let mut session = Session::new(&plan, best(), limits, &mut memory).unwrap();
        let name = format!("dram-smollm2-{}", kv.name());
        if let Some(folder) = &folders.to {
            write(&mut session, gguf.fingerprint(), &tokens, &folder.join(&name));
        }
        if let Some(folder) = &folders.from {
            compare(&mut session, gguf.fingerprint(), &tokens, &folder.join(&name));
        }
    }
}

/// Saves a sequence of 40 tokens, and beside it the logits after the rest.
fn write(session: &mut Session<'_>, model: u64, tokens: &[u32], path: &Path) {
    let sequence = session.open().unwrap();
    session.prompt(sequence, &tokens[..40]).unwrap();
    let mut bytes = Vec::new();
    session.save(sequence, model, &tokens[..40], &mut bytes).unwrap();
    std::fs::write(path.with_extension("seq"), bytes).unwrap();
    let logits = going_on(session, sequence, &tokens[40..]);
    let logits: Vec<u8> = logits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    std::fs::write(path.with_extension("logits"), logits).unwrap();
}

fn compare(session: &mut Session<'_>, model: u64, tokens: &[u32], path: &Path) {
    let bytes = std::fs::read(path.with_extension("seq")).unwrap();
    let mut found = Vec::new();
    let sequence = session.load(model, &mut &*bytes, &mut found).unwrap();
    assert_eq!(found, tokens[..40]);
    let logits = going_on(session, sequence, &tokens[40..]);
    let logits: Vec<u8> = logits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
    let expected = std::fs::read(path.with_extension("logits")).unwrap();
    assert_eq!(logits.len(), expected.len());
    assert!(logits == expected, "{} goes on with other bits", session.kernels().name());
}
