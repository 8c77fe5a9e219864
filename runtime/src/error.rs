//! What can go wrong, each as one sentence: where, what was found, what would be right.

mod fault;
mod name;
#[cfg(feature = "std")]
mod saved;
mod session;
mod text;

#[cfg(feature = "std")]
pub use fault::PathFault;
pub use fault::{Contents, FileFault, KeyFault, PartsFault, TensorFault};
pub use name::Name;
#[cfg(feature = "std")]
pub use saved::SavedFault;
pub use session::{ColumnFault, SessionFault};
pub use text::TextFault;

use crate::model::kind_of;
use core::fmt;

/// Everything this crate refuses, as plain data: it borrows nothing and owns no heap memory.
///
/// Messages do not repeat the path of the file: whoever opened it knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The container of a model file is wrong at a byte.
    File {
        /// Which part of a split file, from 0.
        part: usize,
        /// Where in that part.
        offset: usize,
        /// What is wrong there.
        fault: FileFault,
    },
    /// A metadata key of a model file is missing or has an impossible value.
    Key {
        /// The key.
        key: Name,
        /// What is wrong with it.
        fault: KeyFault,
    },
    /// A tensor of a model file is missing or cannot be what the file says.
    Tensor {
        /// Its name.
        tensor: Name,
        /// What is wrong with it.
        fault: TensorFault,
    },
    /// The vocabulary of a model file, or a text for it, is wrong.
    Text(TextFault),
    /// The parts of a split file do not belong together.
    Parts(PartsFault),
    /// The file holds something else than a model.
    Contents(Contents),
    /// A family of models that is not computed.
    Architecture {
        /// What the file says it is.
        found: Name,
        /// Those that are.
        supported: &'static [&'static str],
    },
    /// A session does not do what it was asked.
    Session(SessionFault),
    /// Something needs more memory than there is.
    NoRoom {
        /// What needs it.
        what: &'static str,
        /// Bytes it needs.
        needed: usize,
        /// Bytes that the caller brought; `None` where the system was asked for them.
        available: Option<usize>,
    },
    /// The caller brought fewer slots than the model has layers.
    Slots {
        /// Layers of the model.
        needed: usize,
        /// Slots that the caller brought.
        given: usize,
    },
    /// A path does not lead to a file that can be read.
    #[cfg(feature = "std")]
    Path(PathFault),
    /// The system refused an operation on a file.
    #[cfg(feature = "std")]
    Io {
        /// The operation, as in "cannot … the file".
        doing: &'static str,
        /// The system's reason.
        reason: std::io::ErrorKind,
    },
    /// A packed model cannot be written to the file that it was to go to.
    #[cfg(feature = "std")]
    Output {
        /// The system's reason.
        reason: std::io::ErrorKind,
    },
    /// A saved sequence is not read, or not written.
    #[cfg(feature = "std")]
    Saved(SavedFault),
    /// The system refused to keep weights in memory.
    #[cfg(feature = "std")]
    Lock {
        /// Bytes of weights.
        bytes: usize,
        /// The system's reason.
        reason: std::io::ErrorKind,
    },
}

/// Groups of errors that a program answers differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The file is not a model that this program can run.
    BadFile,
    /// There is no such file, or it cannot be read.
    Missing,
    /// It does not fit in memory.
    NoRoom,
    /// Anything else.
    Runtime,
}

impl Error {
    /// The group of this error.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::File { .. } | Self::Key { .. } | Self::Tensor { .. } => Kind::BadFile,
            Self::Parts(PartsFault::Absent { .. }) => Kind::Missing,
            Self::Parts(_) | Self::Contents(_) | Self::Architecture { .. } => Kind::BadFile,
            Self::Text(TextFault::Long { .. }) | Self::Session(_) => Kind::Runtime,
            Self::Text(_) => Kind::BadFile,
            Self::NoRoom { .. } => Kind::NoRoom,
            Self::Slots { .. } => Kind::Runtime,
            #[cfg(feature = "std")]
            Self::Path(_) => Kind::Missing,
            #[cfg(feature = "std")]
            Self::Io { .. } | Self::Output { .. } | Self::Saved(_) => Kind::Runtime,
            #[cfg(feature = "std")]
            Self::Lock { .. } => Kind::NoRoom,
        }
    }

    pub(crate) fn file(offset: usize, fault: FileFault) -> Self {
        Self::File { part: 0, offset, fault }
    }

    pub(crate) fn key(key: impl fmt::Display, fault: KeyFault) -> Self {
        Self::Key { key: Name::of(key), fault }
    }

    pub(crate) fn tensor(tensor: impl fmt::Display, fault: TensorFault) -> Self {
        Self::Tensor { tensor: Name::of(tensor), fault }
    }

    /// Says in which part of a split file a fault of the container is.
    pub(crate) fn in_part(self, part: usize) -> Self {
        match self {
            Self::File { offset, fault, .. } => Self::File { part, offset, fault },
            other => other,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { part: 0, offset, fault } => write!(f, "at byte {offset}: {fault}"),
            Self::File { part, offset, fault } => {
                write!(f, "in part {}, at byte {offset}: {fault}", part + 1)
            }
            Self::Key { key, fault } => write!(f, "key \"{key}\": {fault}"),
            Self::Tensor { tensor, fault } => write!(f, "tensor \"{tensor}\": {fault}"),
            Self::Parts(fault) => fault.fmt(f),
            Self::Contents(contents) => contents.fmt(f),
            Self::Text(fault) => fault.fmt(f),
            Self::Architecture { found, supported } => {
                write!(f, "general.architecture is \"{found}\", ")?;
                if let Some(kind) = kind_of(found.as_str()) {
                    write!(f, "{kind}, ")?;
                }
                write!(f, "which is not supported; ")?;
                for (i, name) in supported.iter().enumerate() {
                    let before = if i == 0 { "" } else { ", " };
                    let before = if i > 0 && i + 1 == supported.len() { " and " } else { before };
                    write!(f, "{before}{name}")?;
                }
                write!(f, " models are")
            }
            Self::Session(fault) => fault.fmt(f),
            Self::NoRoom { what, needed, available: Some(available) } => {
                write!(f, "{what} needs {needed} bytes of memory and was given {available}")
            }
            Self::Slots { needed, given } => {
                write!(f, "a model of {needed} layers needs as many slots and was given {given}")
            }
            Self::NoRoom { what, needed, available: None } => {
                write!(
                    f,
                    "{what} needs {needed} bytes of memory, which the system does not give; close \
                     other programs, or raise the limit (`ulimit -v`, or that of the control group)"
                )
            }
            #[cfg(feature = "std")]
            Self::Path(fault) => fault.fmt(f),
            #[cfg(feature = "std")]
            Self::Saved(fault) => fault.fmt(f),
            #[cfg(feature = "std")]
            Self::Io { doing, reason } => write!(f, "cannot {doing} the file: {reason}"),
            #[cfg(feature = "std")]
            Self::Output { reason } => write!(f, "cannot write: {reason}"),
            #[cfg(feature = "std")]
            Self::Lock { bytes, reason } => write!(
                f,
                "cannot lock {bytes} bytes of weights in memory: {reason}; allow {} KiB with \
                 `ulimit -l`, or LimitMEMLOCK= in a systemd unit",
                bytes.div_ceil(1024)
            ),
        }
    }
}

impl core::error::Error for Error {}

impl From<SessionFault> for Error {
    fn from(fault: SessionFault) -> Self {
        Self::Session(fault)
    }
}

#[cfg(feature = "std")]
impl From<SavedFault> for Error {
    fn from(fault: SavedFault) -> Self {
        Self::Saved(fault)
    }
}
