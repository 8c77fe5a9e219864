//! Type ids as files have them.

use dram_quant::{Format, Order};
use std::collections::HashSet;

/// The ids, names and sizes of blocks that `ggml.h` and `ggml-common.h` give.
const GGML: [(u32, &str, usize, usize); Format::COUNT] = [
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (30, "BF16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (20, "IQ4_NL", 32, 18),
    (23, "IQ4_XS", 256, 136),
    (39, "MXFP4", 32, 17),
];

#[test]
fn formats_are_those_of_ggml() {
    for (format, (id, name, weights, bytes)) in Format::ALL.into_iter().zip(GGML) {
        assert_eq!(Format::from_id(id), Ok((format, Order::Rows)));
        assert_eq!(format.name(), name);
        assert_eq!(format!("{format:?}"), name);
        assert_eq!((format.weights(), format.bytes()), (weights, bytes), "{name}");
    }
}

#[test]
fn ids_name_format_and_order() {
    let mut ids = HashSet::new();
    for format in Format::ALL {
        let tiles = if format.is_float() { Order::Rows } else { Order::Tiles };
        for (order, read) in [(Order::Rows, Order::Rows), (Order::Tiles, tiles)] {
            assert_eq!(Format::from_id(format.id(order)), Ok((format, read)));
            ids.insert(format.id(order));
        }
    }
    assert_eq!(ids.len(), 2 * Format::COUNT - 3, "only the three floats have the same id twice");
}

#[test]
fn other_programs_know_no_id_of_tiles() {
    for format in Format::ALL.into_iter().filter(|format| !format.is_float()) {
        assert!(format.id(Order::Tiles) > 0xffff, "ggml counts its types from 0");
    }
}

#[test]
fn refusals_say_what_it_is_and_what_to_do() {
    let cases: [(&[u32], &str, &str); 9] = [
        (&[4, 5], "removed from GGUF", "newer file"),
        (&[31, 32, 33], "removed from GGUF", "take the Q4_0 file"),
        (&[36, 37, 38], "removed from GGUF", "take the IQ4_NL file"),
        (&[9, 15], "never stores weights", "damaged"),
        (&[16, 17, 18, 19, 21, 22, 29], "codebook", "take IQ4_XS"),
        (&[24, 25, 26, 27, 28], "not a weight format", "F32, F16 and BF16 are"),
        (&[34, 35, 40, 41, 42], "not supported", "take Q4_0 or Q4_K_M"),
        (&[97, 99, 133, 139, 144, 157, 158, 202, 344, 399], "ik_llama.cpp", "take Q4_0 or Q4_K_M"),
        (
            &[43, 96, 159, 400, 0x6472_0000, 0x6472_0001, 0x6472_002a, u32::MAX],
            "not known",
            "newer",
        ),
    ];
    for (ids, reason, remedy) in cases {
        for &id in ids {
            let refused = Format::from_id(id).unwrap_err();
            assert_eq!(refused.id, id);
            let message = refused.to_string();
            assert!(message.starts_with(&format!("type {id} ")), "{message}");
            assert!(message.contains(reason) && message.contains(remedy), "{message}");
        }
    }
}

#[test]
fn every_id_is_either_read_or_refused_once() {
    let read = (0..=0xffff).filter(|&id| Format::from_id(id).is_ok()).count();
    assert_eq!(read, Format::COUNT);
}

#[test]
fn rows_are_whole_blocks() {
    assert_eq!(Format::Q4_0.row_bytes(1536), Some(864));
    assert_eq!(Format::Q6_K.row_bytes(1536), Some(1260));
    assert_eq!(Format::Q4_0.row_bytes(1537), None);
    assert_eq!(Format::Q4_K.row_bytes(32), None);
    assert_eq!(Format::F32.row_bytes(usize::MAX), None, "overflow");
}
