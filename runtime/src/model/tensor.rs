//! Tensors where they lie.

use super::reader::{Reader, plain};
use crate::error::{Error, FileFault, Name, TensorFault};
use dram_quant::{Format, Matrix, Order};

/// A tensor's entry in the header, checked by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Info<'a> {
    pub name: &'a str,
    /// Row length first; 1 where there is no dimension.
    pub dims: [usize; 4],
    pub dimensions: usize,
    pub format: Format,
    pub order: Order,
    /// Where in the file the entry is.
    #[cfg_attr(not(feature = "std"), expect(dead_code, reason = "for joining parts"))]
    pub at: usize,
    /// Where in the file the type id is.
    #[cfg_attr(not(feature = "std"), expect(dead_code, reason = "for arranging tiles"))]
    pub type_at: usize,
    /// Where the data starts, counted from the start of all data.
    pub offset: u64,
    /// Size of the data.
    pub bytes: usize,
}

impl<'a> Info<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let at = reader.at();
        let name = name(reader)?;
        let fault = |fault| Error::tensor(name, fault);
        let dimensions = reader.u32()?;
        if !(1..=4).contains(&dimensions) {
            return Err(fault(TensorFault::Dimensions(dimensions)));
        }
        let dimensions = dimensions as usize;
        let mut dims = [1; 4];
        for dim in &mut dims[..dimensions] {
            *dim = usize::try_from(reader.u64()?).map_err(|_| fault(TensorFault::Huge))?;
        }
        let type_at = reader.at();
        let (format, order) =
            Format::from_id(reader.u32()?).map_err(|refused| fault(TensorFault::Type(refused)))?;
        if order == Order::Tiles && dimensions != 2 {
            return Err(fault(TensorFault::Tiles));
        }
        let bytes = bytes(dims, format).map_err(fault)?;
        let offset = reader.u64()?;
        Ok(Self { name, dims, dimensions, format, order, at, type_at, offset, bytes })
    }
}

fn name<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Error> {
    let offset = reader.at();
    let length = reader.u64()?;
    if !(1..=63).contains(&length) {
        return Err(Error::file(offset, FileFault::TensorNameLength(length)));
    }
    let name = reader.take(length)?;
    plain(name).ok_or_else(|| Error::Tensor { tensor: Name::lossy(name), fault: TensorFault::Name })
}

/// Size of a tensor's data.
fn bytes(dims: [usize; 4], format: Format) -> Result<usize, TensorFault> {
    if dims.contains(&0) {
        return Err(TensorFault::Empty);
    }
    if !dims[0].is_multiple_of(format.weights()) {
        return Err(TensorFault::Blocks { len: dims[0] as u64, format });
    }
    let row_bytes = format.row_bytes(dims[0]).ok_or(TensorFault::Huge)?;
    let rows = dims[1..].iter().try_fold(1_usize, |rows, dim| rows.checked_mul(*dim));
    rows.and_then(|rows| rows.checked_mul(row_bytes)).ok_or(TensorFault::Huge)
}

/// A tensor of a file.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    info: Info<'a>,
    bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    pub(crate) const fn new(info: Info<'a>, bytes: &'a [u8]) -> Self {
        Self { info, bytes }
    }

    /// The name.
    pub const fn name(&self) -> &'a str {
        self.info.name
    }

    /// One to four dimensions, row length first.
    pub fn dims(&self) -> &[usize] {
        &self.info.dims[..self.info.dimensions]
    }

    /// The format of every row.
    pub const fn format(&self) -> Format {
        self.info.format
    }

    /// How rows lie.
    pub const fn order(&self) -> Order {
        self.info.order
    }

    /// All bytes.
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The tensor as a matrix of `rows` rows of `len` weights.
    ///
    /// # Errors
    ///
    /// [`TensorFault::Shape`] if it is none.
    pub fn matrix(&self, rows: usize, len: usize) -> Result<Matrix<'a>, Error> {
        let Info { dims, format, order, .. } = self.info;
        let matrix = Matrix::new(self.bytes, format, order, rows, len);
        matrix.filter(|_| dims == [len, rows, 1, 1]).ok_or_else(|| self.misshapen(rows, len))
    }

    /// The tensor as `len` numbers in F32.
    ///
    /// # Errors
    ///
    /// [`TensorFault::Shape`], [`TensorFault::NotF32`], or [`TensorFault::Misaligned`] if its
    /// bytes do not lie at a multiple of 4, as in a file whose alignment is 1 or 2.
    pub fn vector(&self, len: usize) -> Result<&'a [f32], Error> {
        if self.info.dims != [len, 1, 1, 1] {
            return Err(self.misshapen(1, len));
        }
        if self.info.format != Format::F32 {
            return Err(Error::tensor(self.name(), TensorFault::NotF32(self.info.format)));
        }
        bytemuck::try_cast_slice(self.bytes)
            .map_err(|_| Error::tensor(self.name(), TensorFault::Misaligned))
    }

    fn misshapen(&self, rows: usize, len: usize) -> Error {
        let short = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (found, must) = (self.info.dims.map(short), [rows, len].map(short));
        Error::tensor(self.name(), TensorFault::Shape { found, must })
    }
}
