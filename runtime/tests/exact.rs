//! What must not change a bit of the logits: threads, batches, kernel tables, the order of
//! weights, and what other sequences do.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod tiny;

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use dram_runtime::session::Threads;
use dram_runtime::{Column, Gguf, KvFormat, Limits, Map, Plan, Sequence, Session, Tiling};
use dram_targets::{Kernels, best};
use tiny::session::{limits, logits, start};
use tiny::{MIXES, Tiny};

/// Several pages and several chunks of attention, neither whole.
const POSITIONS: usize = 300;

/// Every model in every mix.
fn models() -> impl Iterator<Item = (String, Tiny)> {
    let named = |model: Tiny, mix| (format!("{} {mix:?}", model.shape.architecture), model);
    MIXES.into_iter().flat_map(move |mix| tiny::all(mix).map(|model| named(model, mix)))
}

/// The logits of a model at every position, as all variations must have them.
fn expected(model: &Tiny) -> Vec<Vec<f32>> {
    let tokens = model.shape.tokens(POSITIONS);
    start(&model.file(), best(), limits(POSITIONS, 32), |session| logits(session, &tokens))
}

fn assert_same(found: &[Vec<f32>], expected: &[Vec<f32>], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (position, (found, expected)) in found.iter().zip(expected).enumerate() {
        let differs = |(a, b): (&f32, &f32)| a.to_bits() != b.to_bits();
        let token = found.iter().zip(expected).position(differs);
        assert_eq!(token, None, "{what}: logits at position {position} differ from this token on");
        assert!(expected.iter().all(|logit| logit.is_finite()), "{what}: position {position}");
    }
}

#[test]
fn threads() {
    for (name, model) in models() {
        let (expected, tokens) = (expected(&model), model.shape.tokens(POSITIONS));
        for threads in [2, 3] {
            for batch in [1, 32] {
                let limits = Limits { threads, ..limits(POSITIONS, batch) };
                let found = start(&model.file(), best(), limits, |s| logits(s, &tokens));
                assert_same(&found, &expected, &format!("{name}, {threads} threads by {batch}"));
            }
        }
    }
}

#[test]
fn threads_that_come_and_go() {
    for (name, model) in models() {
        let (expected, tokens) = (expected(&model), model.shape.tokens(POSITIONS));
        for batch in [1, 8, 32] {
            let limits = Limits { threads: 3, ..limits(POSITIONS, batch) };
            let found = start(&model.file(), best(), limits, |session| {
                let sequence = session.open().unwrap();
                let mut found = Vec::new();
                for (pass, tokens) in tokens.chunks(batch).enumerate() {
                    let threads = [3, 2, 1, 1, 2, 3][pass % 6];
                    session.set_threads(threads, 4 - threads);
                    assert_eq!(session.threads(), Threads { few: threads, many: 4 - threads });
                    found.extend(extend(session, sequence, tokens));
                }
                session.set_threads(0, 9);
                assert_eq!(session.threads(), Threads { few: 1, many: 3 });
                found
            });
            assert_same(&found, &expected, &format!("{name}, 1 to 3 threads by {batch}"));
        }
    }
}

#[test]
fn batches() {
    for (name, model) in models() {
        let (expected, tokens) = (expected(&model), model.shape.tokens(POSITIONS));
        for batch in [1, 7, 8, 9, 512] {
            let limits = Limits { context: 512, ..limits(POSITIONS, batch) };
            let found = start(&model.file(), best(), limits, |s| logits(s, &tokens));
            assert_same(&found, &expected, &format!("{name} by {batch}"));
        }
    }
}

#[test]
fn kernel_tables() {
    for (name, model) in models() {
        let (expected, tokens) = (expected(&model), model.shape.tokens(POSITIONS));
        for kernels in dram_targets::all() {
            for batch in [5, 64] {
                let found =
                    start(&model.file(), kernels, limits(POSITIONS, batch), |s| logits(s, &tokens));
                assert_same(&found, &expected, &format!("{name}, {} by {batch}", kernels.name()));
            }
        }
    }
}

#[test]
fn tiles() {
    for (name, model) in models() {
        let (expected, tokens) = (expected(&model), model.shape.tokens(POSITIONS));
        let path = std::env::temp_dir().join(format!("dram-exact-{}.gguf", std::process::id()));
        std::fs::write(&path, model.file()).unwrap();
        let image = Map::read_tiles(&path, 2).unwrap().remove(0);
        std::fs::remove_file(&path).unwrap();
        for kernels in dram_targets::all() {
            for batch in [8, 64] {
                let found =
                    start(&image, kernels, limits(POSITIONS, batch), |s| logits(s, &tokens));
                assert_same(&found, &expected, &format!("{name}, {} by {batch}", kernels.name()));
            }
        }
    }
}

