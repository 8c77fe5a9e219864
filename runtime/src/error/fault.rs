//! What is wrong at a place, without the place.

use crate::model::NotGguf;
use crate::model::number::{Number, Type};
use core::fmt;
use dram_quant::{Format, Refused};

const DAMAGED: &str = "the file is cut off or damaged, get it again";

/// What is wrong with the container.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum FileFault {
    /// The header promises more bytes than there are.
    Short {
        /// Bytes the next item has.
        needed: u64,
        /// Bytes that are left.
        left: usize,
    },
    /// The bytes are something else than a GGUF file.
    Magic(NotGguf),
    /// A version of GGUF that is not read.
    Version(u32),
    /// More items than the file could hold or the reader takes.
    Count {
        /// "keys" or "tensors".
        what: &'static str,
        /// How many the header declares.
        found: u64,
        /// How many it may declare.
        most: usize,
    },
    /// A key's name has an impossible length.
    KeyLength(u64),
    /// A tensor's name has an impossible length.
    TensorNameLength(u64),
    /// The tensors reach past the end.
    Truncated {
        /// Bytes a whole file has.
        needed: u64,
    },
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { needed, left } => {
                write!(f, "the next item has {needed} bytes, {left} are left; {DAMAGED}")
            }
            Self::Magic(other) => other.fmt(f),
            Self::Version(version) if version & 0xffff == 0 && *version != 0 => {
                write!(f, "the file is big-endian; convert the model to a little-endian file")
            }
            Self::Version(version @ 0..2) => {
                write!(
                    f,
                    "GGUF version {version} is not read, 2 and 3 are; get a newer file of this model"
                )
            }
            Self::Version(version) => {
                write!(
                    f,
                    "GGUF version {version} is not known, 2 and 3 are; the file is damaged or newer than this program"
                )
            }
            Self::Count { what, found, most } => {
                write!(
                    f,
                    "the header declares {found} {what}, at most {most} are possible; {DAMAGED}"
                )
            }
            Self::KeyLength(length) => {
                write!(f, "a key's name has {length} bytes, 1 to 65535 are allowed; {DAMAGED}")
            }
            Self::TensorNameLength(length) => {
                write!(f, "a tensor's name has {length} bytes, 1 to 63 are allowed; {DAMAGED}")
            }
            Self::Truncated { needed } => {
                write!(
                    f,
                    "the file ends here, truncated: a whole one has {needed} bytes; get it again"
                )
            }
        }
    }
}

/// What is wrong with a metadata key.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum KeyFault {
    /// It is not there.
    Missing,
    /// It is there twice.
    Duplicate,
    /// Its name is not UTF-8 or holds a NUL.
    Name,
    /// Its value has a type id that GGUF does not have.
    TypeId(u32),
    /// Its value is an array of arrays.
    Nested,
    /// A bool in its value is neither 0 nor 1.
    Bool(u8),
    /// Its value has the wrong type.
    Type {
        /// The type in the file.
        found: Type,
        /// What it must be, as in "must be …".
        must: &'static str,
    },
    /// Its value has the wrong element type.
    Elements {
        /// The element type in the file.
        found: Type,
        /// What it must be, as in "must be an array of …".
        must: &'static str,
    },
    /// Its value is a number that cannot be.
    Number {
        /// The number.
        found: Number,
        /// What it must be, as in "must be …".
        must: &'static str,
    },
    /// Its value is an array of a length that cannot be.
    Length {
        /// Elements in the file.
        found: usize,
        /// Elements it must have.
        must: usize,
    },
    /// Its value is not the same for all layers.
    Layers,
    /// Its value is text that is not UTF-8.
    Text,
    /// It asks for something that is not computed.
    Unsupported {
        /// What it must be, as in "must be …".
        must: &'static str,
    },
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "is missing; the file is not a complete model"),
            Self::Duplicate => write!(f, "is there twice, once is allowed; {DAMAGED}"),
            Self::Name => write!(f, "must be UTF-8 without NUL; {DAMAGED}"),
            Self::TypeId(id) => write!(f, "has value type {id}, 0 to 12 are known; {DAMAGED}"),
            Self::Nested => write!(f, "is an array of arrays, which is not allowed; {DAMAGED}"),
            Self::Bool(found) => write!(f, "has the bool {found}, must be 0 or 1; {DAMAGED}"),
            Self::Type { found, must } => write!(f, "is {found}, must be {must}"),
            Self::Elements { found, must } => {
                write!(f, "is an array of {found}, must be an array of {must}")
            }
            Self::Number { found, must } => write!(f, "is {found}, must be {must}"),
            Self::Length { found, must } => write!(f, "has {found} elements, must have {must}"),
            Self::Layers => {
                write!(f, "differs between layers, must be the same for all; take another model")
            }
            Self::Text => write!(f, "is text that is not UTF-8; {DAMAGED}"),
            Self::Unsupported { must } => {
                write!(f, "asks for what is not supported, must be {must}; take another model")
            }
        }
    }
}

