//! Files that are damaged or malicious: each is refused with a sentence, and none does harm.
#![allow(missing_docs, reason = "tests")]

mod build;

use build::{ARRAY, BOOL, Entry, F32, F64, File, I32, Random, TEXT, U8, U16, U32, array, string};
use dram_quant::{Format, Matrix};
use dram_runtime::model::{Array, Gguf, KEYS_MAX, TENSORS_MAX};
use dram_runtime::{Error, Kind, Name};

/// A file with every kind of value and several kinds of tensors.
fn valid() -> File {
    let tokens = [string("a"), string(""), string(b"\xff\xfe")].concat();
    File::new()
        .u32("general.alignment", 32)
        .u32("llama.block_count", 2)
        .key("llama.context_length", U16, 512_u16.to_le_bytes())
        .key("llama.rope.freq_base", F32, 1e4_f32.to_le_bytes())
        .key("test.double", F64, 0.5_f64.to_le_bytes())
        .key("test.negative", I32, (-1_i32).to_le_bytes())
        .key("tokenizer.ggml.add_bos_token", BOOL, [1])
        .array("tokenizer.ggml.tokens", TEXT, 3, tokens)
        .array("tokenizer.ggml.token_type", I32, 3, [1, 0, 0, 0, 3, 0, 0, 0, 6, 0, 0, 0])
        .array("test.bools", BOOL, 2, [0, 1])
        .tensor("token_embd.weight", Format::Q4_0, &[64, 3])
        .tensor("output_norm.weight", Format::F32, &[7])
        .tensor("blk.0.attn_q.weight", Format::Q6_K, &[256, 2])
        .tensor("cube", Format::F16, &[3, 2, 2])
        .entry(Entry {
            data: vec![7; 18 * 8],
            ..Entry::new("tiles", &[32, 8], Format::Q4_0.id(dram_quant::Order::Tiles))
        })
}

/// Calls everything that reads a file; returns how many facts there were.
fn walk(bytes: &[u8]) -> Result<usize, Error> {
    let gguf = Gguf::parse(bytes)?;
    let mut facts = gguf.architecture().len();
    for (key, value) in gguf.values() {
        facts += value.to_string().len();
        facts += usize::from(gguf.get::<u32>(key).is_ok());
        facts += usize::from(gguf.get::<f32>(key).is_ok());
        facts += usize::from(gguf.get::<bool>(key).is_ok());
        facts += usize::from(gguf.get::<&str>(key).is_ok());
        facts += usize::from(gguf.find::<u32>(gguf.hyper(key)).is_ok());
        if let Ok(array) = gguf.get::<Array<'_>>(key) {
            assert!(array.values().count() + array.strings().count() == array.len());
            facts += array.values().map(|v| v.to_string().len()).sum::<usize>();
            facts += array.strings().map(<[u8]>::len).sum::<usize>();
        }
    }
    for tensor in gguf.tensors() {
        facts += tensor.bytes().iter().map(|&byte| usize::from(byte)).sum::<usize>();
        let [len, rows] = [0, 1].map(|i| tensor.dims().get(i).copied().unwrap_or(1));
        facts += gguf.vector(tensor.name(), len).map_or(0, <[f32]>::len);
        if let Ok(matrix) = gguf.matrix(tensor.name(), rows, len) {
            facts += decode(&matrix);
        }
    }
    Ok(facts)
}

fn decode(matrix: &Matrix<'_>) -> usize {
    let mut row = vec![0.0; matrix.len()];
    (0..matrix.rows()).for_each(|i| matrix.decode_row(i, &mut row));
    row.iter().filter(|weight| weight.is_nan()).count()
}

/// The sentence that refuses a file.
#[track_caller]
fn refusal(bytes: &[u8]) -> String {
    let error = walk(bytes).expect_err("a file that must be refused");
    assert_eq!(error.kind(), Kind::BadFile);
    error.to_string()
}

