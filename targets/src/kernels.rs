//! The table of kernels, and the choice of one.

use crate::Columns;
use crate::scratch::{Scratch, scratch_bytes};
use core::ops::Range;
use dram_quant::{EIGHT, Format, Matrix, Order, Q8, UNIT};

/// Up to eight rows of a matrix.
#[derive(Clone, Copy)]
pub(crate) struct Group<'a> {
    /// `rows` rows of whole blocks.
    pub bytes: &'a [u8],
    pub rows: usize,
    pub format: Format,
    pub order: Order,
}

/// Groups of eight rows of a matrix, as a kernel gets them. Lengths have been checked.
#[derive(Clone, Copy)]
pub(crate) struct Groups<'a> {
    bytes: &'a [u8],
    group_bytes: usize,
    /// Of each group: 8, or fewer where there is one group.
    rows: usize,
    pub format: Format,
    pub order: Order,
}

impl<'a> Groups<'a> {
    /// Groups `first..first + count` of a matrix; a last ragged one comes alone.
    fn of(w: &Matrix<'a>, first: usize, count: usize) -> Self {
        let (group, rows, order) = w.group(first);
        let (start, group_bytes) = (first * EIGHT * (group.len() / rows), group.len());
        let bytes = &w.bytes()[start..][..count * group_bytes];
        Self { bytes, group_bytes, rows, format: w.format(), order }
    }

    /// One group after the other.
    pub(crate) fn groups(&self) -> impl Iterator<Item = Group<'a>> {
        let Self { rows, format, order, .. } = *self;
        let groups = self.bytes.chunks_exact(self.group_bytes);
        groups.map(move |bytes| Group { bytes, rows, format, order })
    }

    /// `count` groups at a time, at last what is left.
    pub(crate) fn together(&self, count: usize) -> impl Iterator<Item = Self> {
        let all = *self;
        self.bytes.chunks(count * self.group_bytes).map(move |bytes| Self { bytes, ..all })
    }
}

