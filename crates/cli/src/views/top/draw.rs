//! Draws a [`TopView`]: on a screen of any size, or as plain text of any width. Pure: the same view, look and size give the same
//! cells.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Paragraph, Widget as _};

use spillway_core::job::JobStatus;

use super::grid::{Cell, Column, Grid, Kind, cut, style, text_width};
use super::{BurstView, Packing, Subject, TopView};
use crate::output::Tone;
use crate::views::host::tone as host_tone;
use crate::views::job::counts_text;
use crate::views::plan::gap;
use crate::views::{time_text, usd_text};

/// Screens of at least this size show all panes at once.
const WIDE: (u16, u16) = (110, 32);

/// So many rows of a pane are in a text.
const ROWS_IN_TEXT: usize = 20;

/// The words in front of the first lines are within so much.
const NAME_WIDTH: usize = 7;

/// A part of the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pane {
    /// Jobs by queue.
    #[default]
    Queues,
    /// Why jobs wait.
    Waiting,
    /// Hosts by type, zone and market.
    Fleet,
    /// Hosts one by one.
    Hosts,
    /// What happened last.
    Events,
}

impl Pane {
    /// All, in the order in which they are looked at.
    pub const ALL: [Self; 5] =
        [Self::Queues, Self::Waiting, Self::Fleet, Self::Hosts, Self::Events];

    const fn title(self) -> &'static str {
        match self {
            Self::Queues => "Queues",
            Self::Waiting => "Why jobs wait",
            Self::Fleet => "Fleet",
            Self::Hosts => "Hosts",
            Self::Events => "Events",
        }
    }

    /// The one so many further on, around.
    #[must_use]
    pub fn turned(self, steps: usize) -> Self {
        let at = Self::ALL.iter().position(|pane| *pane == self).unwrap_or_default();
        let then = (at + steps) % Self::ALL.len();
        Self::ALL.get(then).copied().unwrap_or_default()
    }
}

/// What the user looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// The pane that keys are for.
    pub pane: Pane,
    /// How many of its rows are above it.
    pub scroll: usize,
    /// Whether the keys are explained.
    pub is_help: bool,
    /// What went wrong with the last reading.
    pub trouble: Option<String>,
}

/// Draws it.
pub fn draw(view: &TopView, look: &Look, area: Rect, buffer: &mut Buffer) {
    let header = header(view, area.width.into());
    let n_header = u16::try_from(header.len()).unwrap_or(u16::MAX);
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(n_header), Constraint::Min(0), Constraint::Length(1)])
            .areas(area);
    Paragraph::new(header).render(top, buffer);
    if WIDE.0 <= area.width && WIDE.1 <= area.height {
        all_panes(view, look, middle, buffer);
    } else {
        let [tabs, pane] =
            Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(middle);
        Paragraph::new(tab_line(look.pane)).render(tabs, buffer);
        one_pane(view, look, look.pane, pane, buffer);
    }
    Paragraph::new(footer(look)).render(bottom, buffer);
    if look.is_help {
        help(area, buffer);
    }
}

fn all_panes(view: &TopView, look: &Look, area: Rect, buffer: &mut Buffer) {
    let rows = [Constraint::Fill(3), Constraint::Fill(4), Constraint::Fill(4)];
    let [upper, middle, events] = Layout::vertical(rows).areas(area);
    let halves = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]);
    let [queues, waiting] = halves.areas(upper);
    let [fleet, hosts] = halves.areas(middle);
    for (pane, area) in Pane::ALL.into_iter().zip([queues, waiting, fleet, hosts, events]) {
        one_pane(view, look, pane, area, buffer);
    }
}

