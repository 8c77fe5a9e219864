//! The beginning of model files in the shapes that `bench` writes, and a hole
//! where the weights would be, except for rotary factors, which say what a model is.
#![allow(unreachable_pub, dead_code, reason = "each test takes what it needs")]

#[path = "../../../bench/src/synth/describe.rs"]
mod describe;
#[path = "../../../bench/src/synth/header.rs"]
mod header;
#[path = "../../../bench/src/synth/mix.rs"]
mod mix;
#[path = "../../../bench/src/synth/shape.rs"]
mod shape;
#[path = "../../../bench/src/synth/vocabulary.rs"]
mod vocabulary;

use header::{ALIGNMENT, Header};
pub(crate) use mix::Mix;
use shape::Shape;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use vocabulary::Vocabulary;

/// Writes the begin of a distill's file to `path`, and makes it as long as the whole.
///
/// # Panics
///
/// If there is no such shape or the folder `vocabularies` lacks that of its base.
pub(crate) fn write_begin(shape: &str, mix: Mix, vocabularies: &Path, path: &Path) {
    let shape = Shape::named(shape).unwrap();
    let tensors = mix.tensors(&shape);
    let mut header = Header::default();
    describe::describe(&shape, mix, &mut header);
    let vocabulary = vocabularies.join(shape.base.file);
    Vocabulary::read(&shape, &vocabulary).unwrap().write(&mut header);
    let header = header.bytes(&tensors);
    let data: usize = tensors.iter().map(|t| t.bytes().next_multiple_of(ALIGNMENT)).sum();
    let mut file = File::create(path).unwrap();
    file.write_all(&header).unwrap();
    file.set_len((header.len() + data) as u64).unwrap();
    let mut start = header.len();
    for tensor in &tensors {
        if tensor.name == "rope_freqs.weight" {
            let ones = 1.0_f32.to_le_bytes().repeat(tensor.bytes() / 4);
            file.write_all_at(&ones, start as u64).unwrap();
        }
        start += tensor.bytes().next_multiple_of(ALIGNMENT);
    }
}
