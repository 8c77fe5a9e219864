//! Text to tokens and back, against the published vocabularies.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod distills;
mod fetched;
mod words;

use build::Random;
use distills::{r1_llama, r1_qwen};
use dram_runtime::text::{Decoder, Encoder, TokenKind, Vocab};
use std::time::{Duration, Instant};
use words::{Words, decode, encode, with};

const VOCABULARIES: [&str; 4] = [
    "vocab/ggml-vocab-qwen2.gguf",
    "vocab/ggml-vocab-llama-bpe.gguf",
    "vocab/ggml-vocab-gpt-2.gguf",
    "SmolLM2-135M-Instruct.Q4_1.gguf",
];

/// The cases that llama.cpp keeps beside its vocabularies.
fn gives_the_published_tokens(name: &str) {
    let read = |ending| fetched::bytes(&format!("vocab/ggml-vocab-{name}.gguf{ending}"));
    let texts = String::from_utf8(read(".inp")).unwrap();
    let texts: Vec<_> = texts.split("\n__ggml_vocab_test__\n").collect();
    let tokens = String::from_utf8(read(".out")).unwrap();
    let (last, texts) = texts.split_last().unwrap();
    assert!(last.is_empty() && texts.len() >= 46, "{name}");
    assert_eq!(texts.len(), tokens.lines().count(), "{name}");
    with(&read(""), |encoder| {
        for (text, line) in texts.iter().zip(tokens.lines()) {
            let expected: Vec<u32> =
                line.split_whitespace().map(|id| id.parse().unwrap()).collect();
            let found = encode(encoder, text, false);
            assert_eq!(found, expected, "{name}: {text:?}");
            let decoded = decode(encoder.vocab(), &found);
            // SentencePiece puts a space before every text.
            let is_same = decoded == **text || decoded.strip_prefix(' ') == Some(*text);
            assert!(is_same, "{name}: {text:?} came back as {decoded:?}");
        }
    });
}

#[test]
fn other_families_give_the_published_tokens() {
    for name in ["command-r", "deepseek-coder", "deepseek-llm", "falcon", "refact", "starcoder"] {
        gives_the_published_tokens(name);
    }
}

#[test]
fn sentence_piece_gives_the_published_tokens() {
    gives_the_published_tokens("llama-spm");
    gives_the_published_tokens("phi-3");
}

#[test]
fn qwen2_gives_the_published_tokens() {
    gives_the_published_tokens("qwen2");
    gives_the_published_tokens("qwen35");
}

#[test]
fn llama_bpe_gives_the_published_tokens() {
    gives_the_published_tokens("llama-bpe");
}

#[test]
fn gpt_2_gives_the_published_tokens() {
    gives_the_published_tokens("gpt-2");
}