#[test]
fn tiles_made_between_passes() {
    for (name, model) in models() {
        let (expected, tokens) = (expected(&model), model.shape.tokens(POSITIONS));
        for kernels in dram_targets::all() {
            for batch in [1, 7, 64] {
                let found = arranging(&model.file(), kernels, batch, &tokens);
                assert_same(&found, &expected, &format!("{name}, {} by {batch}", kernels.name()));
            }
        }
    }
}

/// The logits of a session that arranges its weights meanwhile, a layer a pass and in the end all.
fn arranging(
    file: &[u8],
    kernels: &'static Kernels,
    batch: usize,
    tokens: &[u32],
) -> Vec<Vec<f32>> {
    let gguf = Gguf::parse(file).unwrap();
    let mut slots = vec![None; Plan::layers_in(&gguf).unwrap()];
    let plan = Plan::new(&gguf, &mut slots).unwrap();
    let limits = Limits { threads: 2, ..limits(POSITIONS, batch) };
    let mut memory = vec![0; Session::bytes(&plan, &limits).unwrap()];
    let (mut room, mut layers) =
        (vec![0; Tiling::bytes(&plan).unwrap()], vec![None; plan.config.layers]);
    let released = AtomicUsize::new(0);
    let release = |rows: &[u8]| {
        assert!(file.as_ptr_range().contains(&rows.as_ptr()), "rows of the file are let go of");
        released.fetch_add(rows.len(), Ordering::Relaxed);
    };
    let mut session = Session::new(&plan, kernels, limits, &mut memory).unwrap();
    session.arrange_in(Tiling { room: &mut room, layers: &mut layers, release: &release }).unwrap();
    let sequence = session.open().unwrap();
    let (first, rest) = tokens.split_at(batch);
    let mut found = extend(&mut session, sequence, first);
    assert_eq!(released.load(Ordering::Relaxed), 0, "the first pass does not wait");
    assert!(rest.len() > batch, "there is a pass that arranges one layer");
    for (pass, tokens) in rest.chunks(batch).enumerate() {
        if pass == 2 {
            session.arrange();
        }
        found.extend(extend(&mut session, sequence, tokens));
    }
    assert!(released.load(Ordering::Relaxed) > 0, "what is arranged is let go of");
    found
}

#[test]
fn tiles_need_room_for_all() {
    let file = tiny::llama(tiny::Mix::Q4_K_M).file();
    let gguf = Gguf::parse(&file).unwrap();
    let mut slots = vec![None; Plan::layers_in(&gguf).unwrap()];
    let plan = Plan::new(&gguf, &mut slots).unwrap();
    let (bytes, count) = (Tiling::bytes(&plan).unwrap(), plan.config.layers);
    for (bytes, count, needed) in [(bytes - 1, count, bytes), (bytes, count - 1, count)] {
        let limits = limits(8, 8);
        let mut memory = vec![0; Session::bytes(&plan, &limits).unwrap()];
        let (mut room, mut layers) = (vec![0; bytes], vec![None; count]);
        let mut session = Session::new(&plan, best(), limits, &mut memory).unwrap();
        let tiling = Tiling { room: &mut room, layers: &mut layers, release: &|_| () };
        let error = session.arrange_in(tiling).unwrap_err();
        assert!(error.to_string().contains(&needed.to_string()), "{error}");
    }
}

/// Advances a sequence by `tokens` and returns the logits at each.
fn extend(session: &mut Session<'_>, sequence: Sequence, tokens: &[u32]) -> Vec<Vec<f32>> {
    let column = |&token| Column { sequence, token, wants_logits: true };
    session
        .forward(&tokens.iter().map(column).collect::<Vec<_>>(), &AtomicBool::new(false))
        .unwrap();
    (0..tokens.len()).map(|i| session.logits(i).to_vec()).collect()
}

