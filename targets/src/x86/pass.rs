//! One pass over eight rows, compiled with the features of each instruction set.

/// `pass::<S, N>(w, x, first, y)`: multiplies `w` with columns `first..first + N`, units in order.
///
/// The instruction set, the type `$isa`, has in scope
///
/// * `products::<S, N, R, Caller>(sums, w, x, i)`: adds the products of unit `i` of each column;
/// * `offset::<K>()`: how much larger integers are than the weights;
/// * `add_pair(sums, w, x)`: adds to each lane its pair of `w` times the pair `x`.
macro_rules! pass {
    ($isa:ty, $features:tt) => {
        with_features! { $features
            #[inline]
            fn pass<S: Source, const N: usize>(
                w: &mut S,
                x: &Q8<'_>,
                first: usize,
                y: &mut [[f32; EIGHT]],
            ) {
                let (runs, rest) = (x.len / UNIT / 8, x.len / UNIT % 8);
                let offset = offset::<S::Kind>();
                let mut acc = [_mm256_setzero_ps(); N];
                let columns = Column::<8>::of::<N>(x, first, 0, runs);
                for i in 0..runs {
                    if S::Kind::BLOCK == 8 {
                        block::<S, N>(&mut acc, w, i, &Block::of::<S::Kind>(&columns, i));
                    } else {
                        let x = Run::of::<S::Kind>(&columns, i, offset);
                        run::<S, N, 8>(&mut acc, w, i * 8, &x);
                    }
                }
                let columns = Column::<1>::of::<N>(x, first, runs * 8, rest);
                for i in 0..rest {
                    let x = Run::of::<S::Kind>(&columns, i, offset);
                    run::<S, N, 1>(&mut acc, w, runs * 8 + i, &x);
                }
                for (y, acc) in y[first..].iter_mut().zip(acc) {
                    store_floats(y, acc);
                }
            }
        }

        with_features! { $features
            /// Adds `R` blocks of one unit, from `block` on.
            #[inline]
            fn run<S: Source, const N: usize, const R: usize>(
                acc: &mut [__m256; N],
                w: &mut S,
                block: usize,
                x: &Run<'_, N, R>,
            ) {
                for i in 0..R {
                    // SAFETY: the CPU has the features because this function has them.
                    let scales = unsafe { w.begin::<($isa, [(); N], [(); R])>(block + i) };
                    // SAFETY: as above.
                    let unit = unsafe { w.unit::<($isa, [(); N], [(); R])>(0) };
                    let mut sums = [_mm256_setzero_si256(); N];
                    for (sums, begin) in sums.iter_mut().zip(&x.begin) {
                        *sums = _mm256_set1_epi32(begin[i]);
                    }
                    products::<S, N, R, ()>(&mut sums, &unit, &x.q, i);
                    add_one::<S::Kind, N, R>(acc, &scales, &sums, x, i);
                }
            }
        }

        with_features! { $features
            /// Adds block `i` of eight units.
            #[inline]
            fn block<S: Source, const N: usize>(
                acc: &mut [__m256; N],
                w: &mut S,
                i: usize,
                x: &Block<'_, N>,
            ) {
                // SAFETY: the CPU has the features because this function has them.
                let scales = unsafe { w.begin::<($isa, [(); N])>(i) };
                let mut sums = [_mm256_setzero_si256(); N];
                let mut minima = sums;
                for i in (0..8).step_by(if S::Kind::SHARE == 4 { 4 } else { 2 }) {
                    // One by one, not in a loop: where units lie becomes part of instructions.
                    two::<S, N, 0>(w, x, i, &mut sums, &mut minima);
                    if S::Kind::SHARE == 4 {
                        two::<S, N, 2>(w, x, i + 2, &mut sums, &mut minima);
                    }
                }
                add_eight::<S::Kind, N>(acc, &scales, &sums, &minima, &x.d);
            }
        }

        with_features! { $features
            /// Adds units `i` and `i + 1` of a block, the `I`th of those that share bytes.
            #[inline]
            fn two<S: Source, const N: usize, const I: usize>(
                w: &S,
                x: &Block<'_, N>,
                i: usize,
                sums: &mut [__m256i; N],
                minima: &mut [__m256i; N],
            ) {
                // SAFETY: the CPU has the features because this function has them.
                let a = unsafe { w.unit::<($isa, [[(); I]; N], [(); 0])>(i) };
                products::<S, N, 8, [[(); I]; 0]>(sums, &a, &x.q, i);
                // SAFETY: as above.
                let b = unsafe { w.unit::<($isa, [[(); I]; N], [(); 1])>(i + 1) };
                products::<S, N, 8, [[(); I]; 1]>(sums, &b, &x.q, i + 1);
                if offset::<S::Kind>() != 0 {
                    let offset = _mm256_set1_epi16(-offset::<S::Kind>());
                    let s = [a.s, b.s].map(|s| _mm256_mullo_epi16(s, offset));
                    add_pairs::<S::Kind, N>(sums, s, x, i);
                }
                if S::Kind::MIN {
                    add_pairs::<S::Kind, N>(minima, [a.n, b.n], x, i);
                }
            }
        }

        with_features! { $features
            /// Adds the sums of activations in units `i` and `i + 1`, times the factors `w`.
            #[inline]
            fn add_pairs<K: Kind, const N: usize>(
                sums: &mut [__m256i; N],
                w: [__m256i; 2],
                x: &Block<'_, N>,
                i: usize,
            ) {
                for (sums, x) in sums.iter_mut().zip(&x.sums) {
                    if K::HALVES {
                        *sums = add_pair(*sums, w[0], &x[i]);
                        *sums = add_pair(*sums, w[1], &x[i + 1]);
                    } else {
                        let w = _mm256_blend_epi16::<0b1010_1010>(w[0], w[1]);
                        *sums = add_pair(*sums, w, &x[i / 2]);
                    }
                }
            }
        }
    };
}
