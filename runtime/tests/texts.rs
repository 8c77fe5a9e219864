//! Random texts, beside what llama.cpp makes of them: ten thousand a vocabulary.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod build;
mod fetched;
mod words;

use build::{Random, fnv};
use dram_runtime::text::Encoder;
use words::{encode, with};

/// Made by `golden/texts/tokens.c`: for each vocabulary a digest of each hundred of texts. Ways to cut
/// that no vocabulary here was published with are tried on another's.
const DIGESTS: &str = include_str!("golden/texts/digests.tsv");
/// The characters that texts are made of, kind by kind.
const POOLS: &str = include_str!("golden/texts/pools.txt");
const HUNDRED: usize = 100;

fn pools() -> Vec<Vec<char>> {
    let c = |word: &str| char::from_u32(u32::from_str_radix(word, 16).unwrap()).unwrap();
    POOLS.lines().map(|line| line.split(' ').map(c).collect()).collect()
}

fn text(pools: &[Vec<char>], number: usize) -> String {
    let mut random = Random::new(number as u64 + 1);
    // Seeds that lie side by side begin alike.
    (0..4).for_each(|_| _ = random.next());
    let mut text = String::new();
    for _ in 0..=random.below(12) {
        let pool = &pools[random.below(pools.len())];
        let (is_whole, count) = (random.below(10) < 3, 1 + random.below(8));
        match is_whole {
            true => text.extend(pool),
            false => text.extend((0..count).map(|_| pool[random.below(pool.len())])),
        }
    }
    text
}

fn digest(encoder: &mut Encoder<'_>, texts: &[String]) -> u64 {
    let ids = texts.iter().flat_map(|text| {
        let mut ids = encode(encoder, text, false);
        ids.push(u32::MAX);
        ids
    });
    fnv(ids.map(u64::from))
}

/// The vocabulary of a name, or one that is to be cut otherwise: `llama-bpe+tekken`.
fn vocabulary(name: &str) -> Vec<u8> {
    let (name, cut) = name.split_once('+').map_or((name, None), |(name, cut)| (name, Some(cut)));
    let mut file = fetched::bytes(&format!("vocab/ggml-vocab-{name}.gguf"));
    if let Some(cut) = cut {
        let key = b"tokenizer.ggml.pre\x08\0\0\0";
        let from = file.windows(key.len()).position(|bytes| bytes == key).unwrap() + key.len();
        let old = u64::from_le_bytes(file[from..from + 8].try_into().unwrap()) as usize;
        let new = [&(cut.len() as u64).to_le_bytes(), cut.as_bytes()].concat();
        file.splice(from..from + 8 + old, new);
    }
    file
}

#[test]
fn random_texts_have_the_tokens_of_llama_cpp() {
    let pools = pools();
    let texts: Vec<String> = (0..100 * HUNDRED).map(|number| text(&pools, number)).collect();
    let lines: Vec<(&str, &str)> =
        DIGESTS.lines().map(|line| line.split_once('\t').unwrap()).collect();
    for lines in lines.chunk_by(|left, right| left.0 == right.0) {
        let name = lines[0].0;
        assert_eq!(lines.len(), 100, "{name}");
        with(&vocabulary(name), |encoder| {
            for (i, (texts, (_, must))) in texts.chunks(HUNDRED).zip(lines).enumerate() {
                let found = format!("{:016x}", digest(encoder, texts));
                assert_eq!(found, *must, "{name}: texts from {}", i * HUNDRED);
            }
        });
    }
}
