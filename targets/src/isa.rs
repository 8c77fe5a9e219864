//! The macros that compile the float operations for an instruction set and build its table.
//!
//! An instruction set's features are named once, in its `isa!` line: the compiler proves that
//! every kernel in the table needs no others.

/// Hands the list of float operations to `$with!`. An operation is listed here once, and what must
/// hold of its arguments after `where`.
macro_rules! floats {
    ($with:ident!($($extra:tt)*)) => {
        $with! { ($($extra)*)
            /// Multiplies up to eight rows of a float format with the columns of `x`: one element
            /// of `y` a column, eight rows each.
            scalar::float_rows =>
                float_rows(w: &[u8], format: dram_quant::Format, x: &[f32], y: &mut [[f32; 8]])
                where crate::columns::are_float_rows(w, format, x, y.len());
            /// Quantises one column in blocks of `block` numbers that share a scale, of which the
            /// last may be shorter; column and blocks are whole units of 32.
            float::quantize => quantize(x: &[f32], block: usize, y: dram_quant::Q8Mut<'_>)
                where block > 0 && block.is_multiple_of(32) && x.len().is_multiple_of(32)
                    && y.q.len() == x.len()
                    && [y.d.len(), y.ds.len(), y.sums.len()] == [x.len() / 32; 3];
            /// Root-mean-square norm of one column: `y = x / sqrt(mean(x²) + eps) * w`.
            float::rms_norm => rms_norm(x: &[f32], w: &[f32], eps: f32, y: &mut [f32])
                where [x.len(), w.len()] == [y.len(); 2];
            /// `y += x`; no `x` is zeros.
            float::add => add(x: &[f32], y: &mut [f32]) where x.is_empty() || x.len() == y.len();
            /// `y = silu(gate) * up`.
            float::swiglu => swiglu(gate: &[f32], up: &[f32], y: &mut [f32])
                where [gate.len(), up.len()] == [y.len(); 2];
            /// Rotary position embedding of one head: rotates pairs of elements, `(i, i + pairs)`
            /// or, if `adjacent`, `(2i, 2i + 1)`, by one angle each. Elements past them stay.
            float::rope => rope(cos: &[f32], sin: &[f32], adjacent: bool, x: &mut [f32])
                where sin.len() == cos.len() && x.len() >= 2 * cos.len();
            /// Scores of queries `(n, head)` against a page of half-float keys `(head, 32)`: 32
            /// for each query, whose first lie `stride` apart.
            attention::scores_f16 =>
                scores_f16(q: &[f32], k: &[u16], scale: f32, stride: usize, s: &mut [f32])
                where crate::attention::is_page(k.len(), 1)
                    && crate::attention::are_queries(q, k.len(), s, stride, crate::PAGE);
            /// Scores of queries against a page of 8-bit keys with scales `(head / 32, 32)`.
            attention::scores_q8 =>
                scores_q8(q: &[f32], k: &[i8], d: &[u16], scale: f32, stride: usize, s: &mut [f32])
                where crate::attention::is_page(k.len(), 32) && d.len() == k.len() / 32
                    && crate::attention::are_queries(q, k.len(), s, stride, crate::PAGE);
            /// The numerators of softmax, `e^(s − max)`; returns the maximum and their sum.
            attention::softmax_weights => softmax_weights(s: &mut [f32]) -> (f32, f32) where true;
            /// Adds to `y`, `(n, head)`, half-float values `(32, head)`, of which the first
            /// `positions`, each times its weight in `p`, where those of a query begin `stride` apart.
            attention::weighted_sum_f16 =>
                weighted_sum_f16(p: &[f32], stride: usize, v: &[u16], positions: usize, y: &mut [f32])
                where crate::attention::is_page(v.len(), 8)
                    && crate::attention::are_queries(y, v.len(), p, stride, positions);
            /// The same of 8-bit values with scales `(32, head / 32)`.
            attention::weighted_sum_q8 =>
                weighted_sum_q8(
                    p: &[f32], stride: usize, v: &[i8], d: &[u16], positions: usize, y: &mut [f32]
                )
                where crate::attention::is_page(v.len(), 32) && d.len() == v.len() / 32
                    && crate::attention::are_queries(y, v.len(), p, stride, positions);
            /// `y = y * a + x * b`: joins two partial results of online softmax.
            attention::rescale_add => rescale_add(x: &[f32], a: f32, b: f32, y: &mut [f32])
                where x.len() == y.len();
        }
    };
}

/// Compiles a function with `$feature`s.
macro_rules! with_features {
    ([$($feature:tt),*] $($function:tt)*) => {
        $(#[target_feature(enable = $feature)])*
        $($function)*
    };
}

/// Compiles the float operations with `$features` and makes the [`Floats`](crate::kernels::Floats)
/// of them, `$cpu` telling how half floats are read.
macro_rules! compile_floats {
    (($features:tt $cpu:expr)
     $($(#[$doc:meta])* $module:ident::$op:ident => $name:ident($($arg:ident: $type:ty),*) $(-> $out:ty)? where $holds:expr;)*
    ) => {{
        $(
            with_features! { $features
                fn $name($($arg: $type),*) $(-> $out)? {
                    $crate::$module::$op($cpu, $($arg),*)
                }
            }
        )*
        $crate::kernels::Floats { $($name),* }
    }};
}

/// `isa!(module, is_…_feature_detected, ["feature", …], floats, tiles_pay, [FORMAT: product, …,
/// _: product])`: the table of one instruction set, or `None` where this CPU lacks a feature.
///
/// A format's kernel is a [`Product`](crate::kernels::Product); the last is for formats not named.
macro_rules! isa {
    (
        $name:ident, $detect:ident, $features:tt, $floats:expr, $tiles_pay:literal,
        [$($format:ident: $product:path,)* _: $any:path $(,)?]
    ) => {{
        static TABLE: $crate::kernels::Kernels = {
            let mut table = $crate::kernels::SCALAR;
            table.name = stringify!($name);
            table.tiles_pay = $tiles_pay;
            table.floats = $floats;
            table.any = isa!(@compile $features, $any);
            table.products = [table.any; dram_quant::Format::COUNT];
            $(
                table.products[dram_quant::Format::$format as usize] =
                    isa!(@compile $features, $product);
            )*
            table
        };
        isa!(@detect $detect, $features).then_some(&TABLE)
    }};
    (@compile $features:tt, $product:path) => {{
        with_features! { $features
            fn product(
                w: &$crate::kernels::Groups<'_>,
                x: &dram_quant::Q8<'_>,
                scratch: &mut $crate::scratch::Scratch<'_>,
                y: &mut [[f32; dram_quant::EIGHT]],
            ) {
                // SAFETY: who calls this function knows that the CPU has its features, and the line
                // of the table names them beside the type that needs them.
                unsafe { $product(w, x, scratch, y) }
            }
        }
        product
    }};
    (@detect $detect:ident, [$($feature:tt),*]) => {{
        #[cfg(feature = "std")]
        let detected = true $(&& std::arch::$detect!($feature))*;
        #[cfg(not(feature = "std"))]
        let detected = true $(&& cfg!(target_feature = $feature))*;
        detected
    }};
}
