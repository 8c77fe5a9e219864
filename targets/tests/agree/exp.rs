//! The exponential function.

/// The distance of `e^x` from the true value, in units in the last place of it.
fn error(x: f32) -> f64 {
    let exact = f64::from(x).exp();
    let rounded = exact as f32;
    let ulp = f64::from(rounded.next_up()) - f64::from(rounded);
    (f64::from(dram_targets::exp(x)) - exact).abs() / ulp
}

#[test]
fn errs_by_less_than_two_units_in_the_last_place() {
    let bits = (0..88_f32.to_bits()).step_by(509);
    for x in bits.map(f32::from_bits).flat_map(|x| [x, -x]).filter(|x| *x >= -87.0) {
        assert!(error(x) < 2.0, "e^{x:e} is off by {} units", error(x));
    }
}

#[test]
fn stays_at_its_bounds() {
    let at = dram_targets::exp;
    assert_eq!(at(0.0), 1.0);
    assert_eq!(at(-0.0), 1.0);
    assert_eq!([at(-87.5), at(f32::MIN), at(f32::NEG_INFINITY)], [at(-87.0); 3]);
    assert_eq!([at(88.5), at(f32::MAX), at(f32::INFINITY)], [at(88.0); 3]);
    assert!(at(f32::NAN).is_nan());
}
