//! Go's `unicode` package: general categories, and case mappings of one rune to one rune.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

type Ranges = Vec<(char, char)>;

macro_rules! category {
    ($(#[$doc:meta])* $name:ident, $table:ident, $class:literal) => {
        static $table: LazyLock<Ranges> = LazyLock::new(|| ranges($class));
        $(#[$doc])*
        pub(crate) fn $name(rune: char) -> bool {
            contains(&$table, rune)
        }
    };
}

category!(
    /// Category L.
    is_letter, LETTER, r"\p{L}"
);
category!(
    /// Category Lu.
    is_upper, UPPER, r"\p{Lu}"
);
category!(
    /// Category Ll.
    is_lower, LOWER, r"\p{Ll}"
);
category!(
    /// Category Lt.
    is_title, TITLE, r"\p{Lt}"
);
category!(
    /// Category Nd.
    is_digit, DIGIT, r"\p{Nd}"
);
category!(
    /// Category N.
    is_number, NUMBER, r"\p{N}"
);
category!(
    /// Category P.
    is_punct, PUNCT, r"\p{P}"
);
category!(
    /// Letters, marks, numbers, punctuation, symbols and the ASCII space.
    is_print, PRINT, r"[\p{L}\p{M}\p{N}\p{P}\p{S}\x20]"
);

/// Go's white space, which is Unicode's.
pub(crate) fn is_space(rune: char) -> bool {
    rune.is_whitespace()
}

fn ranges(class: &str) -> Ranges {
    let parsed = regex_syntax::parse(class).map(regex_syntax::hir::Hir::into_kind);
    match parsed {
        Ok(HirKind::Class(Class::Unicode(set))) => {
            set.iter().map(|r| (r.start(), r.end())).collect()
        }
        _ => Vec::new(),
    }
}

fn contains(table: &[(char, char)], rune: char) -> bool {
    let at = table.partition_point(|&(_, end)| end < rune);
    table.get(at).is_some_and(|&(start, _)| start <= rune)
}

/// The simple upper case mapping: never more than one rune.
pub(crate) fn to_upper(rune: char) -> char {
    let mut mapped = rune.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => simple_upper_of_many(rune),
    }
}

/// Runes whose full upper case has several runes, but that have a simple mapping of one.
fn simple_upper_of_many(rune: char) -> char {
    let shift = match rune {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        _ => 0,
    };
    char::from_u32(u32::from(rune) + shift).unwrap_or(rune)
}

/// The simple lower case mapping.
pub(crate) fn to_lower(rune: char) -> char {
    if rune == '\u{130}' {
        return 'i';
    }
    rune.to_lowercase().next().unwrap_or(rune)
}

/// The simple title case mapping, which differs from upper case for digraphs and Georgian.
pub(crate) fn to_title(rune: char) -> char {
    match rune {
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => rune,
        _ => to_upper(rune),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_mappings_stay_one_rune() {
        assert_eq!(to_upper('ß'), 'ß');
        assert_eq!(to_upper('\u{1f80}'), '\u{1f88}');
        assert_eq!(to_title('\u{1c6}'), '\u{1c5}');
        assert!(is_upper('É') && !is_upper('Ⓐ') && is_title('\u{1c5}'));
        assert!(is_print('日') && !is_print('\u{200b}') && is_print(' ') && !is_print('\u{a0}'));
    }
}
