//! What a model's file says.

use super::not_a_model::of_part;
use super::number::Type;
use super::part::{Part, Seen, TENSORS_MAX};
use super::tensor::{Info, Tensor};
use super::value::{FromValue, Value};
use crate::error::{Error, FileFault, KeyFault, PartsFault, TensorFault};
use crate::hash::Fnv;
use core::{fmt, iter};
use dram_quant::{Matrix, Order};

#[cfg(target_endian = "big")]
compile_error!("GGUF is read where it lies, which needs a little-endian machine");

/// A checked view of a GGUF file, in one part or several.
///
/// Everything the format promises has been checked when there is a view: names are unique text,
/// values are whole, tensors lie one after the other inside the file. What a model needs beyond
/// that (which keys, which shapes) is for whoever asks.
#[derive(Debug)]
pub struct Gguf<'a> {
    first: Part<'a>,
    rest: &'a [&'a [u8]],
    architecture: &'a str,
}

impl<'a> Gguf<'a> {
    /// Views a file that is a whole model. Bytes behind the last tensor are ignored.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::new(bytes, &[])
    }

    /// Views the parts of a split file, in order; metadata is that of the first.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, also between the parts.
    pub fn join(parts: &'a [&'a [u8]]) -> Result<Self, Error> {
        let (first, rest) = parts.split_first().unwrap_or((&(&[] as &[u8]), &[]));
        Self::new(first, rest)
    }

    fn new(first: &'a [u8], rest: &'a [&'a [u8]]) -> Result<Self, Error> {
        let first = Part::parse(first)?;
        let mut gguf = Self { first, rest, architecture: "" };
        gguf.check_parts()?;
        gguf.architecture = gguf
            .get("general.architecture")
            .map_err(|error| of_part(&gguf.first).map_or(error, Error::Contents))?;
        Ok(gguf)
    }

    fn check_parts(&self) -> Result<(), Error> {
        let (mut seen, mut tensors) = (Seen::new(), 0);
        self.check_place(&self.first, 0)?;
        check_names(&self.first, &mut seen, &mut tensors)?;
        for (i, bytes) in iter::zip(1.., self.rest) {
            let part = Part::parse(bytes).map_err(|error| error.in_part(i))?;
            self.check_place(&part, i)?;
            check_names(&part, &mut seen, &mut tensors).map_err(|error| error.in_part(i))?;
        }
        match integer(&self.first, "split.tensors.count")? {
            Some(must) if must != tensors as u64 => {
                Err(Error::Parts(PartsFault::Tensors { found: tensors, must }))
            }
            _ => Ok(()),
        }
    }

    /// Checks that a part says it is number `place` of as many as there are.
    fn check_place(&self, part: &Part<'a>, place: usize) -> Result<(), Error> {
        let count = self.rest.len() + 1;
        // Tools that merge parts leave a count of 0 behind.
        let must = integer(part, "split.count")?.unwrap_or(1).max(1);
        if must != count as u64 {
            return Err(Error::Parts(PartsFault::Count { found: count, must }));
        }
        match integer(part, "split.no")? {
            Some(found) if found != place as u64 => {
                Err(Error::Parts(PartsFault::Order { place, found }))
            }
            _ => Ok(()),
        }
    }

    pub(super) const fn first(&self) -> &Part<'a> {
        &self.first
    }

    /// `general.architecture`: the family of models, and the prefix of its keys.
    pub const fn architecture(&self) -> &'a str {
        self.architecture
    }

    /// A key of the architecture: `block_count` is `llama.block_count` in a Llama's file.
    pub const fn hyper<'k>(&'k self, name: &'k str) -> Key<'k> {
        Key { prefix: self.architecture, name }
    }

    /// A number that stands for the model: a hash of its keys with their values, and of the names,
    /// shapes and formats of its tensors. A file and the same in tiles have one; models that differ
    /// in the numbers of their weights alone have, too.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Fnv::new();
        hash.write(self.first.key_bytes());
        for tensor in self.tensors() {
            hash.write(tensor.name().as_bytes());
            // No name has a NUL.
            hash.write(&[0, tensor.dims().len() as u8]);
            tensor.dims().iter().for_each(|dim| hash.write(&(*dim as u64).to_le_bytes()));
            hash.write(&tensor.format().id(Order::Rows).to_le_bytes());
        }
        hash.finish()
    }

    /// Every key with its value, in the order of the file.
    pub fn values(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + '_ {
        self.first.values()
    }

    /// The value of a key, of whatever type.
    pub fn value<'k>(&self, key: impl Into<Key<'k>>) -> Option<Value<'a>> {
        let key = key.into();
        self.values().find(|(name, _)| key.is(name)).map(|(_, value)| value)
    }

    /// The value of a key that the model cannot do without.
    ///
    /// # Errors
    ///
    /// An [`Error::Key`] if it is missing or no `T`.
    pub fn get<'k, T: FromValue<'a>>(&self, key: impl Into<Key<'k>>) -> Result<T, Error> {
        let key = key.into();
        self.find(key)?.ok_or_else(|| Error::key(key, KeyFault::Missing))
    }

    /// The value of a key that a file may leave out.
    ///
    /// # Errors
    ///
    /// An [`Error::Key`] if it is there and no `T`.
    pub fn find<'k, T: FromValue<'a>>(&self, key: impl Into<Key<'k>>) -> Result<Option<T>, Error> {
        let key = key.into();
        self.value(key).map(|value| read(key, value)).transpose()
    }

    /// Every tensor, in the order of the file and its parts.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'a>> + '_ {
        let rest = self.rest.iter().filter_map(|bytes| Part::parse(bytes).ok());
        iter::once(self.first).chain(rest).flat_map(|part| {
            part.infos().filter_map(move |info| Some(Tensor::new(info, data(&part, &info)?)))
        })
    }

    /// The tensor of a name.
    pub fn tensor(&self, name: &str) -> Option<Tensor<'a>> {
        self.tensors().find(|tensor| tensor.name() == name)
    }

    /// The tensor of a name as a matrix of `rows` rows of `len` weights.
    ///
    /// # Errors
    ///
    /// An [`Error::Tensor`] if it is missing or has another shape.
    pub fn matrix(&self, name: &str, rows: usize, len: usize) -> Result<Matrix<'a>, Error> {
        self.required(name)?.matrix(rows, len)
    }

    /// The tensor of a name as `len` numbers.
    ///
    /// # Errors
    ///
    /// An [`Error::Tensor`] if it is missing or not what [`Tensor::vector`] needs.
    pub fn vector(&self, name: &str, len: usize) -> Result<&'a [f32], Error> {
        self.required(name)?.vector(len)
    }

    fn required(&self, name: &str) -> Result<Tensor<'a>, Error> {
        self.tensor(name).ok_or_else(|| Error::tensor(name, TensorFault::Missing))
    }
}

