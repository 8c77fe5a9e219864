//! Vocabularies that no honest converter writes: an error that names the key, or a vocabulary
//! that works.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod words;

use build::{ARRAY, F32, File, I32, Random, TEXT, U8, array, string};
use dram_runtime::model::Gguf;
use dram_runtime::text::{PreTokenizer, TokenKind, Vocab};
use words::{CONTROL, NORMAL, UNUSED, USER_DEFINED, Words, decode, encode, with};

/// What is wrong with the vocabulary in a file.
fn error(file: &[u8]) -> String {
    let gguf = Gguf::parse(file).unwrap();
    let mut memory = vec![0; 1 << 20];
    let error = Vocab::new(&gguf, &mut memory).map(drop).unwrap_err();
    error.to_string()
}

fn plain() -> Words {
    Words::bytes(&["a b", "ab c"])
}

#[track_caller]
fn refuses(file: &[u8], parts: &[&str]) {
    let error = error(file);
    assert!(parts.iter().all(|part| error.contains(part)), "{error:?} should say {parts:?}");
}

#[test]
fn tokens_that_are_missing_or_no_list_of_texts() {
    let without =
        File::new().text("tokenizer.ggml.model", "gpt2").text("tokenizer.ggml.pre", "qwen2");
    refuses(&without.bytes(), &["tokenizer.ggml.tokens", "missing"]);
    let none = array(TEXT, 0, []);
    refuses(&plain().file_with("tokenizer.ggml.tokens", &none), &["tokenizer.ggml.tokens", "0"]);
    let numbers = array(I32, 2, [0; 8]);
    refuses(&plain().file_with("tokenizer.ggml.tokens", &numbers), &["i32", "array of text"]);
}

#[test]
fn more_tokens_or_merges_than_any_model_has() {
    let many = array(TEXT, 1 << 21, vec![0; 8 << 21]);
    refuses(&plain().file_with("tokenizer.ggml.tokens", &many), &["2097152 tokens", "1048576"]);
    let many = array(TEXT, 1 << 22, vec![0; 8 << 22]);
    refuses(&plain().file_with("tokenizer.ggml.merges", &many), &["4194304 merges", "2097152"]);
}

#[test]
fn token_types_of_another_length_or_type() {
    let key = "tokenizer.ggml.token_type";
    refuses(&plain().file_with(key, &array(I32, 3, [0; 12])), &[key, "3 elements", "258"]);
    refuses(&plain().file_with(key, &array(U8, 258, [1; 258])), &[key, "u8", "i32"]);
    refuses(&plain().file_with(key, &array(F32, 258, [0; 1032])), &[key, "f32", "i32"]);
}

#[test]
fn special_ids_behind_the_last_token() {
    for name in ["bos", "eos", "eot", "eom"] {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let mut negative = plain();
        negative.keys = negative.keys.key(&key, I32, (-1i32).to_le_bytes());
        for words in [plain().u32(&key, 258), plain().u32(&key, u32::MAX), negative] {
            with(&words.file(), |encoder| {
                let vocab = encoder.vocab();
                assert_eq!((vocab.bos(), vocab.eos()), (None, None), "{key}");
                let told = vocab.warnings().next().unwrap();
                assert!(told.contains("token_id"), "{told}");
            });
        }
    }
}

/// Converters give marks any type: their texts decide.
#[test]
fn marks_are_marks_whatever_their_type() {
    for mark in ["<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<｜end▁of▁sentence｜>", "<|end|>"]
    {
        for kind in [NORMAL, CONTROL, USER_DEFINED] {
            with(&plain().token(mark, kind).file(), |encoder| {
                let vocab = encoder.vocab();
                let id = vocab.find(mark).unwrap();
                assert_eq!((vocab.kind(id), vocab.stop_tokens()), (TokenKind::Control, &[id][..]));
                assert_eq!(encode(encoder, mark, true), [id]);
                assert!(!encode(encoder, mark, false).contains(&id), "a user wrote {mark}");
            });
        }
    }
    for mark in ["<|im_start|>", "[INST]", "<start_of_turn>", "<|start_header_id|>"] {
        with(&plain().token(mark, NORMAL).file(), |encoder| {
            let id = encoder.vocab().find(mark).unwrap();
            assert_eq!(encoder.vocab().kind(id), TokenKind::Control);
            assert_eq!(
                (encode(encoder, mark, true), encoder.vocab().stop_tokens()),
                (vec![id], &[][..])
            );
        });
    }
    for (kind, expected) in [(NORMAL, TokenKind::Normal), (CONTROL, TokenKind::Control)] {
        with(&plain().token("</s>", kind).file(), |encoder| {
            let id = encoder.vocab().find("</s>").unwrap();
            assert_eq!(encoder.vocab().kind(id), expected, "a piece of HTML, or a mark");
            assert_eq!(encoder.vocab().stop_tokens().contains(&id), kind == CONTROL);
        });
    }
}

