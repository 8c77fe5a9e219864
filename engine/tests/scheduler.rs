//! Many requests at random over few pages: each gets the text that it would have got alone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../runtime/tests/build/mod.rs"]
mod build;
#[path = "../../runtime/tests/tiny/mod.rs"]
mod tiny;

use build::Random;
use dram_boards::Root;
use dram_engine::{
    BatchMemory, Ending, Engine, EngineError, Heat, Host, LoadOptions, Model, Refused, Request,
    Ticket, Update, with_engine, with_session,
};
use dram_runtime::text::Channel;
use dram_runtime::{
    FinishReason, Output, Reply, ReplyOptions, Request as Asked, Sampling, Session, Step,
};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, slice, thread};

const REQUESTS: usize = 200;
const CONTEXT: usize = 512;
/// Replies at a time, and pages for about a quarter of what they want.
const SEQUENCES: usize = 16;
const PAGES: usize = 24;
/// No step takes nearly so long: who waits longer waits for ever.
const EVER: Duration = Duration::from_secs(120);

/// A folder with a tiny model, removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Self(env::temp_dir().join(format!("dram-{name}-{}", process::id())));
        fs::create_dir_all(&folder.0).unwrap();
        fs::write(folder.model(), tiny::qwen2(tiny::Mix::Q8_0).file()).unwrap();
        folder
    }

    fn model(&self) -> PathBuf {
        self.0.join("tiny.gguf")
    }

    /// Lends a session on a machine without boards and thermometers.
    fn with<T>(
        &self,
        options: &LoadOptions,
        f: impl FnOnce(&Model<'_>, &mut Session<'_>, Heat) -> T,
    ) -> T {
        let host = Host::read(Root::new(&self.0), None, &mut |_| {}).unwrap();
        let outcome =
            with_session(&host, &self.model(), options, dram_targets::best(), |model, session| {
                let heat = Heat::watch(&host, model.threads, &[]);
                Ok::<_, EngineError>(f(model, session, heat))
            });
        outcome.unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn options(sequences: usize, pages: Option<usize>) -> LoadOptions {
    LoadOptions {
        context: Some(CONTEXT),
        threads: Some(3),
        sequences: Some(sequences),
        pages,
        ..LoadOptions::default()
    }
}

/// All of a reply.
#[derive(Clone, Debug, Default, PartialEq)]
struct Heard {
    texts: Vec<(Channel, String)>,
    tokens: Vec<u32>,
    ending: Option<Ending>,
}

impl Heard {
    fn text(&mut self, channel: Channel, text: &str) {
        match self.texts.last_mut() {
            Some((last, kept)) if *last == channel => kept.push_str(text),
            _ => self.texts.push((channel, text.into())),
        }
    }

    fn add(&mut self, update: Update) {
        update.texts.iter().for_each(|(channel, text)| self.text(*channel, text));
        self.tokens.extend(update.tokens.iter().map(|token| token.id));
        self.ending = update.finished.map(|finished| finished.outcome.unwrap());
    }

    fn all_text(&self) -> String {
        self.texts.iter().map(|(_, text)| text.as_str()).collect()
    }
}

impl Output for Heard {
    fn text(&mut self, channel: Channel, text: &str) {
        Self::text(self, channel, text);
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Token { token, .. } => self.tokens.push(*token),
            Step::Finished(reason) => {
                self.ending = Some(match reason {
                    FinishReason::Stop(_) | FinishReason::StopText => Ending::Stop,
                    FinishReason::Length => Ending::Length,
                    FinishReason::Context => Ending::Context,
                    FinishReason::Failed(fault) => panic!("{fault}"),
                });
            }
            Step::Read(_) => {}
        }
    }
}

/// A request of the runtime, without the engine.
struct Alone<'r> {
    tokens: Vec<u32>,
    request: &'r Request,
}

impl Asked for Alone<'_> {
    fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    fn tokens_mut(&mut self) -> &mut [u32] {
        &mut self.tokens
    }

    fn logit_bias(&self) -> &[(u32, f32)] {
        &self.request.logit_bias
    }

    fn stop_text(&self, i: usize) -> Option<&str> {
        self.request.stop_texts.get(i).map(String::as_str)
    }
}

