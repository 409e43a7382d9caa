//! Decimal numbers of any precision, as far as sprig's floats need them (shopspring/decimal).

use std::cmp::Ordering;

const BASE: u64 = 1_000_000_000;
/// Digits after the point that a division keeps.
const DIVISION_PRECISION: i64 = 16;

/// `sign * limbs * 10^exponent`; limbs of nine digits, the lowest first, no leading zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    limbs: Vec<u32>,
    exponent: i64,
}

impl Decimal {
    /// The shortest decimal that gives the float; `None` for infinities and NaN.
    pub(crate) fn from_float(float: f64) -> Option<Self> {
        if !float.is_finite() {
            return None;
        }
        let text = format!("{:e}", float.abs());
        let (mantissa, exponent) = text.split_once('e')?;
        let fraction = mantissa.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        let digits: u64 = mantissa.replace('.', "").parse().ok()?;
        let exponent = exponent.parse::<i64>().ok()? - i64::try_from(fraction).ok()?;
        Some(Self {
            negative: float < 0.0,
            limbs: limbs_of(digits),
            exponent: if digits == 0 { 0 } else { exponent },
        })
    }

    /// How long the number is, for budgets.
    pub(crate) fn digits(&self) -> usize {
        self.limbs.len()
    }

    /// The nearest float.
    pub(crate) fn to_float(&self) -> f64 {
        let mut text = if self.negative { "-".to_owned() } else { String::new() };
        for (index, limb) in self.limbs.iter().rev().enumerate() {
            text += &if index == 0 { limb.to_string() } else { format!("{limb:09}") };
        }
        if self.limbs.is_empty() {
            return 0.0;
        }
        format!("{text}e{}", self.exponent).parse().unwrap_or(0.0)
    }

    pub(crate) fn add(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        let (a, b) = (self.scaled_to(exponent), other.scaled_to(exponent));
        if self.negative == other.negative {
            return Self { negative: self.negative, limbs: add(&a, &b), exponent };
        }
        match compare(&a, &b) {
            Ordering::Less => Self { negative: other.negative, limbs: subtract(&b, &a), exponent },
            _ => Self { negative: self.negative, limbs: subtract(&a, &b), exponent },
        }
    }

    pub(crate) fn sub(&self, other: &Self) -> Self {
        self.add(&Self { negative: !other.negative, ..other.clone() })
    }

    pub(crate) fn mul(&self, other: &Self) -> Self {
        Self {
            negative: self.negative != other.negative,
            limbs: multiply(&self.limbs, &other.limbs),
            exponent: self.exponent + other.exponent,
        }
    }

    /// The quotient, rounded half away from zero to 16 digits after the point.
    pub(crate) fn div(&self, other: &Self) -> Option<Self> {
        if other.limbs.is_empty() {
            return None;
        }
        let shift = self.exponent - other.exponent + DIVISION_PRECISION;
        let (mut dividend, mut divisor) = (self.limbs.clone(), other.limbs.clone());
        if shift >= 0 {
            dividend = shifted(&dividend, shift);
        } else {
            divisor = shifted(&divisor, -shift);
        }
        let (mut quotient, rest) = divide(&dividend, &divisor);
        if compare(&add(&rest, &rest), &divisor) != Ordering::Less {
            quotient = add(&quotient, &[1]);
        }
        Some(Self {
            negative: self.negative != other.negative,
            limbs: quotient,
            exponent: -DIVISION_PRECISION,
        })
    }

    fn scaled_to(&self, exponent: i64) -> Vec<u32> {
        shifted(&self.limbs, self.exponent - exponent)
    }
}

fn limbs_of(mut value: u64) -> Vec<u32> {
    let mut limbs = Vec::new();
    while value > 0 {
        limbs.push((value % BASE) as u32);
        value /= BASE;
    }
    limbs
}

fn trimmed(mut limbs: Vec<u32>) -> Vec<u32> {
    while limbs.last() == Some(&0) {
        limbs.pop();
    }
    limbs
}

