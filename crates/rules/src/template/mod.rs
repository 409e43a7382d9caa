//! The ruleset `template`: the same data as for `go-template`, in Tera.
//!
//! A rule file is one template. What could make it run without end, or grow without bound, is
//! limited here: see [`guard`].

mod functions;
mod guard;
#[cfg(test)]
mod tests;

use std::io;

use airlift_oci::types::{Descriptor, media};
use serde_json::{Value, json};
use tera::{Context, ErrorKind, Tera};

use crate::Origin;

/// The one template's name inside the engine.
const NAME: &str = "rules";

/// More output than this from one item is an error, in bytes.
const OUTPUT: usize = 1024 * 1024;

/// A compiled rule file.
#[derive(Debug)]
pub(crate) struct Template {
    tera: Tera,
}

/// What is wrong with a template or its run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Fault {
    /// Line of the file, from 1, when it is known.
    pub(crate) line: Option<u32>,
    message: String,
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let text = guard::guarded(text.strip_prefix('\u{feff}').unwrap_or(text))?;
        let mut tera = Tera::default();
        tera.autoescape_on(std::iter::empty::<&str>());
        functions::register(&mut tera);
        tera.add_raw_template(NAME, &text).map_err(|error| fault(&error))?;
        Ok(Template { tera })
    }

    /// The output for one item.
    pub(crate) fn render(&self, origin: &Origin<'_>) -> Result<String, Fault> {
        let context = Context::from_serialize(&data(origin)).map_err(|error| fault(&error))?;
        guard::start();
        let mut output = Output { bytes: Vec::new(), full: false };
        let rendered = self.tera.render_to(NAME, &context, &mut output);
        if output.full {
            let message = format!("the template gives more than {OUTPUT} bytes for one item");
            return Err(Fault { line: None, message });
        }
        rendered.map_err(|error| fault(&error))?;
        let not_text = |_| Fault { line: None, message: "the output is no text".to_owned() };
        String::from_utf8(output.bytes).map_err(not_text)
    }
}

/// What a template sees: the descriptor under the names of the specification and under Go's, the
/// source, and its labels.
fn data(origin: &Origin<'_>) -> Value {
    let descriptor = origin.descriptor;
    let platform = descriptor.platform.as_ref().map(|platform| {
        let mut json = json!(platform);
        for (go, name) in GO_PLATFORM {
            json[*go] = json.get(*name).cloned().unwrap_or_else(|| json!(""));
        }
        json
    });
    json!({
        "source": origin.source,
        "labels": labels(descriptor),
        "mediaType": descriptor.media_type, "MediaType": descriptor.media_type,
        "digest": descriptor.digest, "Digest": descriptor.digest,
        "size": descriptor.size, "Size": descriptor.size,
        "urls": descriptor.urls, "URLs": descriptor.urls,
        "annotations": descriptor.annotations, "Annotations": descriptor.annotations,
        "data": descriptor.data, "Data": descriptor.data,
        "platform": platform, "Platform": platform,
        "artifactType": descriptor.artifact_type.clone().unwrap_or_default(),
        "ArtifactType": descriptor.artifact_type.clone().unwrap_or_default(),
    })
}

/// Go's names of a platform's fields.
const GO_PLATFORM: &[(&str, &str)] = &[
    ("Architecture", "architecture"),
    ("OS", "os"),
    ("OSVersion", "os.version"),
    ("OSFeatures", "os.features"),
    ("Variant", "variant"),
];

fn labels(descriptor: &Descriptor) -> Value {
    let labels = descriptor.annotation(media::LABELS);
    labels.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| json!({}))
}

fn fault(error: &tera::Error) -> Fault {
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
            let line = u32::try_from(report.span().start_line).ok();
            Fault { line, message: report.message().to_owned() }
        }
        _ => Fault { line: None, message: error.to_string() },
    }
}

/// A buffer that refuses to grow beyond [`OUTPUT`].
struct Output {
    bytes: Vec<u8>,
    /// Whether more was to be written than fits.
    full: bool,
}

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.full |= self.bytes.len() + bytes.len() > OUTPUT;
        if self.full {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
