//! Equality to the bit with ggml's reference; `tests/vectors.py` tells how the files came about.

use crate::noise::bits;
use dram_quant::Format;
use std::fs;

fn read(format: Format, extension: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors");
    fs::read(format!("{folder}/{}.{extension}", format.name())).unwrap()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}

#[test]
fn decode_equals_the_reference() {
    for format in Format::ALL {
        let file = read(format, "decode");
        let block = format.bytes() + 4 * format.weights();
        assert_eq!(file.len() % block, 0, "{}", format.name());
        let (blocks, expected) = file.split_at(file.len() / block * format.bytes());
        let mut decoded = vec![f32::NAN; expected.len() / 4];
        format.decode(blocks, &mut decoded);
        assert_eq!(bits(&decoded), bits(&floats(expected)), "{}", format.name());
    }
}

#[test]
fn encode_equals_the_reference() {
    use Format::{BF16, F16, F32, Q4_0, Q4_1, Q8_0};
    for format in [F32, F16, BF16, Q4_0, Q4_1, Q8_0] {
        let file = read(format, "encode");
        let block = format.bytes() + 4 * format.weights();
        let (weights, expected) = file.split_at(file.len() / block * 4 * format.weights());
        let mut encoded = vec![0xaa; expected.len()];
        format.encode(&floats(weights), &mut encoded);
        assert_eq!(encoded, expected, "{}", format.name());
    }
}
