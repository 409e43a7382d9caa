//! What one rendering may use: steps, memory and depth, so that no template hangs or exhausts the machine.

use std::cell::Cell;

use super::value::Fail;

/// Nodes, calls and elements that one rendering may touch.
pub(crate) const MAX_STEPS: u64 = 20_000_000;
/// Bytes that all values made in one rendering may take together.
pub(crate) const MAX_BYTES: u64 = 256 << 20;
/// Bytes of output of one rendering.
pub(crate) const MAX_OUTPUT: usize = 16 << 20;
/// How deeply parentheses and control structures may nest in a template's text.
pub(crate) const MAX_NESTING: usize = 250;
/// How deeply lists and dictionaries may nest where a function descends into them.
pub(crate) const MAX_VALUE_DEPTH: usize = 400;
/// How deeply templates may call each other.
pub(crate) const MAX_TEMPLATE_DEPTH: usize = 10_000;

/// Counts what a rendering has used.
#[derive(Default)]
pub(crate) struct Budget {
    steps: Cell<u64>,
    bytes: Cell<u64>,
}

impl Budget {
    /// Takes `count` steps.
    pub(crate) fn step(&self, count: usize) -> Result<(), Fail> {
        let used = self.steps.get().saturating_add(count as u64);
        self.steps.set(used);
        if used > MAX_STEPS {
            return Err(Fail::Limit(format!("the template takes more than {MAX_STEPS} steps")));
        }
        Ok(())
    }

    /// Takes memory for `count` bytes; to be called before they are allocated.
    pub(crate) fn bytes(&self, count: usize) -> Result<(), Fail> {
        let used = self.bytes.get().saturating_add(count as u64);
        self.bytes.set(used);
        if used > MAX_BYTES {
            return Err(Fail::Limit(format!(
                "the template uses more than {} MiB of memory",
                MAX_BYTES >> 20
            )));
        }
        Ok(())
    }

    /// Takes memory for `count` elements of a list or dictionary.
    pub(crate) fn elements(&self, count: usize) -> Result<(), Fail> {
        self.step(count)?;
        self.bytes(count.saturating_mul(32))
    }
}

/// Fails where a function has descended too deeply into nested values.
pub(crate) fn check_depth(depth: usize) -> Result<(), Fail> {
    if depth > MAX_VALUE_DEPTH {
        return Err(Fail::Limit(format!(
            "a value is nested more than {MAX_VALUE_DEPTH} levels deep"
        )));
    }
    Ok(())
}