/// Without a name that is known, words are cut as models with such a vocabulary do.
#[test]
fn a_published_vocabulary_tells_how_words_are_cut() {
    for (tokens, mark, expected) in [
        (128_256, "<|begin_of_text|>", PreTokenizer::Llama3),
        (151_936, "<|endoftext|>", PreTokenizer::Qwen2),
        (49_152, "<|endoftext|>", PreTokenizer::Smollm),
        (49_152, "<|nothing|>", PreTokenizer::Default),
    ] {
        let mut words = plain().token(mark, CONTROL);
        words.pre = None;
        for i in words.tokens.len()..tokens {
            words = words.token(format!("[PAD{i}]"), USER_DEFINED);
        }
        with(&words.file(), |encoder| assert_eq!(encoder.vocab().pre_tokenizer(), expected));
    }
}

#[test]
fn other_kinds_of_vocabulary_and_unknown_words() {
    let text = |model, pre| {
        let file = File::new().text("tokenizer.ggml.model", model).text("tokenizer.ggml.pre", pre);
        file.array("tokenizer.ggml.tokens", TEXT, 1, string("a")).bytes()
    };
    refuses(&text("bert", "default"), &["tokenizer.ggml.model", "\"bert\"", "\"gpt2\""]);
    let hostile = error(&text("\u{1b}[2J".repeat(1000).as_str(), "qwen2"));
    assert!(!hostile.contains('\u{1b}') && hostile.len() < 1000, "{hostile}");
}

#[test]
fn a_file_that_does_not_say_how_to_cut_words_is_read_with_a_warning() {
    let mut words = plain();
    for pre in [None, Some("default"), Some("a way that nobody knows")] {
        words.pre = pre;
        with(&words.file(), |encoder| {
            assert_eq!(encoder.vocab().pre_tokenizer(), PreTokenizer::Default);
            assert!(encoder.vocab().warnings().next().unwrap().contains("tokenizer.ggml.pre"));
            assert_eq!(encode(encoder, "abc", false), [257]);
        });
    }
    with(&plain().file(), |encoder| assert_eq!(encoder.vocab().warnings().count(), 0));
}

#[test]
fn merges_without_a_space_are_refused_and_those_of_unknown_texts_left_out() {
    let mut words = plain();
    words.merges.push(b"ab".to_vec());
    refuses(&words.file(), &["tokenizer.ggml.merges", "entry 2", "\"ab\""]);
    for malformed in ["", " ", " a"] {
        words.merges[2] = malformed.as_bytes().to_vec();
        refuses(&words.file(), &["entry 2", malformed]);
    }
    for ignored in ["nope a", "a b c", "a d", "a ", "  "] {
        words.merges[2] = ignored.as_bytes().to_vec();
        with(&words.file(), |encoder| assert_eq!(encode(encoder, "abcabd", false), [257, 256, 67]));
    }
    words.merges.clear();
    with(&words.file(), |encoder| assert_eq!(encode(encoder, "abc", false), [64, 65, 66]));
}

#[test]
fn an_empty_token_is_never_found() {
    for kind in [NORMAL, CONTROL, USER_DEFINED, UNUSED, 0, 99, -7] {
        with(&plain().token("", kind).file(), |encoder| {
            assert_eq!(encode(encoder, "abc", true), [257]);
            assert_eq!(encode(encoder, "", true), []);
            assert_eq!(decode(encoder.vocab(), &[258, 257]), "abc");
        });
    }
}

#[test]
fn huge_and_broken_texts_of_tokens_do_no_harm() {
    let huge = "x".repeat(1 << 20);
    let words =
        plain().token(&huge, CONTROL).token(b"\xff\xc3<", USER_DEFINED).token(b"\xe4\xbd", NORMAL);
    with(&words.file(), |encoder| {
        assert_eq!(encode(encoder, &huge, true), vec![87; 1 << 20]);
        assert_eq!(decode(encoder.vocab(), &[258]), "");
        assert_eq!(decode(encoder.vocab(), &[259]), "\u{fffd}\u{fffd}<");
        assert_eq!(decode(encoder.vocab(), &[260, 64]), "\u{fffd}a");
    });
}

