//! RSA signatures over SHA-1, for the families of engines that still made them.
//!
//! aws-lc-rs verifies such signatures and rightly does not make them. So the one exponentiation is here:
//! Montgomery, 2048 bits, some milliseconds, **not** in constant time. Fit for a key that lives as long as a test.

const LIMBS: usize = 32;
type Number = [u64; LIMBS];

/// A modulus and private exponent of 2048 bits.
pub(crate) struct Exponentiation {
    modulus: Number,
    exponent: Number,
    /// `-1 / modulus` modulo 2^64.
    inverse: u64,
    /// 2^4096 modulo the modulus: what brings a number into Montgomery form.
    square: Number,
    /// 2^2048 modulo the modulus: one, in that form.
    one: Number,
}

impl Exponentiation {
    /// From big-endian numbers; `None` when the modulus is not of 2048 bits.
    pub(crate) fn new(modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let modulus = number(modulus)?;
        let exponent = number(exponent)?;
        let (lowest, highest) = (*modulus.first()?, *modulus.last()?);
        if highest >> 63 == 0 || lowest & 1 == 0 {
            return None;
        }
        // Newton: each step doubles the bits that are right, of which the start has three.
        let mut inverse = lowest;
        for _ in 0..6 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(lowest.wrapping_mul(inverse)));
        }
        // 2^2048 - modulus is below the modulus, its highest bit being set.
        let one = subtract(&[0; LIMBS], &modulus);
        let mut square = one;
        for _ in 0..LIMBS * 64 {
            square = double(&square, &modulus);
        }
        Some(Self {
            modulus,
            exponent,
            inverse: inverse.wrapping_neg(),
            square,
            one,
        })
    }

    /// RSASSA-PKCS1-v1_5 with SHA-1 (RFC 8017, 8.2.1) of a digest.
    pub(crate) fn sign_sha1(&self, digest: &[u8]) -> Vec<u8> {
        /// `DigestInfo` up to the digest.
        const PREFIX: [u8; 15] = [
            0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04,
            0x14,
        ];
        let mut padded = vec![0x00, 0x01];
        padded.resize(LIMBS * 8 - 1 - PREFIX.len() - digest.len(), 0xff);
        padded.push(0x00);
        padded.extend_from_slice(&PREFIX);
        padded.extend_from_slice(digest);
        let base = number(&padded).unwrap_or([0; LIMBS]);
        let power = self.power(&base);
        power.iter().rev().flat_map(|l| l.to_be_bytes()).collect()
    }

    fn power(&self, base: &Number) -> Number {
        let base = self.multiply(base, &self.square);
        let mut power = self.one;
        for limb in self.exponent.iter().rev() {
            for bit in (0..64).rev() {
                power = self.multiply(&power, &power);
                if limb >> bit & 1 == 1 {
                    power = self.multiply(&power, &base);
                }
            }
        }
        let mut unit = [0; LIMBS];
        if let Some(first) = unit.first_mut() {
            *first = 1;
        }
        self.multiply(&power, &unit)
    }

    /// `a * b / 2^2048` modulo the modulus.
    #[expect(
        clippy::indexing_slicing,
        reason = "every index is below LIMBS + 2, the length"
    )]
    fn multiply(&self, a: &Number, b: &Number) -> Number {
        let mut t = [0u64; LIMBS + 2];
        for &ai in a {
            let mut carry = 0u128;
            for j in 0..LIMBS {
                let x = u128::from(t[j]) + u128::from(ai) * u128::from(b[j]) + carry;
                t[j] = x as u64;
                carry = x >> 64;
            }
            let x = u128::from(t[LIMBS]) + carry;
            t[LIMBS] = x as u64;
            t[LIMBS + 1] = (x >> 64) as u64;
            let m = t[0].wrapping_mul(self.inverse);
            let mut carry = (u128::from(t[0]) + u128::from(m) * u128::from(self.modulus[0])) >> 64;
            for j in 1..LIMBS {
                let x = u128::from(t[j]) + u128::from(m) * u128::from(self.modulus[j]) + carry;
                t[j - 1] = x as u64;
                carry = x >> 64;
            }
            let x = u128::from(t[LIMBS]) + carry;
            t[LIMBS - 1] = x as u64;
            t[LIMBS] = t[LIMBS + 1] + (x >> 64) as u64;
        }
        let mut low = [0; LIMBS];
        low.copy_from_slice(&t[..LIMBS]);
        if t[LIMBS] != 0 || !is_below(&low, &self.modulus) {
            low = subtract(&low, &self.modulus);
        }
        low
    }
}

/// A big-endian number of at most 256 octets.
fn number(bytes: &[u8]) -> Option<Number> {
    let mut number = [0; LIMBS];
    let mut octets = bytes.iter().rev();
    for limb in &mut number {
        for shift in 0..8 {
            *limb |= u64::from(*octets.next().unwrap_or(&0)) << (8 * shift);
        }
    }
    octets.all(|octet| *octet == 0).then_some(number)
}

fn is_below(a: &Number, b: &Number) -> bool {
    a.iter().rev().lt(b.iter().rev())
}

/// `a - b` modulo 2^2048.
fn subtract(a: &Number, b: &Number) -> Number {
    let mut difference = *a;
    let mut borrow = false;
    for (d, b) in difference.iter_mut().zip(b) {
        let (x, first) = d.overflowing_sub(*b);
        let (x, second) = x.overflowing_sub(u64::from(borrow));
        *d = x;
        borrow = first || second;
    }
    difference
}

fn double(a: &Number, modulus: &Number) -> Number {
    let mut doubled = *a;
    let mut carry = 0;
    for limb in &mut doubled {
        let next = *limb >> 63;
        *limb = *limb << 1 | carry;
        carry = next;
    }
    if carry == 1 || !is_below(&doubled, modulus) {
        doubled = subtract(&doubled, modulus);
    }
    doubled
}
