//! Logs on standard error: which, and in which form.

use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use crate::global::LogFormat;
use crate::screen::Screen;

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    const ALL: [(Level, &'static str); 5] = [
        (Level::Error, "error"),
        (Level::Warn, "warn"),
        (Level::Info, "info"),
        (Level::Debug, "debug"),
        (Level::Trace, "trace"),
    ];

    /// The level that the values of `-v` ask for: each bare one goes a step up from `warn`, a
    /// name or one of ace-dt's numbers (0 error, 4 warn, 8 info, 12 debug) sets it.
    pub(crate) fn of(values: &[String]) -> Result<Self, String> {
        let mut level = Level::Warn;
        for value in values {
            level = if value == "+" { level.more() } else { value.parse()? };
        }
        Ok(level)
    }

    fn more(self) -> Self {
        Self::ALL.iter().map(|(level, _)| *level).find(|level| *level > self).unwrap_or(self)
    }

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(level, _)| *level == self).map_or("warn", |(_, name)| name)
    }
}

impl std::str::FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((level, _)) = Self::ALL.iter().find(|(_, name)| *name == text) {
            return Ok(*level);
        }
        match text.parse::<u8>() {
            Ok(0..=3) => Ok(Level::Error),
            Ok(4..=7) => Ok(Level::Warn),
            Ok(8..=11) => Ok(Level::Info),
            Ok(12..=15) => Ok(Level::Debug),
            Ok(_) => Ok(Level::Trace),
            Err(_) => Err(format!("`{text}` is no level: use error, warn, info, debug or trace")),
        }
    }
}

/// What changes the level while the process runs; whether it could.
type Change = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

static CHANGE: OnceLock<Change> = OnceLock::new();

/// Sends what the crates log to `screen`.
pub(crate) fn init(level: Level, format: LogFormat, screen: &Screen) {
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter(level))
        .with_writer(screen.clone())
        .with_ansi(false)
        .with_target(level >= Level::Debug);
    // Fails only when a subscriber is set already, as within tests.
    let _ = match format {
        LogFormat::Text => {
            let logs = logs.with_filter_reloading();
            let handle = logs.reload_handle();
            let _ = CHANGE.set(Box::new(move |filter| handle.reload(filter).is_ok()));
            tracing::subscriber::set_global_default(logs.finish())
        }
        LogFormat::Json => {
            screen.write_objects();
            let logs = logs.json().flatten_event(true).with_filter_reloading();
            let handle = logs.reload_handle();
            let _ = CHANGE.set(Box::new(move |filter| handle.reload(filter).is_ok()));
            tracing::subscriber::set_global_default(logs.finish())
        }
    };
}

/// Logs as much as this from now on, in the form that it began with.
pub(crate) fn change(level: Level) -> bool {
    CHANGE.get().is_some_and(|change| change(filter(level)))
}

/// Libraries below ours speak up from `-vvv` on.
fn filter(level: Level) -> EnvFilter {
    let others = if level == Level::Trace { "debug" } else { "warn" };
    let name = level.name();
    EnvFilter::new(format!(
        "{others},airlift={name},airlift_oci={name},airlift_tape={name},airlift_rules={name},airlift_serve={name}"
    ))
}

#[cfg(test)]
mod tests {
    use super::Level;

    #[test]
    fn the_values_of_v_add_up() {
        for (values, level) in [
            (vec![], Level::Warn),
            (vec!["+"], Level::Info),
            (vec!["+", "+"], Level::Debug),
            (vec!["+", "+", "+", "+"], Level::Trace),
            (vec!["error"], Level::Error),
            (vec!["8"], Level::Info),
            (vec!["info", "+"], Level::Debug),
        ] {
            let values: Vec<String> = values.into_iter().map(str::to_owned).collect();
            assert_eq!(Level::of(&values), Ok(level), "{values:?}");
        }
        assert!(Level::of(&["loud".to_owned()]).is_err());
    }
}
