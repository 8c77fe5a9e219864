//! Model files of the exact shapes and formats that people download, with random weights: as fast
//! or slow to run as the real ones, and made in seconds where those cannot be downloaded.

mod describe;
mod header;
mod mix;
mod shape;
mod vocabulary;
mod weights;

use describe::describe;
use header::{ALIGNMENT, Header};
use mix::Mix;
use shape::{Shape, Tensor};
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;
use vocabulary::Vocabulary;
use weights::Piece;

/// What the command line asks for.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// r1:1.5b, r1:7b, r1:8b, r1:14b, r1:32b, r1:70b, r1-0528:8b, qwen3:0.6b, qwen3:1.7b or qwen3:4b
    #[arg(value_parser = Shape::named)]
    shape: Shape,
    /// The mix of formats
    quant: Mix,
    /// The file to write
    out: PathBuf,
}

/// Writes the file, with the base's vocabulary if `cargo x fetch` has put it there.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let Arguments { shape, quant, out } = arguments;
    let path = fetched().join("vocab").join(shape.base.file);
    let vocabulary = if path.is_file() {
        Vocabulary::read(shape, &path)?
    } else {
        eprintln!("no {}; a stand-in vocabulary, `cargo x fetch` has the real one", path.display());
        Vocabulary::stand_in(shape)
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    write(shape, *quant, &vocabulary, out, threads)
        .map_err(|error| format!("{}: {error}", out.display()).into())
}

/// `$DRAM_FETCHED`, or `target/fetched` from where this runs.
fn fetched() -> PathBuf {
    std::env::var_os("DRAM_FETCHED").map_or_else(|| "target/fetched".into(), PathBuf::from)
}

/// Writes a file; it has its name only once it is whole.
fn write(
    shape: &Shape,
    mix: Mix,
    vocabulary: &Vocabulary,
    out: &Path,
    threads: usize,
) -> io::Result<()> {
    let tensors = mix.tensors(shape);
    let mut header = Header::default();
    describe(shape, mix, &mut header);
    vocabulary.write(&mut header);
    let header = header.bytes(&tensors);
    let part = out.with_added_extension("part");
    let bytes: usize = tensors.iter().map(|t| t.bytes().next_multiple_of(ALIGNMENT)).sum();
    let mut file = File::create(&part)?;
    file.write_all(&header)?;
    file.set_len((header.len() + bytes) as u64)?;
    let done = write_data(shape, &tensors, &part, header.len(), threads);
    if done.is_err() {
        fs::remove_file(&part)?;
        return done;
    }
    fs::rename(&part, out)
}

/// Writes every tensor's data, from byte `data` of the file on; threads take pieces in turn.
fn write_data(
    shape: &Shape,
    tensors: &[Tensor],
    path: &Path,
    data: usize,
    threads: usize,
) -> io::Result<()> {
    let places = tensors.iter().scan(data, |next, tensor| {
        let start = *next;
        *next += tensor.bytes().next_multiple_of(ALIGNMENT);
        Some((tensor, start))
    });
    let places = places.flat_map(|(tensor, start)| {
        weights::pieces(tensor).map(move |piece| (piece, start + piece.start))
    });
    let places: Vec<(Piece<'_>, usize)> = places.collect();
    let places = &places;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    write_pieces(shape, path, places.iter().skip(first).step_by(threads))
                })
            })
            .collect();
        writers.into_iter().try_for_each(|writer| writer.join().expect("writing does not panic"))
    })
}

