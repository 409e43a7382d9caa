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
    match style {
        ProgressStyle::Auto if terminal => Some(Box::new(bar::Bar::new(screen))),
        ProgressStyle::Auto => Some(Box::new(plain::Plain::new(screen))),
        ProgressStyle::Bar => Some(Box::new(bar::Bar::new(screen))),
        ProgressStyle::Json => Some(Box::new(json::Json::new(screen))),
        ProgressStyle::None => None,
    }
}
