//! A table of a given width: columns that do not fit are left out, the least important first, and one of them gives way. Pure.

use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

use crate::output::Tone;

/// Between two columns.
const GAP: usize = 2;

/// A column that gives way keeps at least so much.
const FLEXIBLE_MIN: usize = 12;

/// How a column stands in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text, on the left.
    Text,
    /// Numbers, on the right.
    Number,
    /// Text that is cut where there is no room for it.
    Flexible,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    kind: Kind,
    /// Those of the largest number are left out first; 0 never.
    rank: u8,
}

impl Column {
    pub(crate) const fn new(title: &'static str, kind: Kind, rank: u8) -> Self {
        Self { title, kind, rank }
    }
}

/// A cell.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: flat(&text.into()), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

/// What others wrote is one line, and tells a terminal nothing.
fn flat(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Columns and rows.
#[derive(Debug, Clone)]
pub(crate) struct Grid {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Grid {
    pub(crate) fn new(columns: &[Column]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: impl Into<Vec<Cell>>) {
        self.rows.push(cells.into());
    }

    /// The header and one line for each row, none of them wider than `width`.
    pub(crate) fn lines(&self, width: usize) -> (Line<'static>, Vec<Line<'static>>) {
        let widths = self.fitted(width);
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let titles = self.columns.iter().map(|column| (column.title, bold));
        let header = line(&self.columns, &widths, titles);
        let row = |cells: &Vec<Cell>| {
            let cells = cells.iter().map(|cell| (cell.text.as_str(), style(cell.tone)));
            line(&self.columns, &widths, cells)
        };
        (header, self.rows.iter().map(row).collect())
    }

    /// How wide each column is; none for those that are left out.
    fn fitted(&self, width: usize) -> Vec<Option<usize>> {
        let natural: Vec<usize> = (0..self.columns.len()).map(|n| self.natural(n)).collect();
        let mut widths: Vec<Option<usize>> = natural.iter().copied().map(Some).collect();
        loop {
            let least = |(n, width): (usize, &Option<usize>)| {
                let is_flexible = self.columns.get(n).is_some_and(|c| c.kind == Kind::Flexible);
                width.map(|width| if is_flexible { width.min(FLEXIBLE_MIN) } else { width })
            };
            let kept: Vec<usize> = widths.iter().enumerate().filter_map(least).collect();
            let gaps = GAP * kept.len().saturating_sub(1);
            let least_sum = kept.iter().sum::<usize>() + gaps;
            let droppable = self.columns.iter().enumerate().filter(|(n, column)| {
                0 < column.rank && widths.get(*n).copied().flatten().is_some()
            });
            let first_out = droppable.max_by_key(|(_, column)| column.rank).map(|(n, _)| n);
            match first_out.and_then(|n| widths.get_mut(n)).filter(|_| width < least_sum) {
                Some(out) => *out = None,
                None => break,
            }
        }
        let whole: usize = widths.iter().flatten().sum();
        let gaps = GAP * widths.iter().flatten().count().saturating_sub(1);
        let over = (whole + gaps).saturating_sub(width);
        for (column, width) in self.columns.iter().zip(&mut widths) {
            if let (Kind::Flexible, Some(width)) = (column.kind, width) {
                *width = width.saturating_sub(over).max(FLEXIBLE_MIN.min(*width));
            }
        }
        widths
    }

    fn natural(&self, column: usize) -> usize {
        let title = self.columns.get(column).map_or(0, |column| column.title.len());
        let cells = self.rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| text_width(&cell.text)).max().unwrap_or_default().max(title)
    }
}

fn line<'a>(
    columns: &[Column],
    widths: &[Option<usize>],
    cells: impl Iterator<Item = (&'a str, Style)>,
) -> Line<'static> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    for ((column, width), (text, style)) in columns.iter().zip(widths).zip(cells) {
        let Some(width) = *width else { continue };
        if !spans.is_empty() {
            spans.push(Span::raw(" ".repeat(GAP)));
        }
        let text = cut(text, width);
        let room = " ".repeat(width.saturating_sub(text_width(&text)));
        let text = match column.kind {
            Kind::Number => format!("{room}{text}"),
            Kind::Text | Kind::Flexible => format!("{text}{room}"),
        };
        spans.push(Span::styled(text, style));
    }
    Line::from(spans)
}

pub(crate) fn text_width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The text, or as much of it as there is room for.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text_width(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        let longer = format!("{kept}{c}");
        if width <= text_width(&longer) {
            break;
        }
        kept = longer;
    }
    format!("{kept}…")
}

pub(crate) const fn style(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Busy => Style::new().fg(Color::Cyan),
        Tone::Warning => Style::new().fg(Color::Yellow),
        Tone::Bad => Style::new().fg(Color::Red),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let columns = [
            Column::new("NAME", Kind::Text, 0),
            Column::new("WHY", Kind::Flexible, 0),
            Column::new("ZONE", Kind::Text, 1),
            Column::new("N", Kind::Number, 0),
        ];
        let mut grid = Grid::new(&columns);
        grid.row([
            "align".into(),
            "no capacity in any pool that would do".into(),
            "use1-az1".into(),
            "7".into(),
        ]);
        grid.row(["b".into(), "limit\u{1b}[2J".into(), "use1-az2".into(), "1200".into()]);
        grid
    }

    fn text(width: usize) -> String {
        let (header, rows) = grid().lines(width);
        let lines = [header].into_iter().chain(rows);
        lines.flat_map(|line| [line.to_string(), "|\n".to_owned()]).collect()
    }

    #[test]
    fn with_room_all_is_shown_and_numbers_stand_on_the_right() {
        insta::assert_snapshot!(text(80), @r"
        NAME   WHY                                    ZONE         N|
        align  no capacity in any pool that would do  use1-az1     7|
        b      limit [2J                              use1-az2  1200|
        ");
    }

    #[test]
    fn without_room_text_is_cut_first_and_then_columns_are_left_out() {
        insta::assert_snapshot!(text(44), @r"
        NAME   WHY                    ZONE         N|
        align  no capacity in any p…  use1-az1     7|
        b      limit [2J              use1-az2  1200|
        ");
        insta::assert_snapshot!(text(26), @r"
        NAME   WHY               N|
        align  no capacity …     7|
        b      limit [2J      1200|
        ");
    }

    #[test]
    fn what_others_wrote_cannot_move_the_cursor() {
        assert!(!text(80).contains('\u{1b}'));
    }
}
