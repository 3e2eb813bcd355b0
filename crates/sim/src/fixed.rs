//! Logarithm and power in integers, so that drawn durations are the same on every machine.
//!
//! The platform's `ln` and `exp` may differ in the last bit between C libraries; these may not. Numbers are fixed point
//! with 32 fractional bits ("q32").

/// One, in q32.
pub(crate) const ONE: i64 = 1 << 32;

/// The natural logarithm of two, in q32.
pub(crate) const LN_2: i64 = 2_977_044_472;

/// `log2(numerator / denominator)` in q32; zero where either is zero.
pub(crate) fn log2_ratio(numerator: u64, denominator: u64) -> i64 {
    log2(numerator) - log2(denominator)
}

/// `log2(x)` in q32 for a whole number; zero for zero.
pub(crate) fn log2(x: u64) -> i64 {
    let Some(whole) = x.checked_ilog2() else { return 0 };
    // The mantissa in [1, 2) with 62 fractional bits, squared again and again: each carry is one more bit.
    let mut mantissa = u128::from(x) << (62 - whole.min(62)) >> whole.saturating_sub(62);
    let mut result = i64::from(whole) << 32;
    for bit in (0..32).rev() {
        mantissa = (mantissa * mantissa) >> 62;
        if mantissa >> 63 != 0 {
            mantissa >>= 1;
            result += 1 << bit;
        }
    }
    result
}

/// `x * 2^exponent`, the exponent in q32; saturates.
pub(crate) fn mul_exp2(x: u64, exponent: i64) -> u64 {
    let whole = exponent >> 32;
    let fraction = exponent & (ONE - 1);
    let mut result = u128::from(x) << 32;
    // 2^fraction is the product of 2^(1/2), 2^(1/4), ... for the bits that are set; each root is the last one's root.
    let mut root: u128 = 2 << 62;
    for bit in (0..32).rev() {
        root = (root << 62).isqrt();
        if fraction >> bit & 1 == 1 {
            result = (result >> 2).saturating_mul(root >> 16) >> 44;
        }
    }
    let shifted = match u32::try_from(whole.unsigned_abs()) {
        Ok(by) if 0 <= whole => {
            if by < result.leading_zeros() {
                result << by
            } else {
                u128::MAX
            }
        }
        Ok(by) => result.checked_shr(by).unwrap_or(0),
        Err(_) if 0 <= whole => u128::MAX,
        Err(_) => 0,
    };
    u64::try_from(shifted >> 32).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_powers_of_two_are_exact() {
        assert_eq!(log2(1), 0);
        assert_eq!(log2(1 << 40), 40 * ONE);
        assert_eq!(log2(1 << 63), 63 * ONE);
        assert_eq!(mul_exp2(3, 4 * ONE), 48);
        assert_eq!(mul_exp2(48, -4 * ONE), 3);
    }

    #[test]
    fn a_power_undoes_a_logarithm() {
        for x in [3_u64, 10, 1000, 123_456_789, 3_600_000] {
            let back = mul_exp2(1_000_000, log2_ratio(x, 1000));
            let wanted = x * 1000;
            assert!(back.abs_diff(wanted) <= wanted / 1_000_000 + 1, "{x}: {back} for {wanted}");
        }
    }

    #[test]
    fn roots_are_between_their_neighbours() {
        let root_of_two = mul_exp2(1_000_000, ONE / 2);

        assert!((1_414_212..=1_414_214).contains(&root_of_two), "{root_of_two}");
    }

    #[test]
    fn what_is_too_large_saturates() {
        assert_eq!(mul_exp2(1, 100 * ONE), u64::MAX);
        assert_eq!(mul_exp2(1, -100 * ONE), 0);
    }
}