fn data<'a>(part: &Part<'a>, info: &Info<'a>) -> Option<&'a [u8]> {
    part.bytes.get(part.start(info)..)?.get(..info.bytes)
}

/// Checks that tensors' names are unique among all parts so far, and counts them.
fn check_names(part: &Part<'_>, seen: &mut Seen, tensors: &mut usize) -> Result<(), Error> {
    *tensors += part.tensors;
    if *tensors > TENSORS_MAX {
        let (found, most) = (*tensors as u64, TENSORS_MAX);
        return Err(Error::file(0, FileFault::Count { what: "tensors", found, most }));
    }
    match part.infos().find(|info| !seen.insert(info.name)) {
        Some(info) => Err(Error::tensor(info.name, TensorFault::Duplicate)),
        None => Ok(()),
    }
}

fn integer(part: &Part<'_>, key: &str) -> Result<Option<u64>, Error> {
    let value = part.values().find(|(name, _)| *name == key);
    let number = value.map(|(_, value)| read::<u32>(Key::from(key), value));
    Ok(number.transpose()?.map(u64::from))
}

fn read<'a, T: FromValue<'a>>(key: Key<'_>, value: Value<'a>) -> Result<T, Error> {
    T::from_value(value).ok_or_else(|| {
        let (found, must) = (value.ty(), T::MUST);
        Error::key(
            key,
            match value.number() {
                Some(found) if !matches!(value.ty(), Type::F32 | Type::F64) => {
                    KeyFault::Number { found, must }
                }
                _ => KeyFault::Type { found, must },
            },
        )
    })
}

/// A key's name, whole or as an architecture's prefix and the rest.
#[derive(Clone, Copy, Debug)]
pub struct Key<'k> {
    prefix: &'k str,
    name: &'k str,
}

impl Key<'_> {
    fn is(&self, name: &str) -> bool {
        let rest = match self.prefix {
            "" => Some(name),
            prefix => name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.')),
        };
        rest == Some(self.name)
    }
}

impl<'k> From<&'k str> for Key<'k> {
    fn from(name: &'k str) -> Self {
        Self { prefix: "", name }
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.prefix.is_empty() { "" } else { "." };
        write!(f, "{}{dot}{}", self.prefix, self.name)
    }
}