fn one_pane(view: &TopView, look: &Look, pane: Pane, area: Rect, buffer: &mut Buffer) {
    let is_focused = pane == look.pane;
    let border = if is_focused { BorderType::Thick } else { BorderType::Plain };
    let (header, rows) = grid(view, pane).lines(area.width.saturating_sub(2).into());
    let n_rows = rows.len();
    let n_room = usize::from(area.height.saturating_sub(3));
    let scroll = if is_focused { look.scroll.min(n_rows.saturating_sub(n_room)) } else { 0 };
    let shown = rows.into_iter().skip(scroll).take(n_room);
    let until = (scroll + n_room).min(n_rows);
    let title = if n_rows <= n_room {
        format!(" {} ", pane.title())
    } else {
        format!(" {} {}-{until} of {n_rows} ", pane.title(), scroll + 1)
    };
    let title_style =
        if is_focused { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
    let block = Block::bordered().border_type(border).title(Span::styled(title, title_style));
    let lines: Vec<Line<'_>> = if n_rows == 0 {
        vec![Line::from(nothing(pane))]
    } else {
        [header].into_iter().chain(shown).collect()
    };
    Paragraph::new(lines).block(block).render(area, buffer);
}

/// How many rows a pane has.
pub fn n_rows(view: &TopView, pane: Pane) -> usize {
    match pane {
        Pane::Queues => view.queues.len(),
        Pane::Waiting => view.waiting.len(),
        Pane::Fleet => view.fleet.len(),
        Pane::Hosts => view.hosts.len(),
        Pane::Events => view.events.len(),
    }
}

const fn nothing(pane: Pane) -> &'static str {
    match pane {
        Pane::Queues => "There is no queue.",
        Pane::Waiting => "No job waits.",
        Pane::Fleet | Pane::Hosts => "There is no host.",
        Pane::Events => "Nothing has happened yet.",
    }
}

fn tab_line(focused: Pane) -> Line<'static> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    for pane in Pane::ALL {
        let is_focused = pane == focused;
        let style =
            if is_focused { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
        let mark = if is_focused { '>' } else { ' ' };
        spans.push(Span::styled(format!("{mark}{} ", pane.title()), style));
    }
    Line::from(spans)
}

fn footer(look: &Look) -> Line<'static> {
    look.trouble.as_ref().map_or_else(
        || Line::from("q quit  tab, arrows: other pane, up and down in it  ? help"),
        |trouble| Line::styled(trouble.clone(), style(Tone::Bad)),
    )
}

fn help(area: Rect, buffer: &mut Buffer) {
    let lines = [
        "q, esc, Ctrl-C   quit",
        "tab, right       the next pane",
        "shift-tab, left  the pane before",
        "1 to 5           that pane",
        "up, down         up and down in the pane",
        "page up, down    ten rows at a time",
        "home             to its beginning",
        "?                this, and away with it",
    ];
    let (width, height) = (46.min(area.width), 10.min(area.height));
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    Clear.render(place, buffer);
    let block = Block::bordered().border_type(BorderType::Double).title(" Keys ");
    Paragraph::new(lines.map(Line::from).to_vec()).block(block).render(place, buffer);
}

/// The same as plain text, with the first rows of each pane.
pub fn text(view: &TopView, width: u16) -> String {
    let width = usize::from(width);
    let mut text = String::new();
    let mut push = |line: &Line<'_>| {
        text.push_str(line.to_string().trim_end());
        text.push('\n');
    };
    for line in header(view, width) {
        push(&line);
    }
    for pane in Pane::ALL {
        push(&Line::default());
        push(&Line::from(pane.title()));
        let (header, rows) = grid(view, pane).lines(width.saturating_sub(2));
        if rows.is_empty() {
            push(&Line::from(format!("  {}", nothing(pane))));
            continue;
        }
        let n_more = rows.len().saturating_sub(ROWS_IN_TEXT);
        for line in [header].into_iter().chain(rows.into_iter().take(ROWS_IN_TEXT)) {
            push(&Line::from(format!("  {line}")));
        }
        if 0 < n_more {
            push(&Line::from(format!("  and {n_more} more; --format json has them")));
        }
    }
    text
}

