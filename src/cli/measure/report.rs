//! The figures: a table for people, JSON for programs.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use serde_json::{Map, Value, json};

use super::MeasureError;

/// A table, a note or two, and all of the figures as JSON.
#[derive(Debug)]
pub(in crate::cli) struct Report {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
    figures: Map<String, Value>,
}

impl Report {
    /// Of the measurement called `what`, from `seed`, under these headings.
    pub(in crate::cli) fn new(what: &str, seed: u64, columns: &[&str]) -> Self {
        let mut figures = Map::new();
        figures.insert("bench".to_owned(), json!(what));
        figures.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
        figures.insert("seed".to_owned(), json!(seed));
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        Self { columns, rows: Vec::new(), notes: Vec::new(), figures }
    }

    /// A column more, from its heading down.
    pub(in crate::cli) fn column(&mut self, heading: &str, cells: impl IntoIterator<Item = String>) {
        self.columns.push(heading.to_owned());
        for (row, cell) in self.rows.iter_mut().zip(cells) {
            row.push(cell);
        }
    }

    pub(in crate::cli) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// A line below the table.
    pub(in crate::cli) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    pub(in crate::cli) fn figure(&mut self, name: &str, value: Value) {
        self.figures.insert(name.to_owned(), value);
    }

    /// Prints the table: the first column to the left, the others to the right.
    pub(in crate::cli) fn print(&self) {
        let all = || [&self.columns].into_iter().chain(&self.rows);
        let width = |at: usize| all().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
        let widths: Vec<_> = (0..self.columns.len()).map(|at| width(at).unwrap_or_default()).collect();
        for row in all() {
            let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, &width))| match at {
                0 => format!("{cell:width$}"),
                _ => format!("{cell:>width$}"),
            });
            say(cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        for note in &self.notes {
            say(note);
        }
    }

    pub(in crate::cli) fn write(&self, path: &Path) -> Result<(), MeasureError> {
        let text = serde_json::to_string_pretty(&self.figures).map_err(io::Error::from);
        text.and_then(|text| fs::write(path, text + "\n")).map_err(unwritable(path))
    }
}

/// Prints a line. Whoever reads them may have had enough.
fn say(line: &str) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Whether a file can be written, found out before what it is for takes its time.
pub(in crate::cli) fn try_file(path: &Path) -> Result<(), MeasureError> {
    fs::OpenOptions::new().create(true).append(true).open(path).map(drop).map_err(unwritable(path))
}

fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> MeasureError {
    MeasureError::io(format!("write {}", path.display()))
}

/// `12.3 MiB`.
pub(in crate::cli) fn size(bytes: u64) -> String {
    let mebibytes = super::float(bytes) / 1_048_576.0;
    match bytes {
        0..10_240 => format!("{bytes} B"),
        10_240..104_858 => format!("{:.1} KiB", mebibytes * 1024.0),
        _ => format!("{mebibytes:.1} MiB"),
    }
}

/// `12,345`.
pub(in crate::cli) fn number(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_people_read_them() {
        let numbers = [0, 999, 1_000, 1_234_567].map(number);
        assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 20_480, 3_145_728].map(size), ["0 B", "20.0 KiB", "3.0 MiB"]);
    }
}