#[track_caller]
fn refuses(file: &File, words: &[&str]) {
    let said = refusal(&file.bytes());
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

#[test]
fn a_valid_file_is_read() {
    for version in [2, 3] {
        let bytes = File { version, ..valid() }.bytes();
        let gguf = Gguf::parse(&bytes).unwrap();
        assert_eq!(gguf.architecture(), "llama");
        assert_eq!(gguf.get::<u32>(gguf.hyper("block_count")), Ok(2));
        assert_eq!(gguf.get::<u32>("llama.context_length"), Ok(512));
        assert_eq!(gguf.get::<f32>("llama.rope.freq_base"), Ok(1e4));
        assert_eq!(gguf.get::<bool>("tokenizer.ggml.add_bos_token"), Ok(true));
        assert_eq!(gguf.find::<u32>("llama.missing"), Ok(None));
        let tokens: Array<'_> = gguf.get("tokenizer.ggml.tokens").unwrap();
        assert!(tokens.strings().eq([&b"a"[..], b"", b"\xff\xfe"]));
        let names: Vec<_> = gguf.tensors().map(|tensor| tensor.name()).collect();
        let all =
            ["token_embd.weight", "output_norm.weight", "blk.0.attn_q.weight", "cube", "tiles"];
        assert_eq!(names, all);
        for (tensor, entry) in gguf.tensors().zip(valid().tensors) {
            assert_eq!(tensor.bytes(), entry.data);
        }
    }
}

#[test]
fn offsets_of_strings_find_them_again() {
    let bytes = valid().bytes();
    let gguf = Gguf::parse(&bytes).unwrap();
    let tokens: Array<'_> = gguf.get("tokenizer.ggml.tokens").unwrap();
    let mut strings = tokens.strings();
    let mut offsets = Vec::new();
    while let (offset, Some(string)) = (strings.offset(), strings.next()) {
        offsets.push((offset, string));
    }
    assert_eq!(offsets.len(), 3);
    for (offset, string) in offsets.into_iter().rev() {
        assert_eq!(tokens.string_at(offset), Some(string));
    }
}

#[test]
fn cut_at_every_byte() {
    let bytes = valid().bytes();
    for end in 0..bytes.len() {
        refusal(&bytes[..end]);
    }
    assert!(walk(&bytes).is_ok());
    assert!(walk(&[bytes, vec![1]].concat()).is_ok(), "bytes behind the last tensor are ignored");
}

#[test]
fn every_header_byte_set_to_every_value() {
    let file = valid();
    let mut bytes = file.bytes();
    let header = bytes.len() - file.tensors.iter().map(|entry| entry.data.len()).sum::<usize>();
    let mut accepted = 0;
    for i in 0..header {
        let before = bytes[i];
        for value in 0..=255 {
            bytes[i] = value;
            accepted += usize::from(walk(&bytes).is_ok());
        }
        bytes[i] = before;
    }
    assert!(accepted > header && accepted < header * 256, "{accepted} of {header} * 256");
}

/// Numbers at which sizes, signs and sums turn over.
const EDGES: [u64; 12] =
    [0, 1, 2, 31, 64, 255, 65536, 1 << 30, (1 << 31) - 1, 1 << 32, 1 << 63, u64::MAX];

fn mutate(bytes: &mut [u8], random: &mut Random) {
    let at = random.below(bytes.len());
    match random.below(6) {
        0 | 1 => bytes[at] = random.next() as u8,
        2 => bytes[at] ^= 1 << random.below(8),
        3 | 4 => {
            let edge = EDGES[random.below(EDGES.len())].wrapping_sub(random.next() % 2);
            let width = [4, 8][random.below(2)].min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&edge.to_le_bytes()[..width]);
        }
        _ => {
            let from = random.below(bytes.len());
            let count = random.below(32).min(bytes.len() - at.max(from));
            bytes.copy_within(from..from + count, at);
        }
    }
}

