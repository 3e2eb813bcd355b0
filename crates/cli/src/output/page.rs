//! A page for people: lines, fields and tables, drawn for a terminal or as plain rows for a pipe.

use anstyle::{AnsiColor, Style};
use comfy_table::{Attribute, Cell, Color, ColumnConstraint, ContentArrangement, Table, presets};

/// Tables are fitted into terminals of at least this width.
const WIDTH_MIN: u16 = 40;

/// What a word means, which decides its colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// It went well.
    Good,
    /// It is under way.
    Busy,
    /// It needs a look.
    Warning,
    /// It went wrong.
    Bad,
}

impl Tone {
    const fn color(self) -> Option<Color> {
        match self {
            Self::Plain => None,
            Self::Good => Some(Color::Green),
            Self::Busy => Some(Color::Cyan),
            Self::Warning => Some(Color::Yellow),
            Self::Bad => Some(Color::Red),
        }
    }

    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Busy => AnsiColor::Cyan.on_default(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
        }
    }

    /// The text in this tone's colour; whatever is no terminal gets it stripped again.
    pub fn paint(self, text: &str) -> String {
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

/// One cell of a table.
#[derive(Debug, Clone, Default)]
pub struct Field {
    text: String,
    tone: Tone,
}

impl Field {
    /// A text with its tone.
    pub fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Field {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

#[derive(Debug)]
enum Block {
    Line(String),
    Fields(Vec<(String, Field)>),
    Table(Rows),
}

/// What is to be printed, from top to bottom.
#[derive(Debug, Default)]
pub struct Page {
    blocks: Vec<Block>,
}

/// A table that rows are added to.
#[derive(Debug)]
pub struct Rows {
    header: Vec<String>,
    rows: Vec<Vec<Field>>,
}

impl Rows {
    /// A table without rows.
    pub fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|name| (*name).to_owned()).collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl Into<Vec<Field>>) {
        self.rows.push(cells.into());
    }
}

impl Page {
    /// Adds a line of text.
    pub fn line(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Line(text.into()));
    }

    /// Adds `name: value`; neighbouring ones are aligned.
    pub fn field(&mut self, name: &str, value: impl Into<Field>) {
        if let Some(Block::Fields(fields)) = self.blocks.last_mut() {
            fields.push((name.to_owned(), value.into()));
        } else {
            self.blocks.push(Block::Fields(vec![(name.to_owned(), value.into())]));
        }
    }

    /// Adds a table; nothing is shown of one without rows.
    pub fn table(&mut self, table: Rows) {
        self.blocks.push(Block::Table(table));
    }

    /// The text of the page: tables for a terminal, tab-separated rows otherwise.
    pub fn render(&self, for_terminal: bool) -> String {
        let mut text = String::new();
        for block in &self.blocks {
            match block {
                Block::Line(line) => push_line(&mut text, line),
                Block::Fields(fields) => push_fields(&mut text, fields, for_terminal),
                Block::Table(table) if table.rows.is_empty() => {}
                Block::Table(table) if for_terminal => push_table(&mut text, table),
                Block::Table(table) => push_plain_rows(&mut text, &table.rows),
            }
        }
        text
    }
}

fn push_line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn push_fields(text: &mut String, fields: &[(String, Field)], for_terminal: bool) {
    let width = fields.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default() + 2;
    for (name, value) in fields {
        if for_terminal {
            let name = format!("{name}:");
            push_line(text, &format!("{name:<width$}{}", value.tone.paint(&value.text)));
        } else {
            push_line(text, &format!("{name}\t{}", flat(&value.text)));
        }
    }
}

fn push_plain_rows(text: &mut String, rows: &[Vec<Field>]) {
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| flat(&cell.text)).collect();
        push_line(text, &cells.join("\t"));
    }
}

/// A cell of a plain row is one line without tabs, whatever it holds.
fn flat(text: &str) -> String {
    text.replace(['\t', '\n', '\r'], " ")
}

fn push_table(text: &mut String, content: &Rows) {
    let choice = anstream::AutoStream::choice(&std::io::stdout());
    let is_colored = choice != anstream::ColorChoice::Never;
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // A terminal that does not know its width says 0: then it is better to run over than to stack letters.
    if table.width().is_none_or(|width| WIDTH_MIN <= width) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(content.header.iter().map(|name| {
        let cell = Cell::new(name);
        if is_colored { cell.add_attribute(Attribute::Bold) } else { cell }
    }));
    for row in &content.rows {
        table.add_row(row.iter().map(|field| {
            let cell = Cell::new(&field.text);
            match field.tone.color() {
                Some(color) if is_colored => cell.fg(color),
                _ => cell,
            }
        }));
    }
    // An id that is broken over two lines cannot be copied.
    if let Some(first) = table.column_mut(0) {
        first.set_constraint(ColumnConstraint::ContentWidth);
    }
    for line in table.to_string().lines() {
        push_line(text, line.trim_end());
    }
}
