//! Sizes as people write them.

use std::fmt;

/// A number of bytes, shown in the largest unit of which it is a whole number: `1 MiB`, `64 kB`,
/// `1000001 bytes`. Nothing is rounded, so what is shown can be given back as an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

const BINARY: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
const DECIMAL: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, unit) = [(1024, BINARY), (1000, DECIMAL)]
            .into_iter()
            .find_map(|(base, units)| whole(self.0, base, units))
            .unwrap_or((self.0, if self.0 == 1 { "byte" } else { "bytes" }));
        write!(f, "{number} {unit}")
    }
}

/// `bytes` in the largest of `units` that divides it, each `base` of the one before.
fn whole(bytes: u64, base: u64, units: [&'static str; 5]) -> Option<(u64, &'static str)> {
    let (mut number, mut unit) = (bytes, None);
    for name in units {
        if number == 0 || !number.is_multiple_of(base) {
            break;
        }
        number /= base;
        unit = Some(name);
    }
    unit.map(|unit| (number, unit))
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn whole_units_are_shown_as_such_and_nothing_is_rounded() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (512, "512 bytes"),
            (1024, "1 KiB"),
            (10_240, "10 KiB"),
            (64_000, "64 kB"),
            (1_000_000, "1 MB"),
            (1 << 20, "1 MiB"),
            ((1 << 20) + 1, "1048577 bytes"),
            (3 << 29, "1536 MiB"),
            (1 << 60, "1024 PiB"),
            (u64::MAX, "18446744073709551615 bytes"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }
}
