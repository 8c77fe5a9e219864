//! Paths, maps, tiles and packed files, on a real file system.
#![allow(missing_docs, reason = "tests")]
#![cfg(all(unix, feature = "std"))]

mod build;

use build::{Entry, File, U16};
use dram_quant::{Format, Order};
use dram_runtime::model::{Gguf, Map, pack};
use dram_runtime::{Error, Kind};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::{fs::symlink, net::UnixListener};
use std::path::{Path, PathBuf};
use std::process::Command;

/// An empty folder of that name.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for the test");
    folder
}

#[track_caller]
fn refused(path: &Path, words: &str) {
    for error in [Map::open(path).err(), Map::open_all(path).err(), Map::read_tiles(path, 2).err()]
    {
        let error = error.expect("a path that must be refused");
        assert_eq!(error.kind(), Kind::Missing);
        assert!(error.to_string().contains(words), "{words:?} is not in: {error}");
    }
}

#[test]
fn paths_that_are_no_files() {
    let folder = folder("paths");
    refused(&folder, "is a directory");
    refused(&folder.join("nothing.gguf"), "there is no such file");
    refused(Path::new("/dev/zero"), "device");
    refused(Path::new("/dev/null"), "device");
    let pipe = folder.join("pipe.gguf");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    refused(&pipe, "pipe");
    let socket = folder.join("socket.gguf");
    let _listener = UnixListener::bind(&socket).unwrap();
    refused(&socket, "socket");
    let circle = folder.join("circle.gguf");
    symlink(&circle, &circle).unwrap();
    refused(&circle, "cannot open: ");
    refused(&circle.join("below.gguf"), "cannot open: ");
}

#[test]
fn an_empty_file_is_a_bad_file() {
    let path = folder("empty").join("empty.gguf");
    fs::write(&path, "").unwrap();
    let error = Gguf::parse(&Map::open(&path).unwrap()).unwrap_err();
    assert_eq!((error.kind(), error), (Kind::BadFile, Map::read_tiles(&path, 1).unwrap_err()));
    assert!(error.to_string().contains("the file is empty"));
}

#[test]
fn a_file_with_ten_gigabytes_of_zeros() {
    let path = folder("sparse").join("sparse.gguf");
    let count = 10 << 28;
    fs::write(&path, File::new().entry(Entry::new("zeros", &[count], 0)).bytes()).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(count * 4 + 128).unwrap();
    let map = Map::open(&path).unwrap();
    let gguf = Gguf::parse(&map).unwrap();
    let zeros = gguf.vector("zeros", count as usize).unwrap();
    assert_eq!(zeros.last(), Some(&0.0));
}

#[test]
fn a_file_replaced_by_renaming_stays_whole() {
    let folder = folder("rename");
    let [old, new] = ["old.gguf", "new.gguf"].map(|name| folder.join(name));
    let bytes = File::new().tensor("old", Format::Q8_0, &[32, 300]).bytes();
    fs::write(&old, &bytes).unwrap();
    fs::write(&new, "short").unwrap();
    let map = Map::open(&old).unwrap();
    fs::rename(&new, &old).unwrap();
    assert_eq!(&map[..], bytes);
    assert_eq!(&Map::open(&old).unwrap()[..], b"short");
}

/// Every format in a matrix with a ragged end, and tensors that tiles are not for.
fn model() -> File {
    let matrices = Format::ALL.iter().fold(File::new(), |file, &format| {
        file.tensor(&format!("{}.weight", format.name()), format, &[512, 19])
    });
    matrices
        .tensor("token_embd.weight", Format::Q4_0, &[64, 21])
        .tensor("few.weight", Format::Q4_K, &[256, 5])
        .tensor("one.weight", Format::Q8_0, &[96])
        .tensor("cube.weight", Format::Q8_0, &[32, 8, 2])
        .tensor("norm.weight", Format::F32, &[17])
        .tensor("large.weight", Format::Q6_K, &[1280, 2003])
        .tensor("wide.weight", Format::Q5_1, &[1 << 17, 24])
}

/// Checks that both files hold the same tensors, row for row; returns the names of those in
/// tiles in the second.
fn compare(file: &Gguf<'_>, other: &Gguf<'_>) -> Vec<String> {
    // A model in one file says nothing of parts.
    let keys = |gguf: &Gguf<'_>| {
        let keys = gguf.values().map(|(key, _)| key.to_string());
        keys.filter(|key| !key.starts_with("split.")).collect::<Vec<_>>()
    };
    assert_eq!(keys(file), keys(other));
    assert_eq!(file.tensors().count(), other.tensors().count());
    let mut tiles = Vec::new();
    for (tensor, other) in file.tensors().zip(other.tensors()) {
        assert_eq!((tensor.name(), tensor.dims()), (other.name(), other.dims()));
        assert_eq!(tensor.format(), other.format());
        if other.order() == Order::Tiles {
            tiles.push(other.name().to_owned());
        } else {
            assert_eq!(tensor.bytes(), other.bytes());
        }
        if let [len, rows] = *tensor.dims() {
            let matrices =
                [tensor, other].map(|tensor| tensor.matrix(rows, len).expect("it is a matrix"));
            for i in 0..rows {
                let [row, other] = matrices.map(|matrix| {
                    let mut row = vec![0.0; len];
                    matrix.decode_row(i, &mut row);
                    row.iter().map(|weight: &f32| weight.to_bits()).collect::<Vec<_>>()
                });
                assert!(row == other, "row {i} of {}", tensor.name());
            }
        }
    }
    tiles
}

