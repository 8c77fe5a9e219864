//! Eight rows interleaved, and matrices in both orders.

use crate::noise::{bits, rows};
use dram_quant::{EIGHT, Format, Matrix, Order, Unpacked, tile, untile};

/// A matrix in [`Order::Tiles`] from one in [`Order::Rows`].
fn tiled(format: Format, bytes: &[u8], row_bytes: usize) -> Vec<u8> {
    let mut tiled = bytes.to_vec();
    for (rows, out) in
        bytes.chunks_exact(EIGHT * row_bytes).zip(tiled.chunks_exact_mut(EIGHT * row_bytes))
    {
        tile(format, rows, out);
    }
    tiled
}

/// The parts of a block as (bytes of a unit, units), written down a second time.
fn parts(format: Format) -> &'static [(usize, usize)] {
    match format {
        Format::F32 => &[(4, 1)],
        Format::F16 | Format::BF16 => &[(2, 1)],
        Format::Q4_0 | Format::IQ4_NL => &[(2, 1), (4, 4)],
        Format::Q4_1 => &[(2, 2), (4, 4)],
        Format::Q5_0 => &[(2, 1), (4, 5)],
        Format::Q5_1 => &[(2, 2), (4, 5)],
        Format::Q8_0 => &[(2, 1), (4, 8)],
        Format::Q2_K => &[(1, 16), (4, 16), (2, 2)],
        Format::Q3_K => &[(4, 24), (1, 12), (2, 1)],
        Format::Q4_K => &[(2, 2), (1, 12), (4, 32)],
        Format::Q5_K => &[(2, 2), (1, 12), (4, 40)],
        Format::Q6_K => &[(4, 48), (1, 16), (2, 1)],
        Format::IQ4_XS => &[(2, 2), (1, 4), (4, 32)],
        Format::MXFP4 => &[(1, 1), (4, 4)],
    }
}

/// A tile lists unit after unit, each of all eight rows.
#[test]
fn a_tile_is_unit_after_unit_of_eight_rows() {
    for format in Format::ALL {
        let (block, bytes) = (format.bytes(), rows(format, EIGHT, 3 * format.weights()));
        let mut expected = Vec::new();
        for b in 0..3 {
            let mut offset = b * block;
            for &(unit, count) in parts(format) {
                for _ in 0..count {
                    bytes.chunks_exact(3 * block).for_each(|row| {
                        expected.extend_from_slice(&row[offset..offset + unit]);
                    });
                    offset += unit;
                }
            }
        }
        assert_eq!(tiled(format, &bytes, 3 * block), expected, "{}", format.name());
    }
}

#[test]
fn untile_undoes_tile() {
    for format in Format::ALL {
        for blocks in [1, 2, 3, 7, 48] {
            let bytes = rows(format, EIGHT, blocks * format.weights());
            let tiles = tiled(format, &bytes, blocks * format.bytes());
            let mut back = vec![0; bytes.len()];
            untile(format, &tiles, &mut back);
            assert_eq!(back, bytes, "{} {blocks}", format.name());
        }
    }
}

#[test]
fn rows_decode_alike_in_both_orders() {
    for format in Format::ALL {
        for (count, blocks) in [(1, 1), (7, 2), (8, 1), (8, 3), (9, 2), (19, 3), (24, 1)] {
            let len = blocks * format.weights();
            let bytes = rows(format, count, len);
            let row_bytes = blocks * format.bytes();
            let tiles = tiled(format, &bytes, row_bytes);
            let matrix = |bytes, order| Matrix::new(bytes, format, order, count, len).unwrap();
            let (in_rows, in_tiles) = (matrix(&bytes, Order::Rows), matrix(&tiles, Order::Tiles));
            let [mut expected, mut a, mut b] = [0; 3].map(|_| vec![0.0; len]);
            for i in 0..count {
                format.decode(&bytes[i * row_bytes..][..row_bytes], &mut expected);
                in_rows.decode_row(i, &mut a);
                in_tiles.decode_row(i, &mut b);
                let row = format!("{} row {i} of {count}", format.name());
                assert_eq!(bits(&a), bits(&expected), "{row}");
                assert_eq!(bits(&b), bits(&expected), "{row}");
            }
        }
    }
}

#[test]
fn units_unpack_alike_in_both_orders() {
    for format in Format::ALL.into_iter().filter(|format| !format.is_float()) {
        let len = 2 * format.weights();
        let bytes = rows(format, EIGHT, len);
        let tiles = tiled(format, &bytes, 2 * format.bytes());
        for (r, row) in bytes.chunks_exact(2 * format.bytes()).enumerate() {
            for i in 0..len / 32 {
                let [mut a, mut b] = [Unpacked::ZERO; 2];
                format.unpack(row, i, &mut a);
                format.unpack_tiled(&tiles, r, i, &mut b);
                assert_eq!((a.q, a.s, a.n), (b.q, b.s, b.n), "{}", format.name());
                assert_eq!(bits(&[a.d, a.m]), bits(&[b.d, b.m]), "{}", format.name());
            }
        }
    }
}

#[test]
fn a_matrix_is_exactly_its_rows() {
    let bytes = rows(Format::Q4_0, 11, 64);
    let matrix = |bytes, rows, len| Matrix::new(bytes, Format::Q4_0, Order::Tiles, rows, len);
    assert!(matrix(&bytes[1..], 11, 64).is_none());
    assert!(matrix(&bytes, 12, 64).is_none());
    assert!(matrix(&bytes, 11, 63).is_none(), "not whole blocks");
    assert!(matrix(&[], 0, 64).is_none(), "empty");
    assert!(matrix(&[], 11, 0).is_none(), "empty");
    assert!(matrix(&bytes, usize::MAX, 1 << 40).is_none(), "overflow");

    let matrix = matrix(&bytes, 11, 64).unwrap();
    assert_eq!((matrix.rows(), matrix.len(), matrix.groups()), (11, 64, 2));
    assert_eq!(matrix.group(0), (&bytes[..8 * 36], 8, Order::Tiles));
    assert_eq!(matrix.group(1), (&bytes[8 * 36..], 3, Order::Rows));
}

#[test]
#[should_panic(expected = "no group 1 of 1")]
fn no_group_beyond_the_last() {
    let bytes = rows(Format::Q8_0, 8, 32);
    Matrix::new(&bytes, Format::Q8_0, Order::Rows, 8, 32).unwrap().group(1);
}

#[test]
#[should_panic(expected = "a row has 64 weights")]
fn no_part_of_a_row() {
    let bytes = rows(Format::Q8_0, 8, 64);
    let matrix = Matrix::new(&bytes, Format::Q8_0, Order::Tiles, 8, 64).unwrap();
    matrix.decode_row(0, &mut [0.0; 32]);
}

#[test]
#[should_panic(expected = "not eight rows of whole blocks")]
fn no_tile_of_seven_rows() {
    tile(Format::Q4_0, &[0; 7 * 18], &mut [0; 7 * 18]);
}

#[test]
#[should_panic(expected = "out of range")]
fn no_ninth_row_in_a_tile() {
    Format::Q4_0.unpack_tiled(&[0; 8 * 18], 8, 0, &mut { Unpacked::ZERO });
}