/// What holds for all of it, in lines that are not longer than `width`.
fn header(view: &TopView, width: usize) -> Vec<Line<'static>> {
    let money = &view.money;
    let mut lines: Vec<Line<'static>> = Vec::new();
    let mut say = |name: &str, text: &str| {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let mut name = name;
        for text in wrapped(text, width.saturating_sub(NAME_WIDTH)) {
            let name = std::mem::take(&mut name);
            let name = Span::styled(format!("{name:<NAME_WIDTH$}"), bold);
            lines.push(Line::from(vec![name, Span::raw(text)]));
        }
    };
    say("As of", &format!("{}, {}", time_text(view.as_of), view.ledger));
    say("Jobs", &counts_text(&view.jobs));
    let n_hosts = view.hosts.len();
    let price = money.price_usd_per_hour;
    let packing = packing_text(&view.packing);
    say("Hosts", &format!("{n_hosts} at {price}{packing}"));
    if let Some(proven) = &money.proven {
        let bound = proven.bound_usd_per_hour;
        let above = 100.0 * gap(price, bound).max(0.0);
        let says = if view.hosts.iter().all(|host| host.jobs == 0) {
            "nothing is on a host".to_owned()
        } else {
            format!("what is on them cannot be held for less than {bound}: {above:.0} % above it")
        };
        say("Bound", &says);
        let (next, least) = (proven.next_usd_per_hour, proven.next_bound_usd_per_hour);
        say(
            "Next",
            &format!("the next plan buys for {next}; to hold the same costs {least} at least"),
        );
    } else {
        let why = money.why_not_proven.as_deref().unwrap_or("prices have not been read");
        say("Bound", &format!("not known: {why}"));
    }
    say(
        "Today",
        &format!("{} since {}", usd_text(money.spent_today_usd), time_text(money.today_since)),
    );
    for (name, text) in view.burst.iter().flat_map(BurstView::lines) {
        say(name, &text);
    }
    for budget in &view.budgets {
        say("Budget", &format!("{}: {}", budget.budget, budget.says));
    }
    lines
}

/// A text in lines of whole words. A word that is wider than a line is cut.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if text_width(line) + 1 + text_width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(cut(word, width)),
        }
    }
    lines
}

fn packing_text(packing: &Packing) -> String {
    let Some((cpu, memory)) = percents(packing) else { return String::new() };
    let gib = gib_text(packing.memory_mib);
    format!(": {} vCPUs, {cpu:.0} % held; {gib}, {memory:.0} % held", packing.vcpus)
}

fn gib_text(mib: u64) -> String {
    let mib = u32::try_from(mib).unwrap_or(u32::MAX);
    format!("{:.1} GiB", f64::from(mib) / 1024.0)
}

/// How much of the vCPUs and of the memory is used; nothing where nothing is registered.
fn percents(packing: &Packing) -> Option<(f64, f64)> {
    let memory = |mib: u64| f64::from(u32::try_from(mib).unwrap_or(u32::MAX));
    let part = |used: f64, of: f64| (0.0 < of).then(|| 100.0 * used / of);
    let cpu = part(packing.vcpus_used, packing.vcpus)?;
    Some((cpu, part(memory(packing.memory_used_mib), memory(packing.memory_mib))?))
}

fn percent_cells(packing: &Packing) -> [Cell; 2] {
    percents(packing).map_or_else(
        || ["-".into(), "-".into()],
        |(cpu, memory)| [format!("{cpu:.0} %").into(), format!("{memory:.0} %").into()],
    )
}

fn grid(view: &TopView, pane: Pane) -> Grid {
    match pane {
        Pane::Queues => queues(view),
        Pane::Waiting => waiting(view),
        Pane::Fleet => fleet(view),
        Pane::Hosts => hosts(view),
        Pane::Events => events(view),
    }
}

const fn status_tone(status: JobStatus, n: u64) -> Tone {
    match status {
        _ if n == 0 => Tone::Plain,
        JobStatus::Submitted | JobStatus::Pending | JobStatus::Runnable => Tone::Plain,
        JobStatus::Starting | JobStatus::Running => Tone::Busy,
        JobStatus::Succeeded => Tone::Good,
        JobStatus::Failed => Tone::Bad,
    }
}

