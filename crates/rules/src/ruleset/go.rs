//! The ruleset `go-template`: the engine of [`crate::gotemplate`] over an item's descriptor.

use std::fmt;

use crate::Origin;
use crate::gotemplate::{DescriptorData, GoTemplate, ParseError};

/// A parsed rule file.
pub(super) struct Go {
    file: String,
    template: GoTemplate,
}

/// A template that fails for an item, with the line when it is known.
pub(super) type Failure = (Option<u32>, Box<dyn std::error::Error + Send + Sync>);

impl Go {
    /// Parses the file's text; a byte-order mark at its start does not count.
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, ParseError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Ok(Go { file: file.to_owned(), template: GoTemplate::parse(file, text)? })
    }

    /// The output for one item.
    pub(super) fn render(&self, origin: &Origin<'_>) -> Result<String, Failure> {
        let json = serde_json::to_value(origin.descriptor);
        let data =
            json.and_then(DescriptorData::from_json).map_err(|error| (None, error.into()))?;
        let failure = |text: String| (self.line(&text), text.into());
        self.template.render(&data).map_err(|error| failure(error.to_string()))
    }

    /// The line in a message, which begins as Go's do: `template: FILE:LINE:`.
    fn line(&self, message: &str) -> Option<u32> {
        let rest = message.strip_prefix("template: ")?.strip_prefix(&self.file)?;
        rest.strip_prefix(':')?.split(':').next()?.parse().ok()
    }
}

impl fmt::Debug for Go {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Go").field("file", &self.file).finish_non_exhaustive()
    }
}