/// What is wrong with a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum TensorFault {
    /// It is not there.
    Missing,
    /// It is there twice.
    Duplicate,
    /// Its name is not UTF-8 or holds a NUL.
    Name,
    /// It has none or too many dimensions.
    Dimensions(u32),
    /// One of its dimensions is 0.
    Empty,
    /// Its size is beyond this machine's addresses.
    Huge,
    /// Its type is not multiplied here.
    Type(Refused),
    /// It is in tiles without being a matrix.
    Tiles,
    /// Its rows are not whole blocks.
    Blocks {
        /// Weights in a row.
        len: u64,
        /// Its format.
        format: Format,
    },
    /// It is not where the tensor before it ends.
    Offset {
        /// The offset in the file.
        found: u64,
        /// Where it must be.
        must: u64,
    },
    /// It has another shape than the model needs.
    Shape {
        /// The dimensions in the file, row length first.
        found: [u32; 4],
        /// Rows and row length that it must have.
        must: [u32; 2],
    },
    /// It has another format than F32.
    NotF32(Format),
    /// No model of the architecture has it.
    Foreign(&'static str),
    /// The vocabulary has tokens without a row.
    Vocabulary {
        /// Rows of the embedding.
        rows: usize,
        /// Tokens of the vocabulary.
        tokens: usize,
    },
    /// Its factors are not all finite and above 0.
    Factors,
    /// Its numbers do not lie at an address that is a multiple of 4.
    Misaligned,
}

impl fmt::Display for TensorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "is missing; the file is not a complete model"),
            Self::Duplicate => write!(f, "is there twice, once is allowed; {DAMAGED}"),
            Self::Name => write!(f, "must be UTF-8 without NUL; {DAMAGED}"),
            Self::Dimensions(found) => {
                write!(f, "has {found} dimensions, must have 1 to 4; {DAMAGED}")
            }
            Self::Empty => write!(f, "has a dimension of 0, must have at least 1; {DAMAGED}"),
            Self::Huge => write!(f, "is larger than this machine can address; {DAMAGED}"),
            Self::Type(refused) => refused.fmt(f),
            Self::Tiles => write!(f, "is in tiles, but only a matrix can be; pack the model again"),
            Self::Blocks { len, format } => {
                let (name, weights) = (format.name(), format.weights());
                write!(
                    f,
                    "{name} needs a row length divisible by {weights}, found {len}; {DAMAGED}"
                )
            }
            Self::Offset { found, must } => {
                write!(f, "lies at offset {found} of the data, must be at {must}; {DAMAGED}")
            }
            Self::Shape { found: [len, 1, 1, 1], must: [1, must] } => {
                write!(f, "has {len} numbers, the model needs {must}")
            }
            Self::Shape { found: [len, rows, 1, 1], must: [must_rows, must_len] } => {
                write!(
                    f,
                    "has {rows} rows of {len}, the model needs {must_rows} rows of {must_len}"
                )
            }
            Self::Shape { found, must: [must_rows, must_len] } => {
                write!(f, "has shape {found:?}, the model needs {must_rows} rows of {must_len}")
            }
            Self::NotF32(found) => {
                write!(f, "is {}, must be F32; convert the model again", found.name())
            }
            Self::Foreign(architecture) => write!(
                f,
                "is no part of a {architecture} model, and its effect would be left out; convert the model again"
            ),
            Self::Vocabulary { rows, tokens } => write!(
                f,
                "has {rows} rows, but the vocabulary has {tokens} tokens; convert the model again"
            ),
            Self::Factors => write!(f, "must hold finite numbers above 0; {DAMAGED}"),
            Self::Misaligned => {
                write!(
                    f,
                    "lies at an address that is no multiple of 4; align the file's bytes, or write it with general.alignment 32"
                )
            }
        }
    }
}

