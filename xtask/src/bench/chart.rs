//! The picture of the page: seconds of every step as bars, ours, the others' and the bare loop's.

use std::fmt::Write as _;

/// One kind of registry at the end of a line.
pub(super) struct Panel {
    pub(super) title: String,
    /// The steps, each with the seconds of whoever did it.
    pub(super) steps: Vec<(String, Vec<Bar>)>,
}

/// How long one took for a step.
pub(super) struct Bar {
    pub(super) who: &'static str,
    pub(super) seconds: f64,
}

const WIDTH: f64 = 860.0;
const LEFT: f64 = 190.0;
const RIGHT: f64 = 70.0;
const BAR: f64 = 12.0;
const GAP: f64 = 8.0;
/// Ours, the bare loop's, and the others' in turn: apart for eyes that tell no red from green, too.
const COLOURS: [&str; 8] =
    ["#0072b2", "#999999", "#e69f00", "#cc79a7", "#009e73", "#d55e00", "#56b4e9", "#f0e442"];

/// The picture.
pub(super) fn svg(panels: &[Panel]) -> String {
    let mut names: Vec<&'static str> = vec!["airlift", "bare loop"];
    let bars = panels.iter().flat_map(|panel| &panel.steps).flat_map(|(_, bars)| bars);
    for bar in bars {
        if !names.contains(&bar.who) {
            names.push(bar.who);
        }
    }
    let colour = |who: &str| {
        let place = names.iter().position(|name| *name == who).unwrap_or_default();
        COLOURS[place % COLOURS.len()]
    };
    let mut body = String::new();
    let mut y = 24.0;
    for (number, name) in names.iter().enumerate() {
        let x = 12.0 + 105.0 * number as f64;
        let fill = colour(name);
        let _ = writeln!(body, r#"<rect x="{x:.0}" y="12" width="12" height="12" fill="{fill}"/>"#);
        let _ = writeln!(body, r#"<text x="{:.0}" y="22">{}</text>"#, x + 18.0, escape(name));
    }
    for panel in panels {
        y = self::panel(&mut body, panel, y, &colour);
    }
    let height = y + 16.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

/// Draws one panel from `y` down; where it ends.
fn panel(
    body: &mut String,
    panel: &Panel,
    mut y: f64,
    colour: &dyn Fn(&str) -> &'static str,
) -> f64 {
    y += 34.0;
    let title = escape(&panel.title);
    let _ = writeln!(
        body,
        r#"<text x="12" y="{y:.0}" font-size="13" font-weight="bold">{title}, seconds</text>"#
    );
    y += 10.0;
    let all = panel.steps.iter().flat_map(|(_, bars)| bars).map(|bar| bar.seconds);
    let most = all.fold(0.0_f64, f64::max).max(1e-9);
    for (step, bars) in &panel.steps {
        let middle = y + bars.len() as f64 * BAR / 2.0 + 4.0;
        let (x, name) = (LEFT - 10.0, escape(step));
        let _ =
            writeln!(body, r#"<text x="{x:.0}" y="{middle:.0}" text-anchor="end">{name}</text>"#);
        for Bar { who, seconds } in bars {
            let length = (WIDTH - LEFT - RIGHT) * seconds / most;
            let (fill, height, end) = (colour(who), BAR - 2.0, LEFT + length + 4.0);
            let _ = writeln!(
                body,
                r#"<rect x="{LEFT:.0}" y="{y:.0}" width="{length:.1}" height="{height:.0}" fill="{fill}"/>"#
            );
            let base = y + 9.0;
            let _ = writeln!(
                body,
                r#"<text x="{end:.0}" y="{base:.0}" font-size="9">{seconds:.2}</text>"#
            );
            y += BAR;
        }
        y += GAP;
    }
    y
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bar_is_as_long_as_it_took_and_everybody_has_a_colour() {
        let bars = |list: &[(&'static str, f64)]| {
            list.iter().map(|(who, seconds)| Bar { who, seconds: *seconds }).collect()
        };
        let steps = vec![
            ("gather".to_owned(), bars(&[("airlift", 2.0), ("bare loop", 1.0), ("other", 4.0)])),
            ("a <b> & c".to_owned(), bars(&[("airlift", 1.0)])),
        ];
        let text = svg(&[Panel { title: "loopback".to_owned(), steps }]);
        let full = WIDTH - LEFT - RIGHT;
        for part in [1.0, 0.5, 0.25] {
            assert!(text.contains(&format!("width=\"{:.1}\"", full * part)), "{text}");
        }
        assert!(text.contains("a &lt;b&gt; &amp; c") && !text.contains("<b>"));
        assert_eq!(text.matches(COLOURS[0]).count(), 3);
        assert_eq!(text.matches(COLOURS[2]).count(), 2);
    }
}
