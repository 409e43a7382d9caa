//! The line that changes, for terminals.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Reading, View, plain};
use crate::screen::Screen;

/// Whether standard error shows such a line: terminals that can do nothing (`TERM=dumb`) do not.
pub(super) fn is_seen() -> bool {
    !ProgressDrawTarget::stderr().is_hidden()
}

/// One line at the bottom of the terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    screen: Screen,
}

impl Bar {
    pub(super) fn new(screen: &Screen) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(5));
        screen.set_bar(Some(bar.clone()));
        Bar { bar, screen: screen.clone() }
    }
}

impl View for Bar {
    fn show(&mut self, reading: &Reading, ended: bool) {
        if ended {
            self.bar.finish_and_clear();
            self.screen.set_bar(None);
            return;
        }
        let template = if reading.bytes == 0 { "{spinner} {msg}" } else { "{bar:24} {msg}" };
        // The templates are constants that parse.
        if let Ok(style) = ProgressStyle::with_template(template) {
            self.bar.set_style(style.progress_chars("=> "));
        }
        self.bar.set_length(reading.bytes);
        self.bar.set_position(reading.done);
        self.bar.set_message(plain::sentence(reading));
        self.bar.tick();
    }
}
