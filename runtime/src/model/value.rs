//! Metadata values where they lie.

use super::number::{Number, Type};
use super::reader::Reader;
use crate::error::{Error, KeyFault};
use byteorder::{ByteOrder, LE};
use core::fmt;

/// A metadata value: its type, and its bytes in the file.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    ty: Type,
    /// Starts with the value; ends somewhere behind it.
    bytes: &'a [u8],
}

impl<'a> Value<'a> {
    /// Reads the type of a value and checks the value, which it steps over.
    pub(crate) fn check(reader: &mut Reader<'a>, key: &str) -> Result<(), Error> {
        let ty = Self::known(reader.u32()?, key)?;
        let bytes = match ty {
            Type::Str => return reader.string().map(drop),
            Type::Array => return Array::check(reader, key),
            _ => reader.take(ty.bytes() as u64)?,
        };
        if ty == Type::Bool { check_bools(bytes, key) } else { Ok(()) }
    }

    fn known(id: u32, key: &str) -> Result<Type, Error> {
        Type::from_id(id).ok_or_else(|| Error::key(key, KeyFault::TypeId(id)))
    }

    /// The value at the reader's place, which [`Self::check`] has accepted.
    pub(crate) fn at(mut reader: Reader<'a>) -> Option<Self> {
        let ty = Type::from_id(reader.u32().ok()?)?;
        Some(Self { ty, bytes: reader.left() })
    }

    /// The type in the file.
    pub const fn ty(&self) -> Type {
        self.ty
    }

    /// The value if it is a number.
    pub fn number(&self) -> Option<Number> {
        let bytes = self.bytes.get(..self.ty.bytes())?;
        Some(match self.ty {
            Type::U8 => Number::Unsigned(bytes[0].into()),
            Type::U16 => Number::Unsigned(LE::read_u16(bytes).into()),
            Type::U32 => Number::Unsigned(LE::read_u32(bytes).into()),
            Type::U64 => Number::Unsigned(LE::read_u64(bytes)),
            Type::I8 => Number::Signed(bytes[0].cast_signed().into()),
            Type::I16 => Number::Signed(LE::read_i16(bytes).into()),
            Type::I32 => Number::Signed(LE::read_i32(bytes).into()),
            Type::I64 => Number::Signed(LE::read_i64(bytes)),
            Type::F32 => Number::Float(LE::read_f32(bytes).into()),
            Type::F64 => Number::Float(LE::read_f64(bytes)),
            Type::Bool | Type::Str | Type::Array => return None,
        })
    }

    /// The value if it is an integer that fits 64 bits without sign.
    pub fn unsigned(&self) -> Option<u64> {
        match self.number()? {
            Number::Unsigned(n) => Some(n),
            Number::Signed(n) => n.try_into().ok(),
            Number::Float(_) => None,
        }
    }

    /// The value if it is a bool.
    pub fn bool(&self) -> Option<bool> {
        (self.ty == Type::Bool).then_some(*self.bytes.first()? == 1)
    }

    /// The value if it is text; files do not promise UTF-8.
    pub fn text(&self) -> Option<&'a [u8]> {
        (self.ty == Type::Str).then_some(Reader::new(self.bytes, 0).string().ok()?)
    }

    /// The value if it is an array.
    pub fn array(&self) -> Option<Array<'a>> {
        let mut reader = Reader::new(self.bytes, 0);
        if self.ty != Type::Array {
            return None;
        }
        let ty = Type::from_id(reader.u32().ok()?)?;
        let len = usize::try_from(reader.u64().ok()?).ok()?;
        Some(Array { ty, len, bytes: reader.left() })
    }
}

fn check_bools(bytes: &[u8], key: &str) -> Result<(), Error> {
    match bytes.iter().find(|&&byte| byte > 1) {
        Some(&byte) => Err(Error::key(key, KeyFault::Bool(byte))),
        None => Ok(()),
    }
}