#[test]
fn tiles_hold_the_same_rows() {
    let path = folder("tiles").join("model.gguf");
    let bytes = model().bytes();
    fs::write(&path, &bytes).unwrap();
    let one = Map::read_tiles(&path, 1).unwrap();
    let image = &one[0][..];
    let tiles = compare(&Gguf::parse(&bytes).unwrap(), &Gguf::parse(image).unwrap());
    let floats = Format::ALL.iter().filter(|format| format.is_float()).count();
    assert_eq!(tiles.len(), Format::COUNT - floats + 4);
    for name in ["token_embd.weight", "few.weight", "large.weight", "wide.weight"] {
        assert!(tiles.iter().any(|tiled| tiled == name), "{name} is not in tiles");
    }
    let three = Map::read_tiles(&path, 3).unwrap();
    assert!(*image == three[0][..], "threads change the image");
}

#[test]
fn an_embedding_with_a_head_beside_it_stays_in_rows() {
    let path = folder("untied").join("model.gguf");
    let file = File::new().tensor("token_embd.weight", Format::Q4_0, &[64, 21]).tensor(
        "output.weight",
        Format::Q4_0,
        &[64, 21],
    );
    fs::write(&path, file.bytes()).unwrap();
    let image = Map::read_tiles(&path, 2).unwrap();
    let tiles = compare(&Gguf::parse(&file.bytes()).unwrap(), &Gguf::parse(&image[0]).unwrap());
    assert_eq!(tiles, ["output.weight"]);
}

#[test]
fn a_packed_file_is_the_image_and_packs_to_itself() {
    let folder = folder("pack");
    let [input, packed, again] = ["in.gguf", "packed.gguf", "again.gguf"].map(|n| folder.join(n));
    fs::write(&input, model().bytes()).unwrap();
    pack(&input, &fs::File::create(&packed).unwrap(), 2).unwrap();
    pack(&packed, &fs::File::create(&again).unwrap(), 2).unwrap();
    let image = &Map::read_tiles(&input, 2).unwrap()[0];
    assert!(image[..] == Map::open(&packed).unwrap()[..], "the packed file is not the image");
    assert!(image[..] == fs::read(&again).unwrap()[..], "packing again changed something");
}

#[test]
fn packing_tells_what_cannot_be_read_from_what_cannot_be_written() {
    let input = folder("failed").join("in.gguf");
    let bytes = model().bytes();
    fs::write(&input, &bytes).unwrap();
    for output in ["/dev/full", "/dev/null"] {
        let readable = fs::File::open(output).unwrap();
        let error = pack(&input, &readable, 2).unwrap_err();
        assert!(matches!(error, Error::Output { .. }), "{error}");
    }
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let error = pack(&input, &full, 2).unwrap_err();
    assert_eq!(error, Error::Output { reason: ErrorKind::StorageFull });
    assert_eq!(
        (error.kind(), error.to_string()),
        (Kind::Runtime, "cannot write: no storage space".into())
    );
    fs::write(&input, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(pack(&input, &full, 1).unwrap_err().kind(), Kind::BadFile);
}

fn write_parts(folder: &Path, count: u16) -> Vec<PathBuf> {
    let write = |i: u16| {
        let path = folder.join(format!("model-{:05}-of-{count:05}.gguf", i + 1));
        let file = if i == 0 { File::new() } else { File::bare() };
        let file = file.key("split.no", U16, i.to_le_bytes());
        let file = file.key("split.count", U16, count.to_le_bytes());
        let file = file.tensor(&format!("part{i}.weight"), Format::Q4_0, &[32, 9]);
        fs::write(&path, file.bytes()).expect("a file for the test");
        path
    };
    (0..count).map(write).collect()
}

#[test]
fn parts_are_found_beside_each_other() {
    let paths = write_parts(&folder("parts"), 3);
    for path in &paths {
        let maps = Map::open_all(path).unwrap();
        let images = Map::read_tiles(path, 2).unwrap();
        let [parts, images] =
            [&maps, &images].map(|m| m.iter().map(|m| &m[..]).collect::<Vec<_>>());
        let tiles = compare(&Gguf::join(&parts).unwrap(), &Gguf::join(&images).unwrap());
        assert_eq!(tiles, ["part0.weight", "part1.weight", "part2.weight"]);
    }
    let packed = paths[0].with_file_name("out.gguf");
    pack(&paths[0], &fs::File::create(&packed).unwrap(), 2).unwrap();
    let maps = Map::open_all(&paths[0]).unwrap();
    let (parts, packed) =
        (maps.iter().map(|m| &m[..]).collect::<Vec<_>>(), fs::read(packed).unwrap());
    let (parts, packed) = (Gguf::join(&parts).unwrap(), Gguf::parse(&packed).unwrap());
    assert_eq!(compare(&parts, &packed), ["part0.weight", "part1.weight", "part2.weight"]);
    assert!(packed.values().all(|(name, _)| !name.starts_with("split.")));
    fs::remove_file(&paths[1]).unwrap();
    for error in [Map::open_all(&paths[0]).err(), Map::read_tiles(&paths[0], 2).err()] {
        let error = error.expect("a part is missing");
        assert_eq!(error.kind(), Kind::Missing);
        assert!(error.to_string().contains("part 2 of 3 is missing"), "{error}");
    }
    fs::write(&paths[1], fs::read(&paths[2]).unwrap()).unwrap();
    let maps = Map::open_all(&paths[0]).unwrap();
    let parts: Vec<&[u8]> = maps.iter().map(|map| &map[..]).collect();
    let error = Gguf::join(&parts).unwrap_err();
    assert!(error.to_string().contains("part 2 says in split.no that it is part 3"), "{error}");
}
