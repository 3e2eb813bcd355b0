//! The only place that prints. Data goes to stdout in the format that was asked for, everything else to stderr.

pub mod page;
pub mod progress;

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use anyhow::Context as _;
use clap::ValueEnum;
use serde::Serialize;

pub use page::{Field, Page, Rows, Tone};
pub use progress::Progress;

use crate::error::Verdict;

/// The version of all JSON that commands print. Raised when a field goes away or changes its meaning.
pub const JSON_SCHEMA: u32 = 1;

/// How data is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables on a terminal, tab-separated rows in a pipe.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// One JSON document per line: an item of a list each.
    Jsonl,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What a command answers: data, and how people read it.
pub trait View: Serialize {
    /// The same for people.
    fn page(&self, page: &mut Page);

    /// The same as JSON lines; a list gives one line per item.
    fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
        lines.item(self)
    }
}

/// JSON lines, each with its schema version.
#[derive(Debug, Default)]
pub struct Lines(String);

impl Lines {
    /// Adds one.
    pub fn item<T: Serialize + ?Sized>(&mut self, item: &T) -> serde_json::Result<()> {
        self.0.push_str(&serde_json::to_string(&Versioned::of(item))?);
        self.0.push('\n');
        Ok(())
    }
}

/// Data with the version of its form in front. It is only ever written, so `flatten` costs no exactness here.
#[derive(Serialize)]
struct Versioned<'a, T: ?Sized> {
    schema: u32,
    #[serde(flatten)]
    body: &'a T,
}

impl<'a, T: ?Sized> Versioned<'a, T> {
    const fn of(body: &'a T) -> Self {
        Self { schema: JSON_SCHEMA, body }
    }
}

/// Where and how a command prints.
#[derive(Debug, Clone)]
pub struct Output {
    format: Format,
    is_terminal: bool,
    has_live_line: bool,
}

impl Output {
    /// For this process: asks both streams whether they are terminals.
    pub fn of_process(format: Format, color: Color) -> Self {
        let choice = match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
        Self {
            format,
            is_terminal: io::stdout().is_terminal(),
            has_live_line: io::stderr().is_terminal(),
        }
    }

    /// The format that was asked for.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// Whether people watch stderr, so that a line may be redrawn.
    pub const fn has_live_line(&self) -> bool {
        self.has_live_line
    }

    /// Whether people watch stdout and can press keys, so that a screen may be drawn.
    pub fn is_interactive(&self) -> bool {
        self.is_terminal && io::stdin().is_terminal()
    }

    /// Prints a command's answer.
    pub fn show<V: View>(&self, view: &V) -> anyhow::Result<()> {
        to_stdout(&self.render(view)?)
    }

    /// What [`Self::show`] prints.
    fn render<V: View>(&self, view: &V) -> anyhow::Result<String> {
        match self.format {
            Format::Human => {
                let mut page = Page::default();
                view.page(&mut page);
                Ok(page.render(self.is_terminal))
            }
            Format::Json => {
                let mut text = serde_json::to_string_pretty(&Versioned::of(view))
                    .context("cannot write the answer as JSON")?;
                text.push('\n');
                Ok(text)
            }
            Format::Jsonl => {
                let mut lines = Lines::default();
                view.lines(&mut lines).context("cannot write the answer as JSON")?;
                Ok(lines.0)
            }
        }
    }

    /// Prints text that is a document of its own kind: a completion script, a JSON Schema, a message.
    pub fn raw(&self, text: &str) -> anyhow::Result<()> {
        to_stdout(text)
    }

    /// Tells people something that is not data.
    pub fn note(&self, text: &str) {
        to_stderr(text);
    }

    /// Warns people.
    pub fn warn(&self, text: &str) {
        to_stderr(&format!("{} {text}", styled("warning:", AnsiColor::Yellow)));
    }

    /// A line on stderr that follows what goes on.
    pub fn progress(&self) -> Progress {
        Progress::new(self.has_live_line)
    }
}

/// Prints an error with its causes and what to do about it. Needs no [`Output`]: it may be that there is none yet.
pub fn print_error(error: &anyhow::Error, verdict: &Verdict) {
    to_stderr(&error_text(error, verdict));
}

fn error_text(error: &anyhow::Error, verdict: &Verdict) -> String {
    let mut text = format!("{} {error}", styled("error:", AnsiColor::Red));
    let mut said = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !said.contains(&cause) {
            text.push_str("\n  caused by: ");
            text.push_str(&cause);
        }
        said = cause;
    }
    if let Some(hint) = &verdict.hint {
        text = format!("{text}\n{} {hint}", styled("hint:", AnsiColor::Cyan));
    }
    text
}

fn styled(text: &str, color: AnsiColor) -> String {
    let style: Style = color.on_default().bold();
    format!("{style}{text}{style:#}")
}

fn to_stdout(text: &str) -> anyhow::Result<()> {
    let mut stdout = anstream::stdout();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    match written {
        // Whoever reads us has had enough (`| head`): that is no failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to stdout"),
    }
}

/// Nobody can be told when stderr itself is gone.
fn to_stderr(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Pair {
        left: u8,
        right: u8,
    }

    #[derive(Serialize)]
    struct Pairs {
        pairs: Vec<Pair>,
    }

    impl View for Pairs {
        fn page(&self, page: &mut Page) {
            page.line("Pairs");
            let mut table = Rows::new(&["LEFT", "RIGHT"]);
            for pair in &self.pairs {
                table.row([pair.left.to_string().into(), pair.right.to_string().into()]);
            }
            page.table(table);
        }
        fn lines(&self, lines: &mut Lines) -> serde_json::Result<()> {
            self.pairs.iter().try_for_each(|pair| lines.item(pair))
        }
    }

    fn rendered(format: Format, is_terminal: bool) -> String {
        let view = Pairs { pairs: vec![Pair { left: 1, right: 2 }, Pair { left: 3, right: 44 }] };
        Output { format, is_terminal, has_live_line: false }.render(&view).unwrap()
    }

    #[test]
    fn json_carries_its_schema_version_first() {
        let json = rendered(Format::Json, false);

        assert!(json.starts_with("{\n  \"schema\": 1,\n  \"pairs\": ["), "{json}");
    }

    #[test]
    fn json_lines_are_one_item_each() {
        let lines = rendered(Format::Jsonl, false);

        assert_eq!(
            lines,
            "{\"schema\":1,\"left\":1,\"right\":2}\n{\"schema\":1,\"left\":3,\"right\":44}\n"
        );
    }

    #[test]
    fn a_pipe_gets_rows_with_tabs_and_no_header() {
        assert_eq!(rendered(Format::Human, false), "Pairs\n1\t2\n3\t44\n");
    }

    #[test]
    fn a_terminal_gets_a_table_with_a_header() {
        insta::assert_snapshot!(rendered(Format::Human, true), @r"
        Pairs
         LEFT  RIGHT
         1     2
         3     44
        ");
    }

    #[test]
    fn an_error_is_told_with_its_causes_once_and_its_hint() {
        let error = anyhow::anyhow!("no such file").context("cannot read jobs.json");
        let verdict = Verdict { status: crate::exit::ExitStatus::Usage, hint: Some("look".into()) };

        let text = anstream::adapter::strip_str(&error_text(&error, &verdict)).to_string();

        assert_eq!(text, "error: cannot read jobs.json\n  caused by: no such file\nhint: look");
    }
}
