//! Classes of characters: brackets, `\d` and its kin, `\p{..}`, and escapes of single characters.

use std::fmt::Write as _;

/// What was read, or what is wrong with the expression.
pub(super) type Checked<T> = Result<T, String>;

/// A class no character is in.
pub(super) const NOTHING: &str = r"[a&&b]";

/// Scripts by name, as Go knows them.
const SCRIPTS: &str = "Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid \
Carian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform Cypriot Cyrillic Deseret Devanagari Dogra Duployan Elbasan Elymaic \
Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gurmukhi Han Hangul Hanunoo Hatran Hebrew Hiragana Inherited Javanese \
Kaithi Kannada Katakana Kawi Kharoshthi Khmer Khojki Khudawadi Lao Latin Lepcha Limbu Lisu Lycian Lydian Mahajani Makasar Malayalam \
Mandaic Manichaean Marchen Medefaidrin Miao Modi Mongolian Mro Multani Myanmar Nabataean Nandinagari Newa Nko Nushu Ogham Oriya Osage \
Osmanya Palmyrene Phoenician Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham Sinhala Sogdian Soyombo Sundanese Syriac \
Tagalog Tagbanwa Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai Vithkuqi Wancho Yezidi Yi";

/// General categories, short and long.
const CATEGORIES: &str = "C Cc Cf Cn Co Cs L Lc Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs \
Any Assigned Ascii Control Format Letter Mark Number Other Punctuation Separator Surrogate Symbol Unassigned Cntrl Digit Punct";

/// The ranges of `\d`, `\s` or `\w`.
fn perl_ranges(letter: u8) -> Option<&'static str> {
    Some(match letter.to_ascii_lowercase() {
        b'd' => "0-9",
        b's' => r"\t\n\x0c\r\x20",
        b'w' => "0-9A-Za-z_",
        _ => return None,
    })
}

/// `\d`, `\D` and their kin as a class.
pub(super) fn perl(letter: u8) -> Option<String> {
    let negation = if letter.is_ascii_uppercase() { "^" } else { "" };
    perl_ranges(letter).map(|ranges| format!("[{negation}{ranges}]"))
}

fn posix_ranges(name: &str) -> Option<&'static str> {
    Some(match name {
        "alnum" => "0-9A-Za-z",
        "alpha" => "A-Za-z",
        "ascii" => r"\x00-\x7f",
        "blank" => r"\t\x20",
        "cntrl" => r"\x00-\x1f\x7f",
        "digit" => "0-9",
        "graph" => r"\x21-\x7e",
        "lower" => "a-z",
        "print" => r"\x20-\x7e",
        "punct" => r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
        "space" => r"\t-\r\x20",
        "upper" => "A-Z",
        "word" => "0-9A-Za-z_",
        "xdigit" => "0-9A-Fa-f",
        _ => return None,
    })
}

/// `\pL`, `\p{Greek}`, `\P{^Lu}`: a class and the length of the text.
pub(super) fn unicode(text: &str) -> Checked<(String, usize)> {
    let mut negative = text.starts_with(r"\P");
    let after = text.get(2..).unwrap_or_default();
    let (name, length) = match after.chars().next() {
        None => return Err(format!("invalid character class range: `{text}`")),
        Some('{') => {
            let end = after
                .find('}')
                .ok_or_else(|| format!("invalid character class range: `{text}`"))?;
            (after.get(1..end).unwrap_or_default(), 2 + end + 1)
        }
        Some(rune) => (after.get(..rune.len_utf8()).unwrap_or_default(), 2 + rune.len_utf8()),
    };
    let bare = name.strip_prefix('^').unwrap_or(name);
    negative ^= bare.len() != name.len();
    let refused =
        || format!("invalid character class range: `{}`", text.get(..length).unwrap_or_default());
    let class = match known_name(bare).ok_or_else(refused)?.as_str() {
        "Any" => r"[\x{0}-\x{10ffff}]".to_owned(),
        "Ascii" => r"[\x00-\x7f]".to_owned(),
        "Cs" | "Surrogate" => NOTHING.to_owned(),
        known => format!(r"\p{{{known}}}"),
    };
    Ok((if negative { format!("[^{class}]") } else { class }, length))
}

/// The name of a category or script, without regard to case, spaces and hyphens.
fn known_name(name: &str) -> Option<String> {
    let letters: String = name.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).collect();
    let mut runes = letters.chars();
    let first = runes.next()?.to_ascii_uppercase();
    let canonical = format!("{first}{}", runes.as_str().to_ascii_lowercase());
    let mut names = SCRIPTS.split_ascii_whitespace().chain(CATEGORIES.split_ascii_whitespace());
    names.any(|known| known == canonical).then_some(canonical)
}

/// A class in brackets.
pub(super) struct Class<'p> {
    text: &'p str,
    at: usize,
    out: String,
}