/// What each request gets alone, a pass of its own for every token.
fn alone(folder: &Folder, requests: &[Request]) -> Vec<Heard> {
    folder.with(&options(1, None), |model, session, _| {
        let mut memory = BatchMemory::new(session);
        let mut batch = memory.batch(model.vocab).unwrap();
        let never = AtomicBool::new(false);
        let answer = |request: &Request| {
            let mut tokens = request.prompt.clone();
            let prompt = tokens.len();
            tokens.resize((prompt + request.options.max_tokens).min(CONTEXT + 1), 0);
            let (asked, heard) = (Alone { tokens, request }, Heard::default());
            let mut reply = Reply::new(asked, heard, prompt, &request.options).unwrap();
            let sequence = session.open().unwrap();
            reply.attach(sequence, 0);
            while reply.finish_reason().is_none() {
                let replies = slice::from_mut(&mut reply);
                batch.step(session, replies, usize::MAX, &never).unwrap();
            }
            session.close(sequence).unwrap();
            reply.output().clone()
        };
        requests.iter().map(answer).collect()
    })
}

/// Requests of a few families, each of which begins alike.
fn requests(random: &mut Random) -> Vec<Request> {
    let one = |_| {
        let family = random.below(5) as u32;
        let shared = random.below(120);
        let own = 1 + random.below(60);
        let mut prompt: Vec<u32> =
            (0..shared as u32).map(|i| (i * i + family * 31) % 256).collect();
        prompt.extend((0..own).map(|_| random.below(256) as u32));
        let sampling = match random.below(3) {
            0 => Sampling::GREEDY,
            _ => Sampling { temperature: 1.2, seed: random.next(), ..Sampling::COMMON },
        };
        let start = (random.below(2) == 0).then_some(Channel::Answer);
        let max_tokens = if random.below(20) == 0 { CONTEXT } else { 1 + random.below(60) };
        let options = ReplyOptions { sampling, start, max_tokens, logprobs: None };
        let mut request = Request::new(prompt, options);
        if random.below(4) == 0 {
            request.stop_texts = vec!["in".into(), "zzz".into()];
        }
        if random.below(4) == 0 {
            request.logit_bias = vec![(65, 5.0)];
        }
        request
    };
    (0..REQUESTS).map(one).collect()
}

/// What a client does with its ticket.
#[derive(Clone, Copy, Debug)]
enum Habit {
    Reads,
    /// Takes a while between two looks.
    IsSlow,
    /// Looks when all others are done.
    Forgets,
    /// Cancels behind so many updates.
    Cancels(usize),
    Drops,
}

impl Habit {
    fn random(random: &mut Random) -> Self {
        match random.below(10) {
            0 | 1 => Self::Cancels(random.below(8)),
            2 => Self::Drops,
            3 => Self::IsSlow,
            4 => Self::Forgets,
            _ => Self::Reads,
        }
    }
}

/// Takes a place in the queue, in which others may stand.
fn submit(engine: &Engine, request: &Request) -> Ticket {
    let start = Instant::now();
    loop {
        match engine.submit(request.clone()) {
            Ok(ticket) => return ticket,
            Err(Refused::QueueFull { .. }) => thread::sleep(Duration::from_millis(2)),
            Err(refused) => panic!("{refused}"),
        }
        assert!(start.elapsed() < EVER, "the queue stays full");
    }
}

/// Reads on until the end, or until `most` updates have come.
fn read(ticket: &mut Ticket, heard: &mut Heard, most: usize, pause: Duration) {
    for _ in 0..most {
        thread::sleep(pause);
        let start = Instant::now();
        let Some(update) = ticket.next_within(EVER) else { return };
        assert!(start.elapsed() < EVER, "nothing has come for {EVER:?}");
        heard.add(update);
    }
}

fn client(engine: &Engine, request: &Request, habit: Habit, expected: &Heard) -> Option<Ticket> {
    let mut ticket = submit(engine, request);
    let mut heard = Heard::default();
    match habit {
        Habit::Drops => return None,
        Habit::Forgets => return Some(ticket),
        Habit::Reads => read(&mut ticket, &mut heard, usize::MAX, Duration::ZERO),
        Habit::IsSlow => read(&mut ticket, &mut heard, usize::MAX, Duration::from_millis(3)),
        Habit::Cancels(updates) => {
            read(&mut ticket, &mut heard, updates, Duration::ZERO);
            ticket.cancel();
            read(&mut ticket, &mut heard, usize::MAX, Duration::ZERO);
            assert!(expected.tokens.starts_with(&heard.tokens), "{heard:?}\n{expected:?}");
            assert!(expected.all_text().starts_with(&heard.all_text()), "{heard:?}\n{expected:?}");
            return None;
        }
    }
    assert_eq!(&heard, expected);
    None
}

