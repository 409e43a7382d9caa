//! Groups, their names and their flags.

use std::fmt::Write as _;

use super::{Checked, Level, Translator};

const MAX_GROUPS: usize = 200;

impl Translator<'_> {
    fn push_level(&mut self) -> Checked<()> {
        if self.levels.len() >= MAX_GROUPS {
            return Err(format!("expression nests too deeply: `{}`", self.pattern));
        }
        let lazy = self.level.lazy;
        let inner = Level { lazy, lazy_written: lazy, ..Level::default() };
        self.levels.push(std::mem::replace(&mut self.level, inner));
        Ok(())
    }

    /// Reads what opens a group, or flags.
    pub(super) fn open(&mut self) -> Checked<()> {
        let rest = self.rest();
        if rest.starts_with("(?P<") || rest.starts_with("(?<") {
            return self.named_group();
        }
        if rest.starts_with("(?") {
            return self.flags();
        }
        self.names.push(String::new());
        self.out.push('(');
        self.at += 1;
        self.push_level()
    }

    fn named_group(&mut self) -> Checked<()> {
        let rest = self.rest();
        let name_at = rest.find('<').map_or(0, |at| at + 1);
        let Some(end) = rest.find('>') else {
            return Err(format!("invalid named capture: `{rest}`"));
        };
        let name = rest.get(name_at..end).unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(format!(
                "invalid named capture: `{}`",
                rest.get(..=end).unwrap_or_default()
            ));
        }
        self.names.push(name.to_owned());
        self.out.push('(');
        self.at += end + 1;
        self.push_level()
    }

    /// `(?i)`, `(?i-s:`, `(?:`
    fn flags(&mut self) -> Checked<()> {
        let rest = self.rest();
        let (mut on, mut off) = (String::new(), String::new());
        let (mut negative, mut seen) = (false, false);
        for (at, rune) in rest.char_indices().skip(2) {
            match rune {
                'i' | 'm' | 's' | 'U' => {
                    let flags = if negative { &mut off } else { &mut on };
                    if !flags.contains(rune) {
                        flags.push(rune);
                    }
                    seen = true;
                }
                '-' if !negative => (negative, seen) = (true, false),
                ':' | ')' if !negative || seen => {
                    on.retain(|flag| !off.contains(flag));
                    self.at += at + 1;
                    return self.write_flags(&on, &off, rune == ':');
                }
                _ => return Err(perl_syntax(rest.get(..at + rune.len_utf8()))),
            }
        }
        Err(perl_syntax(Some(rest)))
    }

    fn write_flags(&mut self, on: &str, off: &str, group: bool) -> Checked<()> {
        let minus = if off.is_empty() { "" } else { "-" };
        if group {
            let _ = write!(self.out, "(?{on}{minus}{off}:");
            self.push_level()?;
            self.level.lazy = (self.level.lazy || on.contains('U')) && !off.contains('U');
            self.level.lazy_written = self.level.lazy;
            return Ok(());
        }
        self.level.lazy = (self.level.lazy || on.contains('U')) && !off.contains('U');
        if !on.is_empty() || !off.is_empty() {
            let _ = write!(self.flags, "(?{on}{minus}{off})");
        }
        Ok(())
    }

    /// Reads what closes a group.
    pub(super) fn close(&mut self) -> Checked<()> {
        let Some(outer) = self.levels.pop() else {
            return Err(format!("unexpected ): `{}`", self.pattern));
        };
        let inner = std::mem::replace(&mut self.level, outer);
        self.out.push(')');
        self.at += 1;
        let weight = inner.weight.max(1);
        self.level.weight = self.level.weight.max(weight);
        self.level.last = Some(weight);
        Ok(())
    }
}

fn perl_syntax(seen: Option<&str>) -> String {
    format!("invalid or unsupported Perl syntax: `{}`", seen.unwrap_or_default())
}
