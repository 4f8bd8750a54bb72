//! CRC-32 as ZIP wants it (polynomial 0xEDB88320, reflected). It finds accidents; digests find intent.

/// `TABLES[n][b]`: what the octet `b` leaves after `n` octets more; eight octets are then taken at a time.
static TABLES: [[u32; 256]; 8] = tables();

const fn one(octet: u32) -> u32 {
    let (mut value, mut bit) = (octet, 0);
    while bit < 8 {
        value = match value & 1 {
            1 => 0xEDB8_8320 ^ (value >> 1),
            _ => value >> 1,
        };
        bit += 1;
    }
    value
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which checks it"
)]
const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut octet = 0;
    while octet < 256 {
        let (mut value, mut after) = (one(octet as u32), 0);
        while after < 8 {
            tables[after][octet] = value;
            value = one(value & 0xff) ^ (value >> 8);
            after += 1;
        }
        octet += 1;
    }
    tables
}

/// A running checksum.
#[derive(Clone, Copy)]
pub(super) struct Crc32(u32);

impl Crc32 {
    pub(super) const fn new() -> Self {
        Self(u32::MAX)
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        let [t0, t1, t2, t3, t4, t5, t6, t7] = &TABLES;
        // An octet is below 256.
        let at = |table: &[u32; 256], octet: u8| {
            let found = table.get(usize::from(octet));
            found.copied().unwrap_or_default()
        };
        let (eights, rest) = bytes.as_chunks::<8>();
        for eight in eights {
            let [b0, b1, b2, b3, b4, b5, b6, b7] = *eight;
            let [c0, c1, c2, c3] = self.0.to_le_bytes();
            self.0 = at(t7, b0 ^ c0)
                ^ at(t6, b1 ^ c1)
                ^ at(t5, b2 ^ c2)
                ^ at(t4, b3 ^ c3)
                ^ at(t3, b4)
                ^ at(t2, b5)
                ^ at(t1, b6)
                ^ at(t0, b7);
        }
        for byte in rest {
            let [low, ..] = self.0.to_le_bytes();
            self.0 = at(t0, low ^ byte) ^ (self.0 >> 8);
        }
    }

    pub(super) const fn finish(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue() {
        let mut crc = Crc32::new();
        crc.update(b"1234");
        crc.update(b"56789");
        assert_eq!(crc.finish(), 0xCBF4_3926);
    }

    #[test]
    fn eight_octets_at_a_time_are_as_one_after_the_other() {
        let bytes: Vec<u8> = (0..1000u32).map(|n| (n * n % 251) as u8).collect();
        for length in [0, 1, 7, 8, 9, 63, 64, 65, 1000] {
            let (mut whole, mut single) = (Crc32::new(), Crc32::new());
            whole.update(&bytes[..length]);
            bytes[..length].iter().for_each(|b| single.update(&[*b]));
            assert_eq!(whole.finish(), single.finish(), "{length}");
        }
    }
}
