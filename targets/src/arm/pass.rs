//! One pass over eight rows, compiled with the features of each instruction set.

/// A caller of its own: unit `J` of a run of `R`.
pub(crate) struct Lane<const J: i32, const R: usize>;

/// `pass::<S, N>(w, x, first, y)`: multiplies `w` with columns `first..first + N`, blocks in order.
///
/// The instruction set, the type `$isa`, has in scope
///
/// * `products::<S, N, R, HALF, Caller>(totals, q, x, i)`: adds the products of half `HALF` of unit
///   `i` of each column, or of both if that is 2;
/// * `reduced::<S, N>(totals)`: totals with rows as lanes;
/// * `spread(rows)`: whether a row's total is spread over the lanes of a register of its own, by
///   [`Source::ROWS`].
///
/// `$units::<S, N>(block, w, x)` adds the units of a block of eight: `each`, one after the other, or
/// a function of the instruction set.
///
/// [`Source::ROWS`]: crate::arm::source::Source::ROWS
macro_rules! pass {
    ($isa:ty, $features:tt, $units:ident) => {
        with_features! { $features
            #[inline]
            fn pass<S: Source, const N: usize>(
                w: &S,
                x: &Q8<'_>,
                first: usize,
                y: &mut [[f32; EIGHT]],
            ) {
                let (mut w, blocks) = w.limit(x.len / UNIT / S::Kind::UNITS);
                let mut acc = [[vdupq_n_f32(0.0); 2]; N];
                if S::Kind::UNITS > 1 {
                    let x = Column::<8>::of::<N>(x, first, 0, blocks);
                    for b in 0..blocks {
                        eight::<S, N>(&mut acc, &mut w, b, &Column::runs(&x, b));
                    }
                    return store(y, acc);
                }
                let mut sums = Products::new();
                let fours = Column::<4>::of::<N>(x, first, 0, blocks / 4);
                for b in 0..blocks / 4 {
                    let x = Column::runs(&fours, b);
                    let lanes = lanes::<S::Kind, N, 4>(&x);
                    one::<S, N, 4, 0>(&mut acc, &mut sums, &mut w, b, &x, &lanes);
                    one::<S, N, 4, 1>(&mut acc, &mut sums, &mut w, b, &x, &lanes);
                    one::<S, N, 4, 2>(&mut acc, &mut sums, &mut w, b, &x, &lanes);
                    one::<S, N, 4, 3>(&mut acc, &mut sums, &mut w, b, &x, &lanes);
                }
                if blocks % 4 == 0 {
                    return store(y, acc);
                }
                let rest = Column::<1>::of::<N>(x, first, blocks / 4 * 4, blocks % 4);
                for b in 0..blocks % 4 {
                    let x = Column::runs(&rest, b);
                    let lanes = lanes::<S::Kind, N, 1>(&x);
                    let b = blocks / 4 * 4 + b;
                    one::<S, N, 1, 0>(&mut acc, &mut sums, &mut w, b, &x, &lanes);
                }
                store(y, acc);
            }
        }

        with_features! { $features
            /// Adds block `R * run + J` of one unit: unit `J` of `x`, lane `J` of `lanes`.
            #[inline]
            fn one<S: Source, const N: usize, const R: usize, const J: i32>(
                acc: &mut Outputs<N>,
                sums: &mut Products<N>,
                w: &mut S,
                run: usize,
                x: &[Run<'_, R>; N],
                lanes: &[Lanes; N],
            ) {
                let j = J as usize;
                // SAFETY: the CPU has the features because this function has them; `pass` asks for
                // blocks below the limit.
                let block = unsafe { w.block::<($isa, [(); N], Lane<J, R>)>(run * R + j) };
                // SAFETY: the CPU has the features because this function has them.
                let scales = unsafe { S::scales(&block) };
                S::ahead(&block, 0);
                // SAFETY: as above.
                let unit = unsafe { S::unit::<($isa, [(); N], Lane<J, R>), 0, 1>(&block) };
                sums.begin::<J>(spread(S::ROWS), lanes);
                products::<S, N, R, 2, Lane<J, R>>(&mut sums.totals, &unit.q, x, j);
                let sums = sums.end::<J>(spread(S::ROWS), reduced::<S, N>(&sums.totals), lanes);
                step::<S::Kind, N, J>(acc, &scales, sums, lanes);
                outputs_in_order(acc);
            }
        }

        with_features! { $features
            /// Adds block `b` of eight units.
            #[inline]
            fn eight<S: Source, const N: usize>(
                acc: &mut Outputs<N>,
                w: &mut S,
                b: usize,
                x: &[Run<'_, 8>; N],
            ) {
                // SAFETY: the CPU has the features because this function has them; `pass` asks for
                // blocks below the limit.
                let w = unsafe { w.block::<($isa, [(); N])>(b) };
                let mut block = Block::new::<S::Kind>(x);
                $units::<S, N>(&mut block, &w, x);
                // SAFETY: the CPU has the features because this function has them.
                let scales = unsafe { S::scales(&w) };
                block.step::<S::Kind>(acc, &scales, x);
            }
        }

        with_features! { $features
            /// Adds the units of a block, one after the other.
            #[inline]
            fn each<'a, S: Source + 'a, const N: usize>(
                block: &mut Block<N>,
                w: &S::Block<'a>,
                x: &[Run<'_, 8>; N],
            ) {
                unit::<S, N, 0>(block, w, x);
                unit::<S, N, 1>(block, w, x);
                unit::<S, N, 2>(block, w, x);
                unit::<S, N, 3>(block, w, x);
                unit::<S, N, 4>(block, w, x);
                unit::<S, N, 5>(block, w, x);
                unit::<S, N, 6>(block, w, x);
                unit::<S, N, 7>(block, w, x);
            }
        }

        with_features! { $features
            /// Adds unit `I` of a block.
            #[inline]
            fn unit<'a, S: Source + 'a, const N: usize, const I: usize>(
                block: &mut Block<N>,
                w: &S::Block<'a>,
                x: &[Run<'_, 8>; N],
            ) {
                S::ahead(w, I);
                // SAFETY: the CPU has the features because this function has them.
                let unit = unsafe { S::unit::<($isa, [(); N]), I, 1>(w) };
                let spread = spread(S::ROWS);
                if S::Kind::HALVES {
                    products::<S, N, 8, 0, [(); I]>(&mut block.totals, &unit.q, x, I);
                    block.offset::<S::Kind>(spread, 2 * I);
                    block.add(reduced::<S, N>(&block.totals), unit.steps[0]);
                    products::<S, N, 8, 1, [(); I]>(&mut block.totals, &unit.q, x, I);
                    block.offset::<S::Kind>(spread, 2 * I + 1);
                    block.add(reduced::<S, N>(&block.totals), unit.steps[1]);
                } else {
                    products::<S, N, 8, 2, [(); I]>(&mut block.totals, &unit.q, x, I);
                    block.add(reduced::<S, N>(&block.totals), unit.steps[0]);
                }
                block.minima::<S::Kind>(&unit, I);
                block.in_order();
            }
        }
    };
}