impl fmt::Display for Value<'_> {
    /// Numbers and text as they are, arrays as their length and element type.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(number) = self.number() {
            return number.fmt(f);
        }
        if let Some(array) = self.array() {
            return write!(f, "[{} of {}]", array.len(), array.ty());
        }
        if let Some(bool) = self.bool() {
            return bool.fmt(f);
        }
        self.text().unwrap_or_default().utf8_chunks().try_for_each(|chunk| {
            f.write_str(chunk.valid())?;
            f.write_str(if chunk.invalid().is_empty() { "" } else { "\u{fffd}" })
        })
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}({self})", self.ty)
    }
}

/// An array of values of one type, none of them an array.
#[derive(Clone, Copy)]
pub struct Array<'a> {
    ty: Type,
    len: usize,
    /// Starts with the first element; ends somewhere behind the last.
    bytes: &'a [u8],
}

impl<'a> Array<'a> {
    fn check(reader: &mut Reader<'a>, key: &str) -> Result<(), Error> {
        let ty = Value::known(reader.u32()?, key)?;
        let len = reader.u64()?;
        let bytes = len.saturating_mul(ty.bytes() as u64);
        match ty {
            Type::Array => Err(Error::key(key, KeyFault::Nested)),
            Type::Bool => check_bools(reader.take(bytes)?, key),
            Type::Str => {
                reader.clone().take(bytes)?;
                (0..len).try_for_each(|_| reader.string().map(drop))
            }
            _ => reader.take(bytes).map(drop),
        }
    }

    /// The type of every element.
    pub const fn ty(&self) -> Type {
        self.ty
    }

    /// Number of elements.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Element `i`, in constant time; `None` behind the end and for text, which
    /// [`Self::strings`] reads.
    pub fn get(&self, i: usize) -> Option<Value<'a>> {
        if i >= self.len || self.ty == Type::Str {
            return None;
        }
        Some(Value { ty: self.ty, bytes: self.bytes.get(i * self.ty.bytes()..)? })
    }

    /// Every element in order, if they are not text.
    pub fn values(&self) -> impl Iterator<Item = Value<'a>> + use<'a> {
        let array = *self;
        (0..self.len).map_while(move |i| array.get(i))
    }

    /// Every element in order if they are text, else nothing.
    pub fn strings(&self) -> Strings<'a> {
        let left = if self.ty == Type::Str { self.len } else { 0 };
        Strings { reader: Reader::new(self.bytes, 0), left }
    }

    /// The text at a place that [`Strings::offset`] told, in constant time.
    pub fn string_at(&self, offset: usize) -> Option<&'a [u8]> {
        Reader::new(self.bytes, offset).string().ok()
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}; {}]", self.ty, self.len)
    }
}

/// The elements of an array of text, as bytes: files do not promise UTF-8.
#[derive(Clone, Debug)]
pub struct Strings<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl Strings<'_> {
    /// Where the next element lies, for [`Array::string_at`].
    pub const fn offset(&self) -> usize {
        self.reader.at()
    }
}

impl<'a> Iterator for Strings<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        self.reader.string().ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

/// A Rust type that a metadata value is asked as.
pub trait FromValue<'a>: Sized {
    /// What a value must be, as in "must be …".
    const MUST: &'static str;

    /// The value, if it is one of this type.
    fn from_value(value: Value<'a>) -> Option<Self>;
}

impl FromValue<'_> for u32 {
    const MUST: &'static str = "an integer from 0 to 4294967295";

    fn from_value(value: Value<'_>) -> Option<Self> {
        value.unsigned()?.try_into().ok()
    }
}

impl FromValue<'_> for f32 {
    const MUST: &'static str = "f32";

    fn from_value(value: Value<'_>) -> Option<Self> {
        match value.number()? {
            Number::Float(n) => Some(n as Self),
            _ => None,
        }
    }
}

impl FromValue<'_> for bool {
    const MUST: &'static str = "bool";

    fn from_value(value: Value<'_>) -> Option<Self> {
        value.bool()
    }
}

impl<'a> FromValue<'a> for &'a str {
    const MUST: &'static str = "text in UTF-8";

    fn from_value(value: Value<'a>) -> Option<Self> {
        str::from_utf8(value.text()?).ok()
    }
}

impl<'a> FromValue<'a> for Array<'a> {
    const MUST: &'static str = "an array";

    fn from_value(value: Value<'a>) -> Option<Self> {
        value.array()
    }
}