#[test]
fn every_text_is_that_of_the_request_alone_and_no_page_is_lost() {
    let folder = Folder::new("many");
    let mut random = Random::new(0x5eed);
    let requests = requests(&mut random);
    let expected = alone(&folder, &requests);
    assert!(expected.iter().any(|heard| heard.ending == Some(Ending::Context)));
    assert!(expected.iter().any(|heard| heard.ending == Some(Ending::Stop)));
    let habits: Vec<_> = requests.iter().map(|_| Habit::random(&mut random)).collect();
    let options = options(SEQUENCES, Some(PAGES));
    folder.with(&options, |model, session, heat| {
        let statistics = with_engine(model.vocab, session, heat, 8, |engine| {
            let next = AtomicUsize::new(0);
            thread::scope(|scope| {
                let work = || {
                    let mut forgotten = Vec::new();
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let Some(request) = requests.get(i) else { return forgotten };
                        let left = client(engine, request, habits[i], &expected[i]);
                        forgotten.extend(left.map(|ticket| (i, ticket)));
                    }
                };
                let clients: Vec<_> = (0..2 * SEQUENCES).map(|_| scope.spawn(work)).collect();
                let forgotten = clients.into_iter().flat_map(|client| client.join().unwrap());
                for (i, mut ticket) in forgotten.collect::<Vec<_>>() {
                    let mut heard = Heard::default();
                    read(&mut ticket, &mut heard, usize::MAX, Duration::ZERO);
                    assert_eq!(heard, expected[i], "request {i}, which nobody read");
                }
            });
            engine.statistics()
        });
        let statistics = statistics.unwrap();
        assert!(statistics.pauses > 0, "pages ran out: {statistics:?}");
        assert!(statistics.reused_tokens > 0, "prompts begin alike: {statistics:?}");
        assert!(statistics.steps.mean() <= statistics.steps.longest);
        assert_eq!((session.limits().pages, session.free_pages()), (PAGES, PAGES));
    });
}

#[test]
fn what_cannot_be_answered_is_refused_at_once_with_numbers() {
    let folder = Folder::new("refused");
    folder.with(&options(2, Some(4)), |model, session, heat| {
        let tokens = session.plan().tokens();
        let outcome = with_engine(model.vocab, session, heat, 0, |engine| {
            let sampling = Sampling::GREEDY;
            let options = ReplyOptions { sampling, start: None, max_tokens: 4, logprobs: None };
            let submit = |prompt| engine.submit(Request::new(prompt, options)).err();
            assert_eq!(submit(vec![]), Some(Refused::Empty));
            // Four pages hold less than the context.
            let long = Some(Refused::TooLong { tokens: 129, context: 128 });
            assert_eq!(submit(vec![1; 129]), long);
            let token = tokens as u32;
            assert_eq!(submit(vec![1, token]), Some(Refused::Token { token, tokens }));
            assert_eq!(submit(vec![1]), Some(Refused::QueueFull { most: 0 }));
        });
        outcome.unwrap();
    });
}

/// Reads until a token has come, whose text comes before it.
fn until_a_token(ticket: &mut Ticket) {
    while ticket.next_within(EVER).unwrap().tokens.is_empty() {}
}

#[test]
fn cancelling_ends_a_request_within_a_step_wherever_it_is() {
    let folder = Folder::new("cancel");
    folder.with(&options(2, None), |model, session, heat| {
        let outcome = with_engine(model.vocab, session, heat, 8, |engine| {
            let sampling = Sampling::GREEDY;
            let options = ReplyOptions { sampling, start: None, max_tokens: 400, logprobs: None };
            let bias =
                model.vocab.stop_tokens().iter().map(|token| (*token, -1e9)).collect::<Vec<_>>();
            let submit = |count: usize| {
                let mut request = Request::new(vec![65; count], options);
                request.logit_bias.clone_from(&bias);
                engine.submit(request).unwrap()
            };
            let ended = |ticket: &mut Ticket| {
                ticket.cancel();
                let (mut so_far, mut heard) = (Heard::default(), Heard::default());
                so_far.add(ticket.next_within(Duration::ZERO).unwrap());
                read(ticket, &mut heard, usize::MAX, Duration::ZERO);
                assert!(heard.tokens.len() <= 1, "{} more steps", heard.tokens.len());
                heard.ending.or(so_far.ending)
            };
            let mut writing = submit(3);
            until_a_token(&mut writing);
            let mut reading = submit(100);
            let mut queued = submit(5);
            for ticket in [&mut queued, &mut reading, &mut writing] {
                assert_eq!(ended(ticket), Some(Ending::Interrupted));
            }
            until_a_token(&mut submit(7));
        });
        outcome.unwrap();
    });
}