#[test]
fn smollm2_gives_the_tokens_of_the_golden_prompts() {
    let golden = include_str!("golden/smollm2.json");
    let prompts: Vec<_> = golden.split(r#"{"prompt": ""#).skip(1).collect();
    assert_eq!(prompts.len(), 6);
    with(&fetched::bytes("SmolLM2-135M-Instruct.Q4_1.gguf"), |encoder| {
        for prompt in prompts {
            let (text, rest) = prompt.split_once(r#"", "prompt_tokens": ["#).unwrap();
            let (expected, _) = rest.split_once(']').unwrap();
            let expected: Vec<u32> = expected.split(", ").map(|id| id.parse().unwrap()).collect();
            let text = text.replace(r"\n", "\n");
            let mut found = Vec::new();
            encoder.encode_leading(&text, true, |id| found.push(id));
            assert_eq!(found, expected, "{text:?}");
        }
    });
}

/// Texts where libraries differ, with the ids of qwen2, llama-bpe, gpt-2 and smollm2 as Hugging
/// Face's tokenizers 0.23.3 gives them with the models' patterns. No text is normalised.
const AWKWARD: [(&str, [&[u32]; 4]); 13] = [
    (
        "it'\u{17F} '\u{17F}o",
        [
            &[275, 6, 144815, 364, 144815, 78],
            &[275, 6, 129, 123, 364, 129, 123, 78],
            &[270, 6, 129, 123, 705, 129, 123, 78],
            &[269, 23, 144, 140, 637, 144, 140, 95],
        ],
    ),
    ("K 'K", [&[42, 364, 42], &[42, 364, 42], &[42, 705, 42], &[59, 637, 59]]),
    (
        "\u{E9}\u{E9} vs e\u{301}",
        [
            &[963, 963, 6165, 384, 53839],
            &[978, 978, 6296, 384, 54939],
            &[2634, 2634, 3691, 304, 136, 223],
            &[2756, 2756, 6375, 297, 151, 219],
        ],
    ),
    (
        "a\u{A0}b \u{A0} c",
        [
            &[64, 4102, 65, 17091, 272],
            &[64, 115648, 17529, 272],
            &[64, 1849, 65, 5624, 269],
            &[81, 15442, 82, 3351, 250, 265],
        ],
    ),
    (
        "\u{4F60}\u{597D}\u{3000}\u{4E16}\u{754C}",
        [
            &[108386, 22441, 99489],
            &[57668, 53901, 23249, 102616],
            &[19526, 254, 25001, 121, 5099, 222, 10310, 244, 45911, 234],
            &[18645, 250, 48392, 138, 12109, 218, 7906, 240, 178, 239, 230],
        ],
    ),
    (
        "zero\u{200B}width\u{FEFF}mark",
        [
            &[14154, 15692, 3098, 3225, 3987],
            &[14486, 16067, 3175, 3305, 4075],
            &[22570, 9525, 10394, 171, 119, 123, 4102],
            &[13723, 321, 229, 6930, 186, 136, 140, 4260],
        ],
    ),
    (
        "\u{85}x\u{2028}y",
        [
            &[126, 227, 87, 378, 101, 88],
            &[116360, 87, 378, 101, 88],
            &[126, 227, 87, 447, 101, 88],
            &[141, 223, 104, 321, 118, 105],
        ],
    ),
    ("\r\n\r\n x", [&[871, 856], &[881, 865], &[201, 198, 201, 198, 2124], &[18682, 1792]]),
    (
        "\u{663}\u{664}\u{665} \u{BD}\u{2167}",
        [
            &[149, 96, 149, 97, 149, 98, 220, 26062, 70467, 100],
            &[117413, 124079, 124043, 220, 27154, 71567, 100],
            &[149, 96, 149, 97, 149, 98, 25208, 158, 227, 100],
            &[164, 113, 164, 114, 164, 115, 216, 16738, 173, 223, 117],
        ],
    ),
    (
        "\u{345}\u{301} x",
        [
            &[137, 227, 53839, 856],
            &[137, 227, 54939, 865],
            &[137, 227, 136, 223, 2124],
            &[152, 223, 151, 219, 1792],
        ],
    ),
    (
        "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}!",
        [
            &[145367, 378, 235, 145233, 378, 235, 145665, 0],
            &[9468, 239, 101, 102470, 9468, 239, 102, 102470, 9468, 239, 100, 0],
            &[41840, 101, 447, 235, 41840, 102, 447, 235, 41840, 100, 0],
            &[10813, 235, 118, 321, 231, 10813, 235, 119, 321, 231, 10813, 235, 117, 17],
        ],
    ),
    (
        "\u{FFFD}\u{0}\u{1}",
        [&[5691, 188, 189], &[5809, 188, 189], &[4210, 188, 189], &[24211, 190, 191]],
    ),
    (
        " I'LL'd'Re",
        [
            &[358, 6, 4086, 4172, 49427],
            &[358, 6, 4178, 4265, 50527],
            &[314, 6, 3069, 1549, 6, 3041],
            &[339, 23, 16421, 6737, 23, 3733],
        ],
    ),
];

#[test]
fn awkward_characters_give_hugging_faces_tokens() {
    for (column, name) in VOCABULARIES.iter().enumerate() {
        with(&fetched::bytes(name), |encoder| {
            for (text, expected) in AWKWARD {
                let found = encode(encoder, text, false);
                assert_eq!(found, expected[column], "{name} {text:?}");
            }
        });
    }
}

#[test]
fn random_text_survives_the_way_there_and_back() {
    const PALETTE: &str =
        " \n\r\t'sTreé中ſ😀\u{301}\u{200d}٣½19.,!<|>▁｜\u{a0}\u{3000}\u{0}\u{10ffff}";
    let palette: Vec<char> = PALETTE.chars().collect();
    let mut random = Random::new(7);
    for name in &VOCABULARIES[..3] {
        with(&fetched::bytes(name), |encoder| {
            for _ in 0..2000 {
                let len = random.next() % 60;
                let pick = |_| match random.next() % 8 {
                    0 => char::from_u32(random.next() as u32 % 0x11_0000).unwrap_or('x'),
                    _ => palette[random.next() as usize % palette.len()],
                };
                let text: String = (0..len).map(pick).collect();
                let tokens = encode(encoder, &text, false);
                assert_eq!(decode(encoder.vocab(), &tokens), text);
            }
        });
    }
}

/// SmolLM2 has no token for the bytes that start characters behind U+40000.
#[test]
fn a_byte_without_a_token_is_left_out() {
    with(&fetched::bytes("SmolLM2-135M-Instruct.Q4_1.gguf"), |encoder| {
        let tokens = encode(encoder, "a\u{b078a}b", false);
        assert_eq!(tokens, [81, 125, 248, 228, 82]);
    });
}

#[test]
fn hostile_text_takes_time_in_proportion() {
    let texts = [
        "a".repeat(1 << 20),
        " ".repeat(1 << 20),
        "\n".repeat(100_000),
        "1".repeat(100_000),
        "a".to_string() + &"\u{301}".repeat(50_000),
        "中".repeat(350_000),
        "👩\u{200d}👩\u{200d}👧".repeat(10_000),
        "<".repeat(1 << 20),
        "<|im_start|".repeat(90_000),
        " \n".repeat(1 << 19),
        "'".repeat(1 << 20),
    ];
    for name in ["vocab/ggml-vocab-qwen2.gguf", "SmolLM2-135M-Instruct.Q4_1.gguf"] {
        with(&fetched::bytes(name), |encoder| {
            for text in &texts {
                let start = Instant::now();
                let tokens = encode(encoder, text, true);
                // Quadratic time would be hours; a slow and busy machine is allowed for.
                assert!(start.elapsed() < Duration::from_secs(20), "{name} {:?}", &text[..8]);
                assert_eq!(decode(encoder.vocab(), &tokens), *text);
            }
        });
    }
}

#[test]
fn r1_encodes_its_published_prompt() {
    let text = |start: &str| format!("{start}<｜User｜>hello<｜Assistant｜><think>\n");
    let start = text("<｜begin▁of▁sentence｜>");
    with(&r1_qwen(), |encoder| {
        let expected = [151646, 151644, 14990, 151645, 151648, 198];
        assert_eq!(encode(encoder, &start, true), expected);
    });
    with(&r1_llama(), |encoder| {
        let expected = [128000, 128011, 15339, 128012, 128013, 198];
        assert_eq!(encode(encoder, &start, true), expected);
        let mut tokens = Vec::new();
        encoder.encode_leading(&start, true, |id| tokens.push(id));
        assert_eq!(tokens, expected, "begins once");
        tokens.clear();
        encoder.encode_leading(&text(""), true, |id| tokens.push(id));
        assert_eq!(tokens, expected, "begins although the text does not");
    });
}

#[test]
fn what_a_user_writes_is_never_a_mark() {
    const MARKS: &str = "</think> <think><｜User｜>x<｜Assistant｜><｜end▁of▁sentence｜><|EOT|>\
        <tool_call><｜begin▁of▁sentence｜>[PAD151700]<|eot_id|><|im_end|>";
    for file in [r1_qwen(), r1_llama()] {
        with(&file, |encoder| {
            let tokens = encode(encoder, MARKS, false);
            let kinds: Vec<_> = tokens.iter().map(|&id| encoder.vocab().kind(id)).collect();
            assert!(kinds.iter().all(|&kind| kind == TokenKind::Normal), "{kinds:?}");
            assert_eq!(decode(encoder.vocab(), &tokens), MARKS);
            let special = encode(encoder, MARKS, true);
            let marks = special.iter().filter(|&&id| encoder.vocab().kind(id) != TokenKind::Normal);
            assert!(marks.count() >= 6);
        });
    }
    with(&r1_qwen(), |encoder| {
        let padding = encode(encoder, "[PAD151700]", true);
        assert!(padding.iter().all(|&id| id < 151643), "{padding:?}");
        let look_alikes = encode(encoder, "<|User|><|Assistant|>< think>", true);
        assert!(look_alikes.iter().all(|&id| id < 151643), "{look_alikes:?}");
    });
}

#[test]
fn marks_and_padding_decode_to_nothing_but_thoughts_show() {
    with(&r1_qwen(), |encoder| {
        let vocab = encoder.vocab();
        let hidden = [151643, 151644, 151645, 151646, 151647, 151700, 151935, 151936, u32::MAX];
        assert_eq!(decode(vocab, &hidden), "");
        assert_eq!(decode(vocab, &[151648, 198, 151649]), "<think>\n</think>");
        assert!([151700, 151936, u32::MAX].map(|id| vocab.kind(id)) == [TokenKind::Unused; 3]);
    });
    with(&r1_llama(), |encoder| {
        assert_eq!(decode(encoder.vocab(), &[128013, 128014, 128012]), "<think></think>");
    });
}

#[test]
fn a_reply_ends_where_another_turn_would_start() {
    with(&r1_qwen(), |encoder| {
        assert!(encoder.vocab().is_r1());
        assert_eq!(encoder.vocab().stop_tokens(), [151643, 151647, 151646, 151644, 151645]);
    });
    with(&fetched::bytes("SmolLM2-135M-Instruct.Q4_1.gguf"), |encoder| {
        let vocab = encoder.vocab();
        assert!(!vocab.is_r1());
        assert_eq!(vocab.stop_tokens(), [2, 0]);
        assert_eq!((vocab.bos(), vocab.eos(), vocab.bos_to_add()), (Some(1), Some(2), None));
        assert_eq!((vocab.len(), vocab.text(504)), (49152, Some("The".as_bytes())));
    });
}

/// Single bytes as tokens, in random order and as the bytes of text.
#[test]
fn characters_come_whole_and_broken_ones_as_the_standard_library_has_them() {
    let bytes_of = |text: &[u8], vocab: &Vocab<'_>| -> Vec<u32> {
        let id = |byte: &u8| (0..256).find(|&id| vocab.decode(id).eq([*byte])).unwrap();
        text.iter().map(id).collect()
    };
    with(&Words::bytes(&[]).file(), |encoder| {
        let (vocab, mut random) = (encoder.vocab(), Random::new(3));
        let starts = [0xC2, 0xE0, 0xE4, 0xED, 0xF0, 0xF4, 0xF5, 0x80, 0xBF, b'a'];
        for _ in 0..3000 {
            let pick = |_| match random.below(3) {
                0 => random.next() as u8,
                1 => starts[random.below(starts.len())],
                _ => 0x80 | random.next() as u8 & 0x3F,
            };
            let bytes: Vec<u8> = (0..20).map(pick).collect();
            let found = decode(vocab, &bytes_of(&bytes, vocab));
            assert_eq!(found, String::from_utf8_lossy(&bytes), "{bytes:?}");
        }
        let (mut decoder, mut seen) = (Decoder::new(), Vec::new());
        for id in bytes_of("é🦙x".as_bytes(), vocab) {
            let mut piece = String::new();
            decoder.push(vocab, id, |text| piece.push_str(text));
            seen.push(piece);
        }
        assert_eq!(seen, ["", "é", "", "", "", "🦙", "x"]);
    });
}

#[test]
fn tokens_that_do_not_fit_are_counted() {
    with(&fetched::bytes("vocab/ggml-vocab-qwen2.gguf"), |encoder| {
        let mut tokens = [0; 3];
        assert_eq!(encoder.encode_into("a b c", false, &mut tokens).unwrap(), 3);
        assert_eq!(tokens, [64, 293, 272]);
        let error = encoder.encode_into("a b c d", false, &mut tokens).unwrap_err();
        assert!(error.to_string().contains("4 tokens, there is room for 3"), "{error}");
    });
}

#[test]
fn little_scratch_cuts_only_long_words() {
    let file = fetched::bytes("vocab/ggml-vocab-qwen2.gguf");
    let text = "words of common length ".repeat(3) + &"long".repeat(100);
    let whole = with(&file, |encoder| encode(encoder, &text, false));
    with(&file, |encoder| {
        let mut scratch = vec![0; 100 * 32 + 3];
        let mut small = Encoder::new(encoder.vocab(), &mut scratch).unwrap();
        let cut = encode(&mut small, &text, false);
        assert_eq!(cut[..11], whole[..11]);
        assert_eq!(decode(encoder.vocab(), &cut), text);
        assert!(Encoder::new(encoder.vocab(), &mut [0; 100]).is_err());
    });
}