/// What a GGUF file holds that is no model which can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contents {
    /// Changes to the weights of a model (LoRA).
    Adapter,
    /// What turns images or sound into numbers for a model.
    Projector,
    /// Which weights matter to a model, for whoever quantizes it.
    ImportanceMatrix,
    /// Directions in which a model's layers can be pushed.
    ControlVector,
    /// Tokens without a model.
    Vocabulary,
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Adapter => {
                "the file holds an adapter (LoRA), which changes a model and is none by itself; \
                 merge it into its model, or take a file of the whole model"
            }
            Self::Projector => {
                "the file holds the part of a model that sees images or hears (mmproj); take the \
                 file of the language model, which reads text"
            }
            Self::ImportanceMatrix => {
                "the file holds an importance matrix (imatrix), which serves to quantize a model; \
                 take the model's own file"
            }
            Self::ControlVector => {
                "the file holds a control vector, which steers a model and is none by itself; take \
                 the model's own file"
            }
            Self::Vocabulary => {
                "the file holds a vocabulary without weights; take a file of the whole model"
            }
        })
    }
}

/// What is wrong with the parts of a split file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PartsFault {
    /// There are more or fewer parts than the file says.
    Count {
        /// Parts at hand.
        found: usize,
        /// Parts the file says it has.
        must: u64,
    },
    /// A part is in the place of another.
    Order {
        /// Where it is, from 0.
        place: usize,
        /// Which part it says it is, from 0.
        found: u64,
    },
    /// The parts hold more or fewer tensors than the first one says.
    Tensors {
        /// Tensors in all parts.
        found: usize,
        /// Tensors the first part says there are.
        must: u64,
    },
    /// There is no file with the name of a part beside the others.
    Absent {
        /// Which part, from 0.
        part: usize,
        /// Parts there should be.
        count: usize,
    },
    /// The parts say different things of where tensors may lie.
    Alignment,
}

impl fmt::Display for PartsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { found, must } => write!(
                f,
                "split.count says that the model is split into {must} files, {found} found; keep all beside each other, named …-00001-of-{must:05}.gguf and so on"
            ),
            Self::Order { place, found } => write!(
                f,
                "part {} says in split.no that it is part {}; restore the parts' names",
                place + 1,
                found.saturating_add(1)
            ),
            Self::Tensors { found, must } => write!(
                f,
                "split.tensors.count says {must} tensors, the parts hold {found}; get all parts again"
            ),
            Self::Absent { part, count } => {
                write!(f, "part {} of {count} is missing, put it beside the others", part + 1)
            }
            Self::Alignment => {
                f.write_str("general.alignment differs among the parts; get all parts again")
            }
        }
    }
}

/// Why a path does not lead to a file that can be read.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathFault {
    /// The system does not open it.
    Refused(std::io::ErrorKind),
    /// It is a directory.
    Directory,
    /// It is a device, a pipe or a socket.
    NotAFile,
}

#[cfg(feature = "std")]
impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(std::io::ErrorKind::NotFound) => {
                write!(f, "there is no such file; check the path")
            }
            Self::Refused(reason) => write!(f, "cannot open: {reason}"),
            Self::Directory => write!(f, "is a directory; name a .gguf file in it"),
            Self::NotAFile => write!(f, "is a device, pipe or socket; name a regular file"),
        }
    }
}