/// `y[g][c][r] = Σ w[g][r] · x[c]`; elements of `y` past the rows of `w` are left in any state.
///
/// Safe to call where the CPU has the features the kernel was compiled with.
pub(crate) type Product = unsafe fn(&Groups<'_>, &Q8<'_>, &mut Scratch<'_>, &mut [[f32; EIGHT]]);

macro_rules! declare_floats {
    (() $($(#[$doc:meta])* $module:ident::$op:ident => $name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)? where $holds:expr;)*) => {
        /// The float operations of one instruction set.
        #[derive(Clone, Copy)]
        pub(crate) struct Floats {
            $(pub $name: unsafe fn($($type),*) $(-> $out)?,)*
        }

        #[allow(clippy::too_many_arguments, reason = "plain arrays and their shapes")]
        impl Kernels {
            $(
                $(#[$doc])*
                ///
                /// # Panics
                ///
                /// If the lengths are not those: unless
                #[doc = concat!("`", stringify!($holds), "`.")]
                pub fn $name(&self, $($arg: $type),*) $(-> $out)? {
                    assert!($holds, concat!(stringify!($name), ": lengths do not fit"));
                    // SAFETY: the CPU has the table's features because `all` saw them.
                    unsafe { (self.floats.$name)($($arg),*) }
                }
            )*
        }
    };
}
floats!(declare_floats!());

/// What one instruction set can do. Holding a `&Kernels` proves that this CPU can run it.
pub struct Kernels {
    pub(crate) name: &'static str,
    /// Whether tiles are multiplied faster than rows.
    pub(crate) tiles_pay: bool,
    /// Of each format, in both orders.
    pub(crate) products: [Product; Format::COUNT],
    /// Of a format that has none of its own.
    pub(crate) any: Product,
    pub(crate) floats: Floats,
}

impl core::fmt::Debug for Kernels {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name)
    }
}

impl Kernels {
    /// The name `--kernels` takes.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether weights should be turned to tiles while a file is read.
    pub fn tiles_pay(&self) -> bool {
        self.tiles_pay
    }

    /// The table as if no format had a kernel of its own, which tests compare with the others.
    #[doc(hidden)]
    #[must_use]
    pub const fn without_formats(&self) -> Self {
        Self { products: [self.any; Format::COUNT], ..*self }
    }

    /// Multiplies groups of eight rows of `w`, numbers `groups`, with every column of `x`.
    ///
    /// The outputs lie in `scratch`, `(groups, columns)`, eight rows each: `y[g][c][r] = Σ w[8 g + r]
    /// · x[c]`. In a last group that has fewer rows the others' outputs are left in any state. What
    /// was in `scratch` before does not matter. Groups do not depend on each other, so that each may
    /// be given to another thread.
    ///
    /// # Panics
    ///
    /// If the columns are not as long as the rows or there are none, `w` has not these groups, they
    /// are more than [`groups`](crate::groups) of as many columns, or `scratch` is shorter than [`scratch_bytes`].
    pub fn multiply<'s>(
        &self,
        w: &Matrix<'_>,
        groups: Range<usize>,
        x: Columns<'_>,
        scratch: &'s mut [u8],
    ) -> &'s mut [[f32; EIGHT]] {
        let is_float = w.format().is_float();
        let columns = if is_float { float_columns(w, x.x) } else { q8_columns(w, &x.q8) };
        assert!(groups.len() <= crate::groups(columns), "no more groups than go together");
        assert!(scratch.len() >= scratch_bytes(w.len(), columns), "room for a product");
        let mut scratch = Scratch::new(scratch);
        let y = scratch.take(groups.len() * columns);
        if is_float {
            for (group, y) in groups.zip(y.chunks_exact_mut(columns)) {
                self.float_rows(w.group(group).0, w.format(), x.x, y);
            }
            return y;
        }
        let product = self.products[w.format() as usize];
        let whole = (w.rows() / EIGHT).clamp(groups.start, groups.end);
        let (whole_y, ragged_y) = y.split_at_mut((whole - groups.start) * columns);
        for (groups, y) in [(groups.start..whole, whole_y), (whole..groups.end, ragged_y)] {
            if !y.is_empty() {
                let w = Groups::of(w, groups.start, groups.len());
                // SAFETY: the CPU has the table's features because `all` saw them.
                unsafe { product(&w, &x.q8, &mut scratch, y) }
            }
        }
        y
    }
}

/// Columns of floats as long as the rows of `w`.
fn float_columns(w: &Matrix<'_>, x: &[f32]) -> usize {
    let columns = x.len() / w.len();
    assert!(x.len() == columns * w.len() && columns > 0, "columns as long as rows");
    columns
}

/// Columns of quantised numbers as long as the rows of `w`.
fn q8_columns(w: &Matrix<'_>, x: &Q8<'_>) -> usize {
    let units = w.len() / UNIT;
    let columns = x.d.len() / units;
    let is_whole = x.len == w.len() && x.q.len() == columns * x.len && columns > 0;
    assert!(is_whole, "columns as long as rows");
    let all = columns * units;
    assert!(x.d.len() == all && x.ds.len() == all && x.sums.len() == all, "a scale a unit");
    columns
}

/// The truth, and the start of every other table.
pub(crate) const SCALAR: Kernels = Kernels {
    name: "scalar",
    tiles_pay: false,
    products: [crate::scalar::product; Format::COUNT],
    any: crate::scalar::product,
    floats: floats!(compile_floats!([] crate::float::Portable)),
};

/// Every table this CPU can run, fastest first, `scalar` last.
pub fn all() -> impl Iterator<Item = &'static Kernels> {
    static LAST: Kernels = SCALAR;
    crate::detected().into_iter().flatten().chain([&LAST])
}

/// The fastest table this CPU can run.
pub fn best() -> &'static Kernels {
    all().next().expect("`scalar` runs everywhere")
}

/// The table called `name`, if there is one and this CPU can run it.
pub fn named(name: &str) -> Option<&'static Kernels> {
    all().find(|table| table.name == name)
}