#[test]
fn of_equal_tokens_the_first_is_found() {
    let words = plain().token("ab", NORMAL).token("<x>", CONTROL).token("<x>", CONTROL);
    with(&words.file(), |encoder| {
        assert_eq!(encode(encoder, "ab<x>", true), [256, 259]);
        assert_eq!(decode(encoder.vocab(), &[258]), "ab");
    });
}

#[test]
fn byte_tokens_are_text() {
    let words = plain().token("<0x41>", 6).token("<0x-1>", 6).token("<0xZZ>", NORMAL);
    with(&words.file(), |encoder| {
        assert_eq!(decode(encoder.vocab(), &[258, 259, 260]), "<0x41><0x-1><0xZZ>");
    });
}

#[test]
fn merging_never_makes_a_mark() {
    let mut words = plain();
    words.kinds[257] = CONTROL;
    with(&words.file(), |encoder| {
        assert_eq!(encode(encoder, "abc", false), [256, 66]);
        assert_eq!(encode(encoder, "abc", true), [257]);
    });
    let mut words = plain();
    (words.pre, words.kinds[257], words.kinds[64]) = (Some("llama-bpe"), CONTROL, CONTROL);
    with(&words.file(), |encoder| {
        assert_eq!(encode(encoder, "abc", false), [65, 66]);
        assert_eq!(encoder.vocab().kind(257), TokenKind::Control);
    });
}

#[test]
fn the_longest_special_token_is_found() {
    let words = plain()
        .token("<a", USER_DEFINED)
        .token("<a><", CONTROL)
        .token("<a>", CONTROL)
        .token("aa", USER_DEFINED);
    with(&words.file(), |encoder| {
        assert_eq!(encode(encoder, "<a><a>b", true), [259, 64, 29, 65]);
        assert_eq!(encode(encoder, "<a><a>b", false), [258, 29, 258, 29, 65]);
        assert_eq!(encode(encoder, "aaaaa", false), [261, 261, 64]);
    });
}

#[test]
fn too_little_memory_is_told() {
    let file = plain().file();
    let gguf = Gguf::parse(&file).unwrap();
    let needed = Vocab::bytes(&gguf).unwrap();
    let mut memory = vec![0; needed - 4];
    let error = Vocab::new(&gguf, &mut memory).map(drop).unwrap_err().to_string();
    assert!(error.contains(&needed.to_string()), "{error}");
    for shift in 0..4 {
        let mut memory = vec![0; needed + shift];
        let vocab = Vocab::new(&gguf, &mut memory[shift..]).unwrap();
        assert_eq!(decode(&vocab, &[257, 64]), "abca");
    }
}

#[test]
fn mutated_vocabularies_never_panic() {
    let words = plain()
        .token("<x>", CONTROL)
        .token("<think>", USER_DEFINED)
        .u32("tokenizer.ggml.bos_token_id", 258);
    let whole = words.file();
    let (mut random, mut survived) = (Random::new(11), 0);
    for _ in 0..20_000 {
        let mut file = whole.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(file.len());
            file[at] = [random.next() as u8, 0, 0xff, file[at] ^ 1][random.below(4)];
        }
        let Ok(gguf) = Gguf::parse(&file) else { continue };
        let Ok(bytes) = Vocab::bytes(&gguf) else { continue };
        assert!(bytes <= 20 * file.len(), "{bytes} bytes for a file of {}", file.len());
        let mut memory = vec![0; bytes];
        if Vocab::new(&gguf, &mut memory).is_ok() {
            survived += 1;
            with(&file, |encoder| {
                let tokens = encode(encoder, "abc <x> <think> \u{e9}abab", true);
                assert!(tokens.iter().all(|&id| (id as usize) < encoder.vocab().len()));
                decode(encoder.vocab(), &tokens);
            });
        }
    }
    assert!(survived > 1000, "{survived}");
}

#[test]
fn an_array_key_that_is_no_array() {
    for key in ["tokens", "merges", "token_type"] {
        let key = format!("tokenizer.ggml.{key}");
        let file = File::new().text("tokenizer.ggml.model", "gpt2");
        let texts = array(TEXT, 1, string("a"));
        let file = ["tokens", "merges"].iter().fold(file, |file, name| {
            let name = format!("tokenizer.ggml.{name}");
            if name == key { file } else { file.key(name, ARRAY, &texts) }
        });
        refuses(&file.u32(&key, 1).bytes(), &[&key, "must be an array"]);
    }
}