impl<'p> Class<'p> {
    /// Reads a class: its translation and the length of the text.
    pub(super) fn parse(text: &'p str) -> Checked<(String, usize)> {
        let mut class = Self { text, at: 1, out: String::new() };
        let negative = class.rest().starts_with('^');
        class.at += usize::from(negative);
        let first = class.at;
        while class.at == first || !class.rest().starts_with(']') {
            class.item()?;
        }
        let negation = if negative { "^" } else { "" };
        let out = if class.out.is_empty() { NOTHING } else { class.out.as_str() };
        Ok((format!("[{negation}{out}]"), class.at + 1))
    }

    fn rest(&self) -> &'p str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn item(&mut self) -> Checked<()> {
        let rest = self.rest();
        if rest.starts_with("[:")
            && let Some(end) = rest.get(2..).and_then(|rest| rest.find(":]"))
        {
            return self.posix(rest.get(2..2 + end).unwrap_or_default(), end + 4);
        }
        if rest.starts_with(r"\p") || rest.starts_with(r"\P") {
            let (class, length) = unicode(rest)?;
            self.out += &class;
            self.at += length;
            return Ok(());
        }
        if let Some(class) =
            rest.strip_prefix('\\').and_then(|rest| perl(*rest.as_bytes().first()?))
        {
            self.out += &class;
            self.at += 2;
            return Ok(());
        }
        self.range()
    }

    fn posix(&mut self, name: &str, length: usize) -> Checked<()> {
        let bare = name.strip_prefix('^').unwrap_or(name);
        let ranges = posix_ranges(bare)
            .ok_or_else(|| format!("invalid character class range: `[:{name}:]`"))?;
        let negation = if bare.len() == name.len() { "" } else { "^" };
        let _ = write!(self.out, "[{negation}{ranges}]");
        self.at += length;
        Ok(())
    }

    fn range(&mut self) -> Checked<()> {
        let start = self.at;
        let low = self.character()?;
        let mut high = low;
        let rest = self.rest();
        if rest.len() >= 2 && rest.starts_with('-') && !rest.starts_with("-]") {
            self.at += 1;
            high = self.character()?;
            if high < low {
                let range = self.text.get(start..self.at).unwrap_or_default();
                return Err(format!("invalid character class range: `{range}`"));
            }
        }
        self.write(low, high);
        Ok(())
    }

    fn character(&mut self) -> Checked<u32> {
        let rest = self.rest();
        if rest.starts_with('\\') {
            let (code, length) = escape(rest)?;
            self.at += length;
            return Ok(code);
        }
        let Some(rune) = rest.chars().next() else {
            return Err(format!("missing closing ]: `{}`", self.text));
        };
        self.at += rune.len_utf8();
        Ok(u32::from(rune))
    }

    /// Writes a range, without the surrogates, which are no characters.
    fn write(&mut self, low: u32, high: u32) {
        for (low, high) in [(low, high.min(0xd7ff)), (low.max(0xe000), high)] {
            if low <= high {
                let _ = write!(self.out, "\\x{{{low:x}}}-\\x{{{high:x}}}");
            }
        }
    }
}

/// An escaped character: its code and the length of the text.
pub(super) fn escape(text: &str) -> Checked<(u32, usize)> {
    let mut runes = text.chars();
    runes.next();
    let Some(rune) = runes.next() else {
        return Err("trailing backslash at end of expression: ``".to_owned());
    };
    let refused = |length: usize| {
        Err(format!("invalid escape sequence: `{}`", text.get(..length).unwrap_or(text)))
    };
    let code = match rune {
        'a' => 7,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'v' => 11,
        'x' => return hexadecimal(text).map_or_else(|| refused(2), Ok),
        '0' => return Ok(octal(text)),
        '1'..='7' if matches!(text.as_bytes().get(2), Some(b'0'..=b'7')) => return Ok(octal(text)),
        _ if rune.is_ascii() && !rune.is_ascii_alphanumeric() => u32::from(rune),
        _ => return refused(1 + rune.len_utf8()),
    };
    Ok((code, 2))
}

fn octal(text: &str) -> (u32, usize) {
    let digits = text.bytes().skip(1).take(3).take_while(|b| matches!(b, b'0'..=b'7'));
    let (value, count) = digits
        .fold((0, 0), |(value, count), digit| (value * 8 + u32::from(digit - b'0'), count + 1));
    (value, 1 + count)
}

fn hexadecimal(text: &str) -> Option<(u32, usize)> {
    let after = text.get(2..)?;
    if let Some(inner) = after.strip_prefix('{') {
        let end = inner.find('}')?;
        let digits = inner.get(..end)?;
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let code = u32::from_str_radix(digits.trim_start_matches('0'), 16)
            .or_else(|_| u32::from_str_radix(digits, 16))
            .ok()?;
        return (code <= 0x10_ffff).then_some((code, 2 + 1 + end + 1));
    }
    let digits = after.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((u32::from_str_radix(digits, 16).ok()?, 4))
}
