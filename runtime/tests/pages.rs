//! Pages that sequences share: what a session tells of them, what it refuses, and that what it
//! refused or stopped has changed nothing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod tiny;

use build::{Entry, F32, File};
use core::sync::atomic::{AtomicBool, Ordering};
use dram_quant::{Format, Order};
use dram_runtime::{
    Column, ColumnFault, Error, Gguf, KvFormat, Limits, Plan, Sequence, Session, SessionFault,
};
use dram_targets::best;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};
use tiny::session::{limits, logits, start};
use tiny::{Mix, Tiny};

/// A flag that nobody sets.
static NEVER: AtomicBool = AtomicBool::new(false);

/// Columns that read `tokens`, of which the last asks for logits.
fn columns(sequence: Sequence, tokens: &[u32]) -> Vec<Column> {
    let last = tokens.len().wrapping_sub(1);
    let column = |(i, &token)| Column { sequence, token, wants_logits: i == last };
    tokens.iter().enumerate().map(column).collect()
}

/// A session of `pages` pages and three sequences, and tokens for it.
fn with_pages(pages: usize, test: impl Fn(&mut Session<'_>, &[u32])) {
    let model = tiny::llama(Mix::Q4_0);
    for kv in [KvFormat::F16, KvFormat::Q8_0] {
        let limits = Limits { sequences: 3, pages, kv, ..limits(256, 256) };
        start(&model.file(), best(), limits, |session| test(session, &model.shape.tokens(256)));
    }
}

fn refused(result: Result<(), Error>) -> SessionFault {
    match result {
        Err(Error::Session(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn limits_take_no_more_pages_than_sequences_fill() {
    with_pages(usize::MAX, |session, _| assert_eq!(session.pages(), 3 * 8));
    with_pages(0, |session, _| {
        assert_eq!((session.pages(), session.free_pages()), (1, 1));
        assert_eq!(session.limits().batch, 32, "more columns have no place in a pass");
    });
}

#[test]
fn pages_are_counted_before_they_are_taken() {
    with_pages(12, |session, tokens| {
        let a = session.open().unwrap();
        let needed = [0, 1, 32, 33, 256].map(|tokens| session.pages_for(a, tokens).unwrap());
        assert_eq!(needed, [0, 1, 1, 2, 8]);
        session.forward(&columns(a, &tokens[..40]), &NEVER).unwrap();
        assert_eq!(session.free_pages(), 10);
        assert_eq!([24, 25].map(|tokens| session.pages_for(a, tokens).unwrap()), [0, 1]);
        let b = session.fork(a).unwrap();
        assert_eq!(session.free_pages(), 10, "a fork takes none");
        let needed = [0, 1, 24, 25].map(|tokens| session.pages_for(b, tokens).unwrap());
        assert_eq!(needed, [0, 1, 1, 2], "it copies the shared page when it goes on");
        session.forward(&columns(b, &tokens[40..41]), &NEVER).unwrap();
        assert_eq!(session.free_pages(), 9);
        assert_eq!(session.pages_for(a, 1).unwrap(), 0, "the page is its own again");
        session.close(b).unwrap();
        assert_eq!(session.free_pages(), 10);
        assert!(session.pages_for(b, 1).is_err(), "it is closed");
        session.close(a).unwrap();
        assert_eq!(session.free_pages(), 12);
    });
}

#[test]
fn a_pass_without_pages_changes_nothing() {
    with_pages(4, |session, tokens| {
        let alone = logits(session, &tokens[..101]);
        let (a, b) = (session.open().unwrap(), session.open().unwrap());
        session.forward(&columns(a, &tokens[..100]), &NEVER).unwrap();
        assert_eq!(session.free_pages(), 0);
        let pass = [columns(a, &tokens[100..101]), columns(b, &tokens[..33])].concat();
        let fault = refused(session.forward(&pass, &NEVER));
        assert_eq!(fault, SessionFault::Pages { needed: 2, free: 0 });
        let fault = refused(session.prompt(b, &tokens[..65]));
        assert_eq!(fault, SessionFault::Pages { needed: 3, free: 0 });
        assert!(Error::from(fault).to_string().contains("3 pages"), "{fault}");
        assert_eq!([a, b].map(|s| session.position(s).unwrap()), [100, 0]);
        session.forward(&columns(a, &tokens[100..101]), &NEVER).unwrap();
        assert_eq!(session.logits(0), alone[100]);
        session.rewind(a, 32).unwrap();
        session.forward(&columns(b, &tokens[..33]), &NEVER).unwrap();
        assert_eq!((session.free_pages(), session.logits(0)), (1, &*alone[32]));
        [a, b].iter().for_each(|&sequence| session.close(sequence).unwrap());
    });
}

/// Forks of one page, all of which go on in one pass: the last of them need not copy it.
#[test]
fn forks_that_go_on_together_take_a_page_less() {
    with_pages(3, |session, tokens| {
        let alone = logits(session, &tokens[..11]);
        let a = session.open().unwrap();
        session.forward(&columns(a, &tokens[..10]), &NEVER).unwrap();
        let forks = [a, session.fork(a).unwrap(), session.fork(a).unwrap()];
        let pass = forks.map(|sequence| columns(sequence, &tokens[10..11])).concat();
        session.forward(&pass, &NEVER).unwrap();
        assert_eq!(session.free_pages(), 0);
        (0..3).for_each(|i| assert_eq!(session.logits(i), alone[10], "fork {i}"));
        forks.iter().for_each(|&sequence| session.close(sequence).unwrap());
    });
    with_pages(2, |session, tokens| {
        let a = session.open().unwrap();
        session.forward(&columns(a, &tokens[..10]), &NEVER).unwrap();
        let forks = [a, session.fork(a).unwrap(), session.fork(a).unwrap()];
        let pass = forks.map(|sequence| columns(sequence, &tokens[10..12])).concat();
        let fault = refused(session.forward(&pass, &NEVER));
        assert_eq!(fault, SessionFault::Pages { needed: 2, free: 1 });
        forks.iter().for_each(|&sequence| session.close(sequence).unwrap());
        assert_eq!(session.free_pages(), 2);
    });
}

#[test]
fn a_fork_at_a_position_goes_on_from_there() {
    with_pages(usize::MAX, |session, tokens| {
        let other: Vec<u32> = tokens.iter().rev().copied().collect();
        let whole = session.open().unwrap();
        session.prompt(whole, &tokens[..150]).unwrap();
        for position in [0, 1, 31, 32, 33, 149, 150, 151] {
            let free = session.free_pages();
            let fork = session.fork_at(whole, position).unwrap();
            let position = position.min(150);
            assert_eq!(session.position(fork).unwrap(), position);
            assert_eq!(session.free_pages(), free);
            let text = [&tokens[..position], &other[..40]].concat();
            session.prompt(fork, &text[position..]).unwrap();
            let found = session.logits(0).to_vec();
            session.close(fork).unwrap();
            assert_eq!(session.free_pages(), free);
            assert_eq!(Some(&found), logits(session, &text).last(), "forked at {position}");
        }
        session.prompt(whole, &tokens[150..160]).unwrap();
        let found = session.logits(0).to_vec();
        session.close(whole).unwrap();
        assert_eq!(Some(&found), logits(session, &tokens[..160]).last(), "beside forks");
    });
}

#[test]
fn faults_name_their_column() {
    with_pages(usize::MAX, |session, tokens| {
        let (a, b) = (session.open().unwrap(), session.open().unwrap());
        session.prompt(b, &tokens[..255]).unwrap();
        session.close(a).unwrap();
        let column = |sequence, token| Column { sequence, token, wants_logits: false };
        let mut expect = |pass: &[Column], column, fault: ColumnFault| {
            let found = refused(session.forward(pass, &NEVER));
            assert_eq!(found, SessionFault::Column { column, fault });
            assert!(found.to_string().contains(&format!("column {column}: ")), "{found}");
            assert_eq!(session.position(b).unwrap(), 255);
        };
        expect(&[column(b, 1), column(a, 1)], 1, ColumnFault::Closed);
        expect(&[column(b, 1), column(b, 2)], 1, ColumnFault::Full { context: 256 });
        let count = tiny::llama(Mix::Q4_0).shape.vocab();
        let fault = ColumnFault::Token { token: 5000, tokens: count };
        expect(&[column(b, 5000)], 0, fault);
        session.close(b).unwrap();
    });
}

#[test]
fn a_pass_of_nothing_does_nothing() {
    with_pages(usize::MAX, |session, tokens| {
        session.forward(&[], &NEVER).unwrap();
        let a = session.open().unwrap();
        session.prompt(a, &tokens[..9]).unwrap();
        session.logits(0);
        session.forward(&[], &NEVER).unwrap();
        session.prompt(a, &[]).unwrap();
        assert_eq!(session.position(a).unwrap(), 9);
        let stale = catch_unwind(AssertUnwindSafe(|| session.logits(0).len()));
        assert!(stale.is_err(), "no pass has computed these");
        session.close(a).unwrap();
    });
}

#[test]
fn logits_that_the_last_pass_did_not_compute_are_not_given() {
    with_pages(usize::MAX, |session, tokens| {
        let a = session.open().unwrap();
        session.prompt(a, &tokens[..9]).unwrap();
        assert!(catch_unwind(AssertUnwindSafe(|| session.logits(1).len())).is_err());
        assert!(session.forward(&columns(a, &[5000]), &NEVER).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| session.logits(0).len())).is_err());
        session.close(a).unwrap();
    });
}

#[test]
fn a_pass_that_is_stopped_before_it_begins_computes_nothing() {
    with_pages(usize::MAX, |session, tokens| {
        let a = session.open().unwrap();
        session.prompt(a, &tokens[..40]).unwrap();
        let (free, stop) = (session.free_pages(), AtomicBool::new(true));
        for result in [
            session.forward(&columns(a, &tokens[40..140]), &stop),
            session.forward(&columns(a, &tokens[40..41]), &stop),
        ] {
            assert_eq!(refused(result), SessionFault::Stopped);
        }
        assert_eq!((session.position(a).unwrap(), session.free_pages()), (40, free));
        session.prompt(a, &tokens[40..50]).unwrap();
        let found = session.logits(0).to_vec();
        session.close(a).unwrap();
        assert_eq!(Some(&found), logits(session, &tokens[..50]).last());
    });
}

/// A pass that another thread stops ends within two layers, and its sequences have the bits they
/// would have had without it.
#[test]
fn a_stopped_pass_leaves_all_sequences_as_they_were() {
    let shape = tiny::Shape { layers: 48, ..tiny::llama(Mix::Q4_0).shape };
    let (model, threads) = (Tiny::new(shape, Mix::Q4_0), 2);
    let tokens = model.shape.tokens(290);
    let limits = Limits { sequences: 3, threads, logits: 1, ..limits(300, 256) };
    start(&model.file(), best(), limits, |session| {
        let a = session.open().unwrap();
        session.prompt(a, &tokens[..30]).unwrap();
        let b = session.fork(a).unwrap();
        let pass = [columns(a, &tokens[30..158]), columns(b, &tokens[30..158])].concat();
        let pass: Vec<Column> =
            pass.iter().map(|column| Column { wants_logits: false, ..*column }).collect();
        let free = session.free_pages();
        let begun = Instant::now();
        session.forward(&pass, &NEVER).unwrap();
        let whole = begun.elapsed();
        [a, b].iter().for_each(|&sequence| session.rewind(sequence, 30).unwrap());
        let mut waited = Vec::new();
        for part in 1..8 {
            let (result, after) = stopping(session, &pass, whole * part / 8);
            match result {
                Ok(()) => {
                    [a, b].iter().for_each(|&sequence| session.rewind(sequence, 30).unwrap());
                }
                Err(error) => {
                    assert_eq!(error, SessionFault::Stopped.into());
                    waited.push(after);
                }
            }
            assert_eq!([a, b].map(|sequence| session.position(sequence).unwrap()), [30, 30]);
            // The forks' page is copied by now: one more is taken, and no other.
            assert_eq!(session.free_pages(), free - 1);
        }
        // The middle one: the system may take the processor away from any.
        waited.sort();
        let middle = waited.get(waited.len() / 2).expect("a pass ends when it is stopped in it");
        assert!(*middle < whole / 48 * 2, "{middle:?} of {whole:?} passed until it ended");
        for sequence in [a, b] {
            session.prompt(sequence, &tokens[30..200]).unwrap();
            let found = session.logits(0).to_vec();
            session.close(sequence).unwrap();
            let alone = session.open().unwrap();
            session.prompt(alone, &tokens[..200]).unwrap();
            assert_eq!(found, session.logits(0), "as if it had not been stopped");
            session.close(alone).unwrap();
        }
    });
}

/// A pass that another thread stops after a time, and how long it went on then.
fn stopping(
    session: &mut Session<'_>,
    pass: &[Column],
    after: Duration,
) -> (Result<(), Error>, Duration) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let stopper = scope.spawn(|| {
            std::thread::sleep(after);
            stop.store(true, Ordering::Relaxed);
            Instant::now()
        });
        let result = session.forward(pass, &stop);
        let end = Instant::now();
        (result, end.saturating_duration_since(stopper.join().unwrap()))
    })
}

