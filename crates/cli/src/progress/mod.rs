//! How a run is watched: one [`Watch`] counts what happens, a view shows it now and then.
//!
//! The views are a line that changes (terminals), plain lines every few seconds, JSON lines, and
//! nothing. All go to standard error.

mod bar;
mod counts;
mod json;
mod plain;
mod trace;
mod waits;
mod watch;

pub(crate) use counts::{Buffer, Counts, Pieces, Reading, Waiting};
pub(crate) use waits::{Wait, Waits};
pub(crate) use watch::{Files, Watch};

use crate::global::ProgressStyle;
use crate::screen::Screen;

/// Shows how far a run is.
trait View: Send {
    /// Called several times a second, and once when the run ended.
    fn show(&mut self, reading: &Reading, ended: bool);
}

/// The view for `style`: what `auto` is depends on who watches.
fn view(style: ProgressStyle, terminal: bool, screen: &Screen) -> Option<Box<dyn View>> {
    match shown(style, terminal && bar::is_seen()) {
        Some(ProgressStyle::Bar) => Some(Box::new(bar::Bar::new(screen))),
        Some(ProgressStyle::Json) => Some(Box::new(json::Json::new(screen))),
        Some(_) => Some(Box::new(plain::Plain::new(screen))),
        None => None,
    }
}

/// What `style` comes to. No line can change where there is no terminal, or one that cannot go back:
/// `auto` stands for plain lines then, and so does `bar`.
fn shown(style: ProgressStyle, changes: bool) -> Option<ProgressStyle> {
    match style {
        ProgressStyle::Auto | ProgressStyle::Bar if changes => Some(ProgressStyle::Bar),
        ProgressStyle::Auto | ProgressStyle::Bar => Some(ProgressStyle::Auto),
        ProgressStyle::Json => Some(ProgressStyle::Json),
        ProgressStyle::None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{ProgressStyle, shown};

    #[test]
    fn progress_is_seen_where_no_line_can_change() {
        use ProgressStyle::{Auto, Bar, Json, None};
        assert_eq!(
            [Auto, Bar, Json, None].map(|style| shown(style, true)),
            [Some(Bar), Some(Bar), Some(Json), Option::None,]
        );
        assert_eq!(shown(Bar, false), Some(Auto));
        assert_eq!(shown(Auto, false), Some(Auto));
    }
}