fn queues(view: &TopView) -> Grid {
    let mut grid = Grid::new(&[
        Column::new("QUEUE", Kind::Flexible, 0),
        Column::new("SUBMITTED", Kind::Number, 2),
        Column::new("PENDING", Kind::Number, 1),
        Column::new("RUNNABLE", Kind::Number, 0),
        Column::new("STARTING", Kind::Number, 0),
        Column::new("RUNNING", Kind::Number, 0),
        Column::new("SUCCEEDED", Kind::Number, 0),
        Column::new("FAILED", Kind::Number, 0),
    ]);
    for row in &view.queues {
        let name = if row.paused {
            Cell::toned(format!("{} (paused)", row.queue), Tone::Warning)
        } else {
            row.queue.as_str().into()
        };
        let count = |count: &super::StatusCount| {
            Cell::toned(count.count.to_string(), status_tone(count.status, count.count))
        };
        grid.row([name].into_iter().chain(row.jobs.iter().map(count)).collect::<Vec<_>>());
    }
    grid
}

fn waiting(view: &TopView) -> Grid {
    let mut grid = Grid::new(&[
        Column::new("JOBS", Kind::Number, 0),
        Column::new("CODE", Kind::Text, 0),
        Column::new("WHY", Kind::Flexible, 1),
    ]);
    for row in &view.waiting {
        grid.row([
            row.jobs.to_string().into(),
            row.code.as_str().into(),
            row.reason.as_str().into(),
        ]);
    }
    grid
}

fn fleet(view: &TopView) -> Grid {
    let mut grid = Grid::new(&[
        Column::new("TYPE", Kind::Text, 0),
        Column::new("ZONE", Kind::Text, 0),
        Column::new("MARKET", Kind::Text, 0),
        Column::new("HOSTS", Kind::Number, 0),
        Column::new("BOOT", Kind::Number, 3),
        Column::new("LEAVING", Kind::Number, 4),
        Column::new("CPU", Kind::Number, 1),
        Column::new("MEMORY", Kind::Number, 2),
        Column::new("PRICE", Kind::Number, 0),
    ]);
    for row in &view.fleet {
        let [cpu, memory] = percent_cells(&row.packing);
        grid.row([
            row.instance_type.as_str().into(),
            row.zone.as_str().into(),
            row.market.to_string().into(),
            row.hosts.to_string().into(),
            row.booting.to_string().into(),
            row.leaving.to_string().into(),
            cpu,
            memory,
            row.price_usd_per_hour.to_string().into(),
        ]);
    }
    grid
}

fn hosts(view: &TopView) -> Grid {
    let mut grid = Grid::new(&[
        Column::new("INSTANCE", Kind::Text, 0),
        Column::new("TYPE", Kind::Text, 2),
        Column::new("ZONE", Kind::Text, 4),
        Column::new("MARKET", Kind::Text, 5),
        Column::new("STATUS", Kind::Text, 0),
        Column::new("JOBS", Kind::Number, 0),
        Column::new("CPU", Kind::Number, 0),
        Column::new("MEMORY", Kind::Number, 0),
        Column::new("PRICE", Kind::Number, 3),
    ]);
    for row in &view.hosts {
        let [cpu, memory] = percent_cells(&row.packing);
        grid.row([
            row.instance_id.as_deref().unwrap_or("-").into(),
            row.instance_type.as_str().into(),
            row.zone.as_str().into(),
            row.market.to_string().into(),
            Cell::toned(row.status.to_string(), host_tone(row.status)),
            row.jobs.to_string().into(),
            cpu,
            memory,
            row.price_usd_per_hour.to_string().into(),
        ]);
    }
    grid
}

fn events(view: &TopView) -> Grid {
    let mut grid = Grid::new(&[
        Column::new("WHEN", Kind::Text, 0),
        Column::new("WHAT", Kind::Text, 1),
        Column::new("NAME", Kind::Text, 0),
        Column::new("EVENT", Kind::Flexible, 0),
    ]);
    for row in &view.events {
        let what = match row.subject {
            Subject::Job => "job",
            Subject::Host => "host",
            Subject::Launch => "launch",
        };
        let name = cut(&row.name, 24);
        grid.row([
            when(row.at, view.as_of).into(),
            what.into(),
            name.into(),
            row.event.as_str().into(),
        ]);
    }
    grid
}

/// The time of day, or the day if it was another one.
fn when(at: Timestamp, as_of: Timestamp) -> String {
    let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
    if day(at) == day(as_of) { at.strftime("%H:%M:%S").to_string() } else { day(at) }
}

#[cfg(test)]
mod tests;