/// `limbs * 10^digits`
fn shifted(limbs: &[u32], digits: i64) -> Vec<u32> {
    if limbs.is_empty() || digits <= 0 {
        return limbs.to_vec();
    }
    let digits = digits as u64;
    let mut out = vec![0; (digits / 9) as usize];
    out.extend(multiply_small(limbs, 10_u64.pow((digits % 9) as u32)));
    out
}

fn multiply_small(limbs: &[u32], factor: u64) -> Vec<u32> {
    let mut out = Vec::with_capacity(limbs.len() + 1);
    let mut carry = 0;
    for &limb in limbs {
        let value = u64::from(limb) * factor + carry;
        out.push((value % BASE) as u32);
        carry = value / BASE;
    }
    out.push(carry as u32);
    trimmed(out)
}

fn compare(a: &[u32], b: &[u32]) -> Ordering {
    a.len().cmp(&b.len()).then_with(|| a.iter().rev().cmp(b.iter().rev()))
}

fn add(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut out = Vec::with_capacity(a.len().max(b.len()) + 1);
    let mut carry = 0;
    for index in 0..a.len().max(b.len()) {
        let digit = |limbs: &[u32]| u64::from(limbs.get(index).copied().unwrap_or(0));
        let sum = digit(a) + digit(b) + carry;
        out.push((sum % BASE) as u32);
        carry = sum / BASE;
    }
    out.push(carry as u32);
    trimmed(out)
}

/// `a - b`, where `a` is not the smaller.
fn subtract(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut out = Vec::with_capacity(a.len());
    let mut borrow = 0;
    for (index, &limb) in a.iter().enumerate() {
        let take = u64::from(b.get(index).copied().unwrap_or(0)) + borrow;
        let have = u64::from(limb);
        borrow = u64::from(have < take);
        out.push((have + borrow * BASE - take) as u32);
    }
    trimmed(out)
}

fn multiply(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut out = Vec::new();
    for (index, &limb) in b.iter().enumerate() {
        let mut part = vec![0; index];
        part.extend(multiply_small(a, u64::from(limb)));
        out = add(&out, &part);
    }
    out
}

/// Quotient and rest, one limb of the quotient at a time.
fn divide(dividend: &[u32], divisor: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let mut quotient = vec![0; dividend.len()];
    let mut rest: Vec<u32> = Vec::new();
    for (slot, &limb) in quotient.iter_mut().zip(dividend).rev() {
        rest.insert(0, limb);
        rest = trimmed(rest);
        *slot = digit(&mut rest, divisor);
    }
    (trimmed(quotient), rest)
}

/// How often the divisor goes into the rest, which it is taken from.
fn digit(rest: &mut Vec<u32>, divisor: &[u32]) -> u32 {
    let (mut low, mut high) = (0, BASE - 1);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if compare(&multiply_small(divisor, middle), rest) == Ordering::Greater {
            high = middle - 1;
        } else {
            low = middle;
        }
    }
    *rest = subtract(rest, &multiply_small(divisor, low));
    low as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(float: f64) -> Decimal {
        Decimal::from_float(float).unwrap()
    }

    #[test]
    #[allow(clippy::float_cmp)]
    fn arithmetic_is_decimal() {
        assert_eq!(d(0.1).add(&d(0.2)).to_float(), 0.3);
        assert_eq!(d(0.3).sub(&d(0.1)).to_float(), 0.2);
        assert_eq!(d(1.0).sub(&d(2.5)).to_float(), -1.5);
        assert_eq!(d(1e300).mul(&d(1e-300)).to_float(), 1.0);
        assert_eq!(d(2.0).div(&d(3.0)).unwrap().to_float(), 0.666_666_666_666_666_7);
        assert_eq!(d(1e-10).div(&d(3.0)).unwrap().to_float(), 3.33333e-11);
        assert_eq!(
            d(123_456_789.123).mul(&d(987_654_321.987)).to_float(),
            1.219_326_313_559_686e17
        );
        assert!(d(1.0).div(&d(0.0)).is_none());
    }
}