#[test]
fn a_hundred_thousand_mutations() {
    let (valid, mut random) = (valid().bytes(), Random::new(0x6472_616d));
    let mut refused = 0;
    for _ in 0..100_000 {
        let mut bytes = valid.clone();
        (0..=random.below(4)).for_each(|_| mutate(&mut bytes, &mut random));
        if random.below(8) == 0 {
            bytes.truncate(random.below(bytes.len()));
        }
        refused += usize::from(walk(&bytes).is_err());
    }
    assert!(refused > 10_000, "only {refused} mutations were noticed");
}

#[test]
fn files_that_are_something_else_are_named() {
    let cases: [(&[u8], &str); 12] = [
        (b"", "empty"),
        (b"GGU", "too short"),
        (b"FUGG\0\0\0\x03", "big-endian"),
        (b"tjgg\x03\0\0\0", "before GGUF"),
        (b"PK\x03\x04\x14\0", "ZIP"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"<html><head>", "web page"),
        (b"\x40\0\0\0\0\0\0\0{\"__metadata__\":{}}", "safetensors"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "Git LFS pointer"),
        (b"\x7fELF\x02\x01\x01\0", "\"GGUF\""),
        (b"GGUF", "4 bytes, 0 are left"),
        (b"GGUF\x03\0\0\0", "8 bytes, 0 are left"),
    ];
    for (bytes, word) in cases {
        let said = refusal(bytes);
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
}

#[test]
fn versions() {
    for version in [0, 1, 4, 0x7fff_ffff] {
        refuses(&File { version, ..valid() }, &["byte 4", &format!("version {version} ")]);
    }
    refuses(&File { version: 3 << 24, ..valid() }, &["byte 4", "big-endian"]);
}

#[test]
fn counts_beyond_the_file() {
    for count in [u64::MAX, 1 << 63, 500_000_000, TENSORS_MAX as u64 + 1] {
        let file = File { tensor_count: Some(count), ..valid() };
        refuses(&file, &["byte 8", &format!("{count} tensors")]);
        let file = File { key_count: Some(count), ..valid() };
        refuses(&file, &["byte 16", &format!("{count} keys")]);
    }
}

#[test]
fn as_many_keys_and_tensors_as_allowed() {
    let keys = (1..KEYS_MAX).fold(File::new(), |file, i| file.u32(&format!("key.{i}"), 1));
    let full = (0..TENSORS_MAX)
        .fold(keys, |file, i| file.entry(Entry::new(format!("t{i}"), &[1], 0)))
        .tensors_with(4);
    assert!(walk(&full.bytes()).is_ok());
    refuses(&full.clone().u32("one.more", 1), &["byte 16", "1025 keys", "1024"]);
    refuses(&full.tensor("one more", Format::F32, &[1]), &["byte 8", "4097 tensors", "4096"]);
}

impl File {
    /// Gives every tensor as many bytes.
    fn tensors_with(mut self, bytes: usize) -> Self {
        self.tensors.iter_mut().for_each(|entry| entry.data = vec![0; bytes]);
        self
    }
}

#[test]
fn key_names() {
    refuses(&valid().u32("", 1), &["name has 0 bytes"]);
    refuses(&valid().u32(&"k".repeat(70_000), 1), &["name has 70000 bytes", "65535"]);
    refuses(&valid().key(b"a\xffb", U8, [0]), &["key \"a\u{fffd}b\"", "UTF-8"]);
    refuses(&valid().key(b"a\0b", U8, [0]), &["key \"a\\u{0}b\"", "NUL"]);
    refuses(&valid().u32("general.architecture", 1), &["key \"general.architecture\"", "twice"]);
    let mut bytes = File::new().bytes();
    for length in [u64::MAX, 1 << 40, 60_000] {
        bytes[24..32].copy_from_slice(&length.to_le_bytes());
        assert!(refusal(&bytes).contains(&length.to_string()));
    }
}

#[test]
fn values() {
    for id in [13, 255, u32::MAX] {
        refuses(&valid().key("k", id, [0; 8]), &["key \"k\"", &format!("type {id}")]);
        let value = array(id, 1, [0; 8]);
        refuses(&valid().key("k", ARRAY, value), &["key \"k\"", &format!("type {id}")]);
    }
    let nested = (0..100_000).flat_map(|_| array(ARRAY, 1, []));
    let nested: Vec<u8> = nested.collect();
    refuses(&valid().key("k", ARRAY, nested), &["key \"k\"", "array of arrays"]);
    for (id, count) in
        [(U32, u64::MAX / 64), (F64, u64::MAX / 8 + 1), (TEXT, 1 << 61), (U8, 1 << 40)]
    {
        refuses(&valid().array("k", id, count, []), &["left", "cut off or damaged"]);
    }
    refuses(&valid().key("k", TEXT, (1_u64 << 30).to_le_bytes()), &["1073741824 bytes"]);
    refuses(&valid().key("k", BOOL, [2]), &["key \"k\"", "bool 2"]);
    refuses(&valid().array("k", BOOL, 3, [0, 1, 255]), &["key \"k\"", "bool 255"]);
}

#[test]
fn alignment() {
    let key = "key \"general.alignment\"";
    for alignment in [0, 3, 48, 1 << 21, 1 << 31] {
        let file = File::new().u32("general.alignment", alignment);
        refuses(&file, &[key, &format!("is {alignment},"), "power of two"]);
    }
    let typed = |id, bytes: &[u8]| File::new().key("general.alignment", id, bytes);
    refuses(&typed(I32, &32_i32.to_le_bytes()), &[key, "u32"]);
    refuses(&typed(TEXT, &string("32")), &[key, "is text, must be u32"]);
    for alignment in [1, 8, 64, 1 << 20] {
        let file = File { alignment, ..File::new() };
        let file = file.u32("general.alignment", alignment as u32);
        let file = file.tensor("a", Format::F16, &[3]).tensor("b", Format::F32, &[2]);
        let bytes = file.bytes();
        let gguf = Gguf::parse(&bytes).unwrap();
        assert_eq!(gguf.tensor("b").unwrap().bytes(), file.tensors[1].data);
    }
}

#[test]
fn numbers_are_read_only_at_multiples_of_four() {
    let file = valid().bytes();
    let mut bytes = vec![0; file.len() + 4];
    let mut read = 0;
    for shift in 0..4 {
        let bytes = &mut bytes[shift..][..file.len()];
        bytes.copy_from_slice(&file);
        match Gguf::parse(bytes).unwrap().vector("output_norm.weight", 7) {
            Ok(vector) => read += vector.len(),
            Err(error) => assert!(error.to_string().contains("no multiple of 4"), "{error}"),
        }
    }
    assert_eq!(read, 7);
}

#[test]
fn tensor_names() {
    let named =
        |name: &[u8]| valid().entry(Entry { data: vec![0; 4], ..Entry::new(name, &[1], 0) });
    refuses(&named(b""), &["name has 0 bytes"]);
    refuses(&named(&[b'x'; 64]), &["name has 64 bytes", "63"]);
    refuses(&named(b"a\xff"), &["tensor \"a\u{fffd}\"", "UTF-8"]);
    refuses(&named(b"cube"), &["tensor \"cube\"", "twice"]);
    assert!(walk(&named(&[b'x'; 63]).bytes()).is_ok());
}

#[test]
fn tensor_shapes() {
    let shaped = |dims: &[u64], id| File::new().entry(Entry::new("t", dims, id));
    for dimensions in [0, 5, u32::MAX] {
        let entry = Entry { dimensions: Some(dimensions), ..Entry::new("t", &[1, 1, 1, 1], 0) };
        refuses(&File::new().entry(entry), &["tensor \"t\"", &format!("{dimensions} dimensions")]);
    }
    refuses(&shaped(&[4, 0], 0), &["tensor \"t\"", "dimension of 0"]);
    let huge: [&[u64]; 4] =
        [&[1 << 63, 2], &[u64::MAX, 2], &[4, (1 << 30) - 1, (1 << 30) + 1, 4], &[u64::MAX / 4]];
    for dims in huge {
        refuses(&shaped(dims, 0), &["tensor \"t\""]);
    }
    refuses(&shaped(&[33, 2], 2), &["tensor \"t\"", "Q4_0", "divisible by 32", "found 33"]);
    refuses(&shaped(&[100, 2], 12), &["tensor \"t\"", "Q4_K", "divisible by 256", "found 100"]);
    let tiles = Format::Q4_0.id(dram_quant::Order::Tiles);
    refuses(&shaped(&[32], tiles), &["tensor \"t\"", "only a matrix"]);
    refuses(&shaped(&[32, 8, 2], tiles), &["tensor \"t\"", "only a matrix"]);
}

#[test]
fn tensor_types() {
    for id in [4, 5, 9, 15, 31, 32, 33, 36, 37, 38, 43, 0x6472_0000, u32::MAX] {
        let file = File::new().entry(Entry::new("t", &[256], id));
        refuses(&file, &["tensor \"t\"", &format!("type {id} ")]);
    }
}

#[test]
fn tensor_offsets() {
    let placed = |offset| {
        let entry = Entry { data: vec![0; 4], ..Entry::new("b", &[1], 0) };
        File::new().tensor("a", Format::F32, &[3]).entry(Entry { offset: Some(offset), ..entry })
    };
    assert!(walk(&placed(32).bytes()).is_ok());
    for offset in [0, 12, 31, 33, 64, 1 << 40, u64::MAX] {
        refuses(&placed(offset), &["tensor \"b\"", &format!("offset {offset} "), "at 32"]);
    }
}

#[test]
fn a_truncated_file_says_how_much_of_it_there_is() {
    let bytes = valid().bytes();
    let cut = &bytes[..bytes.len() - 1];
    let said = refusal(cut);
    assert!(said.contains(&format!("at byte {}: ", cut.len())), "{said}");
    assert!(said.contains(&format!("truncated: a whole one has {} bytes", bytes.len())), "{said}");
}

#[test]
fn the_architecture_is_needed() {
    refuses(&File::bare(), &["key \"general.architecture\"", "missing"]);
    refuses(&File::bare().u32("general.architecture", 1), &["is 1, must be text"]);
    refuses(&File::bare().text("general.architecture", b"\xff"), &["UTF-8"]);
}

#[test]
fn what_is_asked_and_not_there_is_named() {
    let bytes = valid().bytes();
    let gguf = Gguf::parse(&bytes).unwrap();
    let says = |error: Error, words: &str| assert_eq!(error.to_string(), words);
    says(
        gguf.get::<u32>(gguf.hyper("head_count")).unwrap_err(),
        "key \"llama.head_count\": is missing; the file is not a complete model",
    );
    says(
        gguf.get::<u32>("test.negative").unwrap_err(),
        "key \"test.negative\": is -1, must be an integer from 0 to 4294967295",
    );
    says(
        gguf.get::<Array<'_>>("general.architecture").unwrap_err(),
        "key \"general.architecture\": is text, must be an array",
    );
    says(
        gguf.matrix("output.weight", 3, 64).unwrap_err(),
        "tensor \"output.weight\": is missing; the file is not a complete model",
    );
    says(
        gguf.matrix("token_embd.weight", 64, 3).unwrap_err(),
        "tensor \"token_embd.weight\": has 3 rows of 64, the model needs 64 rows of 3",
    );
    says(
        gguf.matrix("cube", 2, 3).unwrap_err(),
        "tensor \"cube\": has shape [3, 2, 2, 1], the model needs 2 rows of 3",
    );
    says(
        gguf.vector("output_norm.weight", 8).unwrap_err(),
        "tensor \"output_norm.weight\": has 7 numbers, the model needs 8",
    );
    let long = Name::of("x".repeat(100));
    says(
        gguf.vector(long.as_str(), 1).unwrap_err(),
        &format!("tensor \"{}\": is missing; the file is not a complete model", "x".repeat(63)),
    );
}

/// Part `number` of `count` with a tensor of its own.
fn part(number: u16, count: u16, tensor: &str) -> File {
    let file = if number == 0 { File::new() } else { File::bare() };
    file.key("split.no", U16, number.to_le_bytes())
        .key("split.count", U16, count.to_le_bytes())
        .key("split.tensors.count", I32, i32::from(count).to_le_bytes())
        .tensor(tensor, Format::Q8_0, &[32, 2])
}

fn join(parts: &[File]) -> Result<Vec<String>, String> {
    let parts: Vec<_> = parts.iter().map(File::bytes).collect();
    let parts: Vec<&[u8]> = parts.iter().map(|part| &part[..]).collect();
    let gguf = Gguf::join(&parts).map_err(|error| error.to_string())?;
    Ok(gguf.tensors().map(|tensor| tensor.name().to_owned()).collect())
}

#[test]
fn parts_make_a_whole() {
    let parts = [part(0, 3, "a"), part(1, 3, "b"), part(2, 3, "c")];
    assert_eq!(join(&parts), Ok(["a", "b", "c"].map(String::from).to_vec()));
    let bytes = parts.each_ref().map(File::bytes);
    let slices = bytes.each_ref().map(|bytes| &bytes[..]);
    let gguf = Gguf::join(&slices).unwrap();
    for part in &parts {
        let name = str::from_utf8(&part.tensors[0].name).unwrap();
        assert_eq!(gguf.matrix(name, 2, 32).unwrap().bytes(), part.tensors[0].data);
    }
}

#[test]
fn merged_parts_are_one() {
    let merged = File::new().key("split.count", U16, [0, 0]).tensor("a", Format::F32, &[1]);
    assert_eq!(join(&[merged]), Ok(vec!["a".into()]));
}

#[test]
fn parts_that_do_not_belong_together() {
    let fails = |parts: &[File], words: &str| {
        let said = join(parts).unwrap_err();
        assert!(said.contains(words), "{words:?} is not in: {said}");
    };
    let [a, b, c] = [part(0, 3, "a"), part(1, 3, "b"), part(2, 3, "c")];
    fails(&[], "empty");
    fails(std::slice::from_ref(&a), "split into 3 files, 1 found");
    fails(std::slice::from_ref(&b), "split into 3 files, 1 found");
    fails(&[a.clone(), b.clone()], "split into 3 files, 2 found");
    fails(&[a.clone(), c.clone(), b.clone()], "part 2 says in split.no that it is part 3");
    fails(&[c.clone(), b.clone(), a.clone()], "part 1 says in split.no that it is part 3");
    fails(&[a.clone(), b.clone(), part(2, 4, "c")], "split into 4 files, 3 found");
    fails(&[a.clone(), b.clone(), part(2, 3, "a")], "tensor \"a\": is there twice");
    fails(
        &[a.clone(), b.clone(), c.clone().tensor("d", Format::F32, &[1])],
        "3 tensors, the parts hold 4",
    );
    fails(&[a, b, File { version: 9, ..c }], "in part 3, at byte 4: GGUF version 9");
    fails(&[File::new(), File::bare()], "split into 1 files, 2 found");
}

#[test]
fn parts_with_mutations() {
    let whole = [part(0, 2, "a").bytes(), part(1, 2, "b").bytes()];
    let mut random = Random::new(7);
    for _ in 0..10_000 {
        let mut parts = whole.clone();
        mutate(&mut parts[random.below(2)], &mut random);
        let slices = parts.each_ref().map(|part| &part[..]);
        if let Ok(gguf) = Gguf::join(&slices) {
            assert!(gguf.tensors().count() <= 2);
        }
    }
}