/// A file of R1-Distill-Qwen-1.5B's shape, with a hole where the weights would be.
fn r1() -> Vec<u8> {
    let (width, hidden, heads, kv_len) = (1536, 8960, 12, 256);
    let number = |file: File, (name, n)| file.u32(&format!("qwen2.{name}"), n);
    let file = [
        ("context_length", 131_072),
        ("embedding_length", width as u32),
        ("block_count", 28),
        ("feed_forward_length", hidden as u32),
        ("attention.head_count", heads),
        ("attention.head_count_kv", 2),
    ]
    .into_iter()
    .fold(File::bare().text("general.architecture", "qwen2"), number)
    .key("qwen2.rope.freq_base", F32, 1e4_f32.to_le_bytes())
    .key("qwen2.attention.layer_norm_rms_epsilon", F32, 1e-6_f32.to_le_bytes());
    let mut tensors = vec![("token_embd.weight".into(), vec![width, 151_936])];
    for layer in 0..28 {
        let shapes: [(&str, Vec<u64>); 12] = [
            ("attn_norm.weight", vec![width]),
            ("attn_q.weight", vec![width, width]),
            ("attn_k.weight", vec![width, kv_len]),
            ("attn_v.weight", vec![width, kv_len]),
            ("attn_q.bias", vec![width]),
            ("attn_k.bias", vec![kv_len]),
            ("attn_v.bias", vec![kv_len]),
            ("attn_output.weight", vec![width, width]),
            ("ffn_norm.weight", vec![width]),
            ("ffn_gate.weight", vec![width, hidden]),
            ("ffn_up.weight", vec![width, hidden]),
            ("ffn_down.weight", vec![hidden, width]),
        ];
        tensors.extend(shapes.map(|(name, dims)| (format!("blk.{layer}.{name}"), dims)));
    }
    tensors.push(("output_norm.weight".into(), vec![width]));
    tensors.push(("output.weight".into(), vec![width, 151_936]));
    let (mut file, mut data) = (file, 0);
    for (name, dims) in tensors {
        let format = if dims.len() == 1 { Format::F32 } else { Format::Q4_0 };
        let id = format.id(Order::Rows);
        file = file.entry(Entry { offset: Some(data), ..Entry::new(name, &dims, id) });
        let rows: u64 = dims[1..].iter().product();
        data += rows * format.row_bytes(dims[0] as usize).unwrap() as u64;
        data = data.next_multiple_of(32);
    }
    // Bytes that nobody writes to take no memory.
    let begin = file.bytes();
    let mut whole = vec![0; begin.len() + data as usize];
    whole[..begin.len()].copy_from_slice(&begin);
    whole
}

#[test]
fn memory_is_for_pages_and_not_for_sequences_or_context() {
    let file = r1();
    let gguf = Gguf::parse(&file).unwrap();
    let mut slots = vec![None; Plan::layers_in(&gguf).unwrap()];
    let plan = Plan::new(&gguf, &mut slots).unwrap();
    let bytes = |sequences, context, pages| {
        let limits = Limits { sequences, context, pages, ..Limits::default() };
        Session::bytes(&plan, &limits).unwrap() as f64
    };
    let pages = 16_384 / 32;
    for context in [16_384, 131_072] {
        let (one, many) = (bytes(1, context, pages), bytes(64, context, pages));
        assert!(many <= 1.01 * one, "64 sequences of {context} take {many}, one takes {one}");
    }
    let (short, long) = (bytes(1, 16_384, pages), bytes(1, 131_072, pages));
    assert!(long <= 1.001 * short, "a context of 131072 takes {long}, of 16384 {short}");
}
