//! The lines as tables for people.

use std::fmt::Write as _;

use super::{Judged, Line};

/// Pads each column to its widest cell: the first to the left, the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|c| c.chars().count()).max();
    let widths: Vec<usize> = (0..n_columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = if at == 0 {
                write!(line, "{cell:<width$}")
            } else {
                write!(line, "  {cell:>width$}")
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"))
}

fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(|cell| (*cell).to_owned()).collect()
}

pub(super) fn text(lines: &[Line]) -> String {
    let header = [
        "PROBLEM",
        "JOBS",
        "LINES",
        "COST",
        "OVER BEST",
        "OVER BOUND",
        "BOUND/BEST",
        "MS",
        "MB",
        "JUDGE",
    ];
    let mut rows = vec![row(&header)];
    for line in lines {
        let judged = match line.judged {
            Judged::Accepted => "ok",
            Judged::Refused => "REFUSED",
            Judged::Unasked => "-",
        };
        rows.push(vec![
            line.problem.clone(),
            line.jobs.to_string(),
            line.lines.to_string(),
            format!("{:.3}", line.cost),
            ratio(line.cost_over_best),
            format!("{:.4}", line.cost_over_bound),
            ratio(line.bound_over_best_bound),
            format!("{:.0}", line.elapsed_ms),
            format!("{:.0}", line.peak_mb),
            judged.to_owned(),
        ]);
    }
    let mut text = String::from("Cost in $/h; with durations, in $. Bounds are proven.\n\n");
    text += &aligned(&rows);
    text += &summary(lines);
    text += "\nOthers' cost over the best known (over Spillway's where none is known)\n\n";
    text += &aligned(&others(lines));
    text
}

fn others(lines: &[Line]) -> Vec<Vec<String>> {
    let mut header = row(&["PROBLEM", "spillway"]);
    let named = lines.first().into_iter().flat_map(|line| &line.others);
    header.extend(named.map(|other| other.policy.to_owned()));
    let mut rows = vec![header];
    for line in lines {
        let mut cells =
            vec![line.problem.clone(), format!("{:.2}", line.cost_over_best.unwrap_or(1.0))];
        cells.extend(line.others.iter().map(|other| format!("{:.2}", other.over_best)));
        rows.push(cells);
    }
    rows
}

/// Median and worst of the two ratios, of static problems and of those with durations.
fn summary(lines: &[Line]) -> String {
    let mut text = String::from("\n");
    for (kind, timed) in [("static", false), ("with durations", true)] {
        let of_kind = || lines.iter().filter(move |line| line.timed == timed);
        let mut costs: Vec<f64> = of_kind().filter_map(|line| line.cost_over_best).collect();
        let mut bounds: Vec<f64> =
            of_kind().filter_map(|line| line.bound_over_best_bound).collect();
        costs.sort_by(f64::total_cmp);
        bounds.sort_by(|a, b| b.total_cmp(a));
        if let (Some((cost, worst)), Some((bound, weakest))) = (middle(&costs), middle(&bounds)) {
            let _ = writeln!(
                text,
                "{kind}: cost over best known {cost:.4} median, {worst:.4} worst; bound over best bound {bound:.4} median, {weakest:.4} worst"
            );
        }
    }
    text
}

/// The median and the last of a sorted list.
fn middle(sorted: &[f64]) -> Option<(f64, f64)> {
    let n = sorted.len();
    let upper = sorted.get(n / 2)?;
    let lower = sorted.get(n.saturating_sub(1) / 2)?;
    Some((f64::midpoint(*lower, *upper), *sorted.last()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let text = aligned(&[row(&["a", "bb"]), row(&["long", "c"])]);

        assert_eq!(text, "a     bb\nlong   c\n");
    }

    #[test]
    fn the_median_is_the_middle_and_the_last_is_the_worst() {
        assert_eq!(
            middle(&[1.0, 2.0, 9.0]).map(|(m, w)| (m.to_bits(), w.to_bits())),
            Some((2_f64.to_bits(), 9_f64.to_bits()))
        );
        assert_eq!(middle(&[1.0, 2.0]).map(|(m, _)| m.to_bits()), Some(1.5_f64.to_bits()));
        assert!(middle(&[]).is_none());
    }
}