/// Sessions for sequences that share, with each KV format.
fn sharing(test: impl Fn(&mut Session<'_>, &[u32])) {
    let model = tiny::llama(tiny::Mix::Q4_0);
    for kv in [KvFormat::F16, KvFormat::Q8_0] {
        let limits = Limits { sequences: 3, kv, ..limits(256, 256) };
        start(&model.file(), best(), limits, |session| test(session, &model.shape.tokens(200)));
    }
}

#[test]
fn forks_go_on_as_if_alone() {
    sharing(|session, tokens| {
        // 31 to 33: a fork before, at and behind the border of a page.
        for past in [1, 31, 32, 33, 100] {
            let (past, rest) = tokens[..150].split_at(past);
            let other: Vec<u32> = rest.iter().rev().copied().collect();
            let alone = [rest, &other].map(|rest| logits(session, &[past, rest].concat()));
            let a = session.open().unwrap();
            session.prompt(a, past).unwrap();
            let b = session.fork(a).unwrap();
            let found = extend(session, a, rest);
            assert_same(&found, &alone[0][past.len()..], "the first of a fork");
            let found = extend(session, b, &other);
            assert_same(&found, &alone[1][past.len()..], "the second of a fork");
            session.close(a).unwrap();
            session.close(b).unwrap();
        }
    });
}

#[test]
fn a_fork_outlives_what_it_was_forked_from() {
    sharing(|session, tokens| {
        let alone = logits(session, tokens);
        let first = session.open().unwrap();
        session.prompt(first, &tokens[..70]).unwrap();
        let second = session.fork(first).unwrap();
        session.close(first).unwrap();
        let other = session.open().unwrap();
        session.prompt(other, &tokens[100..]).unwrap();
        let found = extend(session, second, &tokens[70..]);
        assert_same(&found, &alone[70..], "the fork of a closed sequence");
        session.close(second).unwrap();
        session.close(other).unwrap();
    });
}

#[test]
fn rewinding_forgets() {
    sharing(|session, tokens| {
        let alone = logits(session, tokens);
        let sequence = session.open().unwrap();
        for position in [0, 1, 31, 32, 33, 150] {
            session.rewind(sequence, 0).unwrap();
            session.prompt(sequence, &tokens[..position]).unwrap();
            session.prompt(sequence, &tokens[..50]).unwrap();
            session.rewind(sequence, position).unwrap();
            assert_eq!(session.position(sequence).unwrap(), position);
            let found = extend(session, sequence, &tokens[position..]);
            assert_same(&found, &alone[position..], "after rewinding");
        }
        session.close(sequence).unwrap();
    });
}

#[test]
fn rewinding_a_fork_leaves_the_other() {
    sharing(|session, tokens| {
        let alone = logits(session, tokens);
        let a = session.open().unwrap();
        session.prompt(a, &tokens[..100]).unwrap();
        let b = session.fork(a).unwrap();
        session.rewind(b, 40).unwrap();
        session.prompt(b, &tokens[..60]).unwrap();
        let found = extend(session, a, &tokens[100..]);
        assert_same(&found, &alone[100..], "beside a rewound fork");
        session.close(a).unwrap();
        session.close(b).unwrap();
    });
}

#[test]
fn sequences_in_one_pass_do_not_meet() {
    sharing(|session, tokens| {
        let other: Vec<u32> = tokens.iter().rev().copied().collect();
        let alone = [tokens, &other].map(|tokens| logits(session, tokens));
        let sequences = [session.open().unwrap(), session.open().unwrap()];
        for (at, (a, b)) in tokens.iter().zip(&other).enumerate() {
            let columns = [(sequences[0], *a), (sequences[1], *b)];
            let column = |(sequence, token)| Column { sequence, token, wants_logits: true };
            session.forward(&columns.map(column), &AtomicBool::new(false)).unwrap();
            for (i, alone) in alone.iter().enumerate() {
                assert_same(&[session.logits(i).to_vec()], &alone[at..=at], "side by side");
            }
        }
        for sequence in sequences {
            session.close(sequence).unwrap();
        }
    });
}

/// Limits for six sequences of up to 400 positions.
fn crowd(kv: KvFormat, threads: usize) -> Limits {
    Limits { sequences: 6, batch: 64, logits: 64, threads, kv, ..limits(400, 64) }
}

#[test]
fn five_sequences_in_mixed_passes_do_not_meet() {
    let model = tiny::llama(tiny::Mix::Q4_0);
    let tokens = model.shape.tokens(400);
    let texts: [&[u32]; 5] = core::array::from_fn(|k| &tokens[k * 13..][..300 - 40 * k]);
    for kv in [KvFormat::F16, KvFormat::Q8_0] {
        for threads in [1, 3] {
            start(&model.file(), best(), crowd(kv, threads), |session| {
                let alone = texts.map(|text| logits(session, text));
                let sequences = texts.map(|_| session.open().unwrap());
                let (mut at, mut random) = ([0; 5], 1_u64);
                while at.iter().zip(&texts).any(|(at, text)| *at < text.len()) {
                    let (mut columns, mut expected) = (Vec::new(), Vec::new());
                    for _ in 0..12 {
                        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                        let k = (random >> 33) as usize % 5;
                        let most = (texts[k].len() - at[k]).min(60 - columns.len());
                        for _ in 0..((random >> 40) as usize % 10).min(most) {
                            let (sequence, token) = (sequences[k], texts[k][at[k]]);
                            columns.push(Column { sequence, token, wants_logits: true });
                            expected.push(alone[k][at[k]].clone());
                            at[k] += 1;
                        }
                    }
                    session.forward(&columns, &AtomicBool::new(false)).unwrap();
                    let found: Vec<_> =
                        (0..columns.len()).map(|i| session.logits(i).to_vec()).collect();
                    assert_same(&found, &expected, &format!("{kv:?}, {threads} threads"));
                }
                for sequence in sequences {
                    session.close(sequence).unwrap();
                }
            });
        }
    }
}