fn write_pieces<'a>(
    shape: &Shape,
    path: &Path,
    places: impl Iterator<Item = &'a (Piece<'a>, usize)>,
) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let mut bytes = Vec::new();
    for &(piece, start) in places {
        bytes.resize(piece.bytes, 0);
        weights::fill(shape, piece, &mut bytes);
        file.seek(SeekFrom::Start(start as u64))?;
        file.write_all(&bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Mix, Shape, Vocabulary, write};
    use crate::work::Work;
    use dram_runtime::model::Config;
    use dram_runtime::text::{PreTokenizer, Vocab};
    use dram_runtime::{Gguf, Limits, Plan, Session};
    use std::fs;
    use std::path::Path;

    /// A distill with two short and narrow layers, and all of its vocabulary.
    fn small(name: &str) -> Shape {
        let shape = Shape::named(name).unwrap();
        let config = Config {
            layers: 2,
            embedding_length: 256,
            feed_forward_length: 512,
            heads: 2,
            kv_heads: 1,
            ..shape.config
        };
        Shape { config, ..shape }
    }

    /// What `read` makes of a file that is written and removed again.
    fn with<T>(shape: &Shape, mix: Mix, threads: usize, read: impl FnOnce(&Path) -> T) -> T {
        let name = format!("dram-synth-{}-{}-{mix:?}-{threads}", std::process::id(), shape.name);
        let path = std::env::temp_dir().join(name);
        write(shape, mix, &Vocabulary::stand_in(shape), &path, threads).unwrap();
        let found = read(&path);
        fs::remove_file(&path).unwrap();
        found
    }

    fn file(shape: &Shape, mix: Mix, threads: usize) -> Vec<u8> {
        with(shape, mix, threads, |path| fs::read(path).unwrap())
    }

    /// The logits behind two tokens.
    fn logits(file: &[u8]) -> Vec<f32> {
        let gguf = Gguf::parse(file).unwrap();
        let mut slots = [None; 2];
        let plan = Plan::new(&gguf, &mut slots).unwrap();
        let limits = Limits { context: 64, ..Limits::default() };
        let mut memory = vec![0; Session::bytes(&plan, &limits).unwrap()];
        let mut session = Session::new(&plan, dram_targets::best(), limits, &mut memory).unwrap();
        let sequence = session.open().unwrap();
        session.prompt(sequence, &[72, 105]).unwrap();
        session.logits(0).to_vec()
    }

    #[test]
    fn files_load_and_give_moderate_logits() {
        let files = [
            ("r1:1.5b", Mix::Q4_K_M),
            ("r1:7b", Mix::Q4_0),
            ("r1:8b", Mix::IQ4_NL),
            ("r1-0528:8b", Mix::Q4_K_M),
            ("qwen3:0.6b", Mix::Q8_0),
        ];
        for (name, mix) in files {
            let shape = small(name);
            let logits = logits(&file(&shape, mix, 2));
            assert_eq!(logits.len(), shape.tokens);
            let square: f32 = logits.iter().map(|x| x * x).sum();
            let deviation = (square / logits.len() as f32).sqrt();
            assert!((0.1..10.0).contains(&deviation), "{name} {mix:?}: {deviation}");
        }
    }

    #[test]
    fn a_pass_works_on_all_matrices_but_the_embedding() {
        let shape = small("r1:7b");
        let work = with(&shape, Mix::Q6_K, 2, |path| Work::of(path).unwrap());
        let tensors = Mix::Q6_K.tensors(&shape);
        let matrices = tensors.iter().filter(|tensor| tensor.dims.len() == 2);
        let matrices = matrices.filter(|tensor| tensor.name != "token_embd.weight");
        let [mut bytes, mut macs] = [0, 0];
        for tensor in matrices {
            bytes += tensor.bytes();
            macs += tensor.dims.iter().product::<usize>();
        }
        let head = shape.config.embedding_length * shape.tokens;
        assert_eq!(work, Work { bytes, layers: macs - head, head });
        assert_eq!(work.macs_per_token(1, 1), macs as f64);
    }

    #[test]
    fn vocabularies_have_the_marks_of_r1() {
        for name in ["r1:1.5b", "r1:8b"] {
            let file = file(&small(name), Mix::Q8_0, 1);
            let gguf = Gguf::parse(&file).unwrap();
            let mut memory = vec![0; Vocab::bytes(&gguf).unwrap()];
            let vocab = Vocab::new(&gguf, &mut memory).unwrap();
            assert!(vocab.is_r1(), "{name}");
            assert_eq!(vocab.bos_to_add(), vocab.find("<｜begin▁of▁sentence｜>"), "{name}");
        }
    }

    #[test]
    fn vocabularies_of_qwen3_begin_no_text() {
        let file = file(&small("qwen3:0.6b"), Mix::Q8_0, 1);
        let gguf = Gguf::parse(&file).unwrap();
        let mut memory = vec![0; Vocab::bytes(&gguf).unwrap()];
        let vocab = Vocab::new(&gguf, &mut memory).unwrap();
        assert_eq!((vocab.pre_tokenizer(), vocab.bos_to_add()), (PreTokenizer::Qwen2, None));
        assert_eq!(vocab.find("<|im_end|>"), Some(151_645));
    }

    #[test]
    fn the_same_file_whatever_the_threads() {
        let shape = small("r1:1.5b");
        assert!(file(&shape, Mix::Q5_K_M, 1) == file(&shape, Mix::Q5_K_M, 3));
    }
}
