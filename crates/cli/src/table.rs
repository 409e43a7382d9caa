//! Rows for people, as CSV or as JSON.

use std::borrow::Cow;

use clap::ValueEnum;

use crate::screen::is_unsafe;

/// The form of a listing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// JSON.
    Json,
    /// Comma-separated values with a header.
    Csv,
    /// A table of Markdown.
    Markdown,
}

/// Rows of texts under a header.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of nothing but its header.
    pub(crate) fn new<const N: usize>(header: [&str; N]) -> Self {
        Table { rows: vec![header.map(str::to_owned).into()] }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// The table in a form. As JSON only its users know it: that is text here.
    pub(crate) fn render(&self, format: Format) -> String {
        match format {
            Format::Csv => self.csv(),
            Format::Markdown => self.markdown(),
            Format::Table | Format::Json => self.text(),
        }
    }

    /// A table of Markdown.
    fn markdown(&self) -> String {
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<_> = row.iter().map(|cell| shown(cell).replace('|', "\\|")).collect();
            text.push_str(&format_row(&cells));
            if number == 0 {
                let lines: Vec<_> = row.iter().map(|_| "---".to_owned()).collect();
                text.push_str(&format_row(&lines));
            }
        }
        text
    }

    /// Columns, each as wide as it must be. A column without any content is left out, unless there is
    /// no row at all: a header alone says that nothing was found.
    fn text(&self) -> String {
        let rows: Vec<Vec<Cow<'_, str>>> =
            self.rows.iter().map(|row| row.iter().map(|cell| shown(cell)).collect()).collect();
        let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
        let cell = |row: &Vec<Cow<'_, str>>, column: usize| {
            row.get(column).map_or(0, |c| c.chars().count())
        };
        let used: Vec<(usize, usize)> = (0..columns)
            .filter(|column| {
                rows.len() == 1 || rows.iter().skip(1).any(|row| cell(row, *column) > 0)
            })
            .map(|column| {
                let width = rows.iter().map(|row| cell(row, column)).max();
                (column, width.unwrap_or_default())
            })
            .collect();
        let mut text = String::new();
        for row in &rows {
            let cells = used.iter().map(|(column, width)| {
                let cell = row.get(*column).map_or("", AsRef::as_ref);
                format!("{cell:<width$}")
            });
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    /// Comma-separated values.
    fn csv(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let cells: Vec<_> = row.iter().map(|cell| quoted(cell)).collect();
            text.push_str(&cells.join(","));
            text.push('\n');
        }
        text
    }
}

/// A cell as a terminal may have it: what a foreign registry or archive put into a name moves no
/// cursor and begins no line.
pub(crate) fn shown(cell: &str) -> Cow<'_, str> {
    if !cell.contains(is_unsafe) {
        return cell.into();
    }
    let plain = |c: char| if is_unsafe(c) { c.escape_default().to_string() } else { c.into() };
    cell.chars().map(plain).collect::<String>().into()
}

/// A row of Markdown.
fn format_row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// A cell of CSV: in quotes where it must be.
pub(crate) fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn without_rows_the_header_is_shown() {
        assert_eq!(Table::new(["A", "B"]).text(), "A  B\n");
    }

    #[test]
    fn control_characters_reach_no_terminal() {
        let mut table = Table::new(["A", "B"]);
        table.row(["a\u{1b}[31m\nb".to_owned(), "c".to_owned()]);
        assert_eq!(table.text(), "A               B\na\\u{1b}[31m\\nb  c\n");
        assert!(table.markdown().ends_with("| a\\u{1b}[31m\\nb | c |\n"));
    }

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let mut table = Table::new(["A", "B", "C"]);
        table.row(["long".to_owned(), String::new(), "x".to_owned()]);
        table.row(["s".to_owned(), String::new(), "y,\"z\"".to_owned()]);
        assert_eq!(table.text(), "A     C\nlong  x\ns     y,\"z\"\n");
        assert!(
            table.markdown().starts_with("| A | B | C |\n| --- | --- | --- |\n| long |  | x |\n")
        );
        assert_eq!(table.csv(), "A,B,C\nlong,,x\ns,,\"y,\"\"z\"\"\"\n");
    }
}
