//! Pictures of a page as inline SVG. The picture is stretched to the width there is; its words stand beside it as text of the page, so that
//! they are of one size on every screen.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::table::{Unit, escaped, time_text};

/// The picture's own units.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 240.0;

/// So many words are under a picture, on a small screen every other one.
const LABELS_MAX: usize = 7;

/// Words of more letters than this leave the picture when they begin farther right than this, in percent.
const LABEL_SHORT: usize = 8;
const EDGE_PERCENT: f64 = 88.0;

/// The same on a small screen, whatever the word.
const SMALL_EDGE_PERCENT: f64 = 70.0;

/// A named row of values.
pub(crate) struct Series<'a> {
    pub(crate) name: &'a str,
    /// Its colour in the style sheet: `c1` and so on.
    pub(crate) color: &'a str,
    /// None where there is nothing to show.
    pub(crate) values: Vec<Option<f64>>,
}

impl<'a> Series<'a> {
    pub(crate) fn new(name: &'a str, color: &'a str, values: impl Iterator<Item = f64>) -> Self {
        Self { name, color, values: values.map(Some).collect() }
    }
}

/// How values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Columns on each other.
    Stacked,
    /// A line each.
    Lines,
}

/// A picture.
pub(crate) struct Chart<'a> {
    /// What it shows, for those who cannot see it.
    pub(crate) title: &'a str,
    pub(crate) form: Form,
    pub(crate) unit: Unit,
    /// What stands under each column.
    pub(crate) labels: Vec<String>,
    pub(crate) series: Vec<Series<'a>>,
    /// Places that are marked, in columns from the left, each with its name.
    pub(crate) marks: Vec<(f64, String)>,
    /// The upper end, if it is given.
    pub(crate) max: Option<f64>,
}

impl<'a> Chart<'a> {
    /// A picture over time.
    pub(crate) fn over_time(
        title: &'a str,
        unit: Unit,
        times: impl Iterator<Item = Timestamp>,
        step_s: i64,
        series: Vec<Series<'a>>,
    ) -> Self {
        let labels = times.map(|at| time_text(at, step_s)).collect();
        Self { title, form: Form::Stacked, unit, labels, series, marks: Vec::new(), max: None }
    }

    /// Adds it to a page.
    pub(crate) fn draw(&self, page: &mut String) {
        page.push_str("<figure>");
        self.legend(page);
        let (top, unit_step) = self.scale();
        page.push_str("<div class=\"plot\"><div class=\"y\">");
        for n in 0..=4_u8 {
            let part = f64::from(n) / 4.0;
            let text = short(self.unit, top * part, unit_step);
            let _ = write!(page, "<span style=\"bottom:{:.0}%\">{text}</span>", 100.0 * part);
        }
        page.push_str("</div>");
        self.svg(page, top);
        page.push_str("</div>");
        self.words(page);
        page.push_str("</figure>");
    }

    fn legend(&self, page: &mut String) {
        page.push_str("<figcaption>");
        for series in &self.series {
            let (color, name) = (series.color, escaped(series.name));
            let _ = write!(page, "<span><i class=\"{color}\"></i>{name}</span>");
        }
        for (_, name) in &self.marks {
            let _ = write!(page, "<span><i class=\"mark\"></i>{}</span>", escaped(name));
        }
        page.push_str("</figcaption>");
    }

    fn n_columns(&self) -> usize {
        self.labels.len()
    }

    /// The value at the upper end, and the distance of two grid lines.
    fn scale(&self) -> (f64, f64) {
        let column = |n: usize| -> f64 {
            let values = self.series.iter().filter_map(|s| s.values.get(n).copied().flatten());
            match self.form {
                Form::Stacked => values.sum(),
                Form::Lines => values.fold(0.0, f64::max),
            }
        };
        let most = (0..self.n_columns()).map(column).fold(0.0, f64::max);
        let top = self.max.unwrap_or_else(|| 4.0 * round_step(most / 4.0, self.unit));
        (top, top / 4.0)
    }

    fn svg(&self, page: &mut String, top: f64) {
        let _ = write!(
            page,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
            escaped(self.title)
        );
        for n in 0..=4_u8 {
            let y = HEIGHT * f64::from(n) / 4.0;
            let _ = write!(page, "<path class=\"grid\" d=\"M0 {y:.0}H{WIDTH}\"/>");
        }
        match self.form {
            Form::Stacked => self.columns(page, top),
            Form::Lines => self.lines(page, top),
        }
        for (at, _) in &self.marks {
            let x = at * self.column_width();
            let _ = write!(page, "<path class=\"mark\" d=\"M{x:.1} 0V{HEIGHT}\"/>");
        }
        self.tips(page);
        page.push_str("</svg>");
    }

    fn column_width(&self) -> f64 {
        WIDTH / from_count(self.n_columns().max(1))
    }

    fn columns(&self, page: &mut String, top: f64) {
        let width = self.column_width();
        let mut below = vec![0.0_f64; self.n_columns()];
        for series in &self.series {
            let mut path = String::new();
            for (n, (value, under)) in series.values.iter().zip(&mut below).enumerate() {
                let Some(value) = value.filter(|value| 0.0 < *value) else { continue };
                let (low, high) =
                    (HEIGHT * (1.0 - *under / top), HEIGHT * (1.0 - (*under + value) / top));
                let (left, gap) = (from_count(n) * width, width * 0.08);
                let _ = write!(
                    path,
                    "M{:.1} {low:.1}V{high:.1}H{:.1}V{low:.1}z",
                    left + gap,
                    left + width - gap
                );
                *under += value;
            }
            let _ = write!(page, "<path class=\"{}\" d=\"{path}\"/>", series.color);
        }
    }

    fn lines(&self, page: &mut String, top: f64) {
        let width = self.column_width();
        for series in &self.series {
            let mut path = String::new();
            let mut is_drawn = false;
            for (n, value) in series.values.iter().enumerate() {
                let Some(value) = value else {
                    is_drawn = false;
                    continue;
                };
                let y = HEIGHT * (1.0 - value.min(top) / top);
                let left = from_count(n) * width;
                let to = if is_drawn { 'L' } else { 'M' };
                let _ = write!(path, "{to}{left:.1} {y:.1}H{:.1}", left + width);
                is_drawn = true;
            }
            let _ = write!(page, "<path class=\"line {}\" d=\"{path}\"/>", series.color);
        }
    }

    /// What each column says, for a pointer that rests on it.
    fn tips(&self, page: &mut String) {
        let width = self.column_width();
        for (n, label) in self.labels.iter().enumerate() {
            let mut tip = label.clone();
            for series in &self.series {
                if let Some(value) = series.values.get(n).copied().flatten() {
                    let _ = write!(tip, "; {} {}", series.name, self.unit.text(value));
                }
            }
            let x = from_count(n) * width;
            let _ = write!(
                page,
                "<rect class=\"tip\" x=\"{x:.1}\" y=\"0\" width=\"{width:.1}\" height=\"{HEIGHT}\"><title>{}</title></rect>",
                escaped(&tip)
            );
        }
    }

    /// The words under it, each from its column to the right: none that would leave the picture. On a small screen most are left
    /// out.
    fn words(&self, page: &mut String) {
        page.push_str("<div class=\"x\">");
        let n_columns = self.n_columns();
        let every = n_columns.div_ceil(LABELS_MAX).max(1);
        let shown: Vec<(usize, &String)> = self.labels.iter().enumerate().step_by(every).collect();
        for (nth, (n, label)) in shown.iter().enumerate() {
            let left = 100.0 * from_count(*n) / from_count(n_columns.max(1));
            if EDGE_PERCENT < left && LABEL_SHORT < label.len() {
                continue;
            }
            let is_roomy = nth % 3 == 0 && left < SMALL_EDGE_PERCENT;
            let class = if is_roomy { "" } else { " class=\"wide\"" };
            let _ =
                write!(page, "<span{class} style=\"left:{left:.2}%\">{}</span>", escaped(label));
        }
        page.push_str("</div>");
    }
}

fn from_count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// A distance of grid lines that people can count in, at least so much.
fn round_step(least: f64, unit: Unit) -> f64 {
    if least <= 0.0 {
        return 1.0;
    }
    let power = 10.0_f64.powf(least.log10().floor());
    let round = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0].into_iter().map(|n| n * power);
    let round = round.filter(|step| least <= *step * 1.000_001);
    let is_whole = |step: &f64| unit != Unit::Count || (1.0 <= *step && step.fract() < 1e-9);
    let step = round.clone().find(is_whole).unwrap_or(10.0 * power);
    if unit == Unit::Count { step.max(1.0) } else { step }
}

/// A number on an axis, with as many decimals as its neighbours need.
fn short(unit: Unit, value: f64, step: f64) -> String {
    let decimals = if 1.0 <= step && step.fract() < 1e-9 {
        0
    } else {
        // One more than the step's own power, for steps of 2.5.
        let places = (-step.log10()).ceil().clamp(0.0, 6.0);
        [0_usize, 1, 2, 3, 4, 5, 6]
            .into_iter()
            .find(|n| places <= from_count(*n))
            .map_or(6, |n| if is_exact(step, n) { n } else { n + 1 })
    };
    let number = if 10_000.0 <= value && decimals == 0 {
        format!("{:.0}k", value / 1000.0)
    } else {
        format!("{value:.decimals$}")
    };
    match unit {
        Unit::Usd => format!("${number}"),
        Unit::Percent => format!("{number} %"),
        Unit::Count | Unit::Mean | Unit::Hours | Unit::Seconds => number,
    }
}

fn is_exact(step: f64, decimals: usize) -> bool {
    let text = format!("{step:.decimals$}");
    text.parse::<f64>().is_ok_and(|read| (read - step).abs() < step * 1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(values: &[f64]) -> Chart<'static> {
        let times = (0..).map(|n| Timestamp::from_second(n * 60).unwrap());
        let series = vec![Series::new("a & b", "c1", values.iter().copied())];
        Chart::over_time("jobs <all>", Unit::Mean, times.take(values.len()), 60, series)
    }

    fn drawn(chart: &Chart<'_>) -> String {
        let mut page = String::new();
        chart.draw(&mut page);
        page
    }

    #[test]
    fn an_axis_ends_at_a_round_number_that_holds_all() {
        let axis = |most: f64, unit| {
            let step = round_step(most / 4.0, unit);
            let labels: Vec<String> =
                (0..=4_u8).map(|n| short(unit, f64::from(n) * step, step)).collect();
            labels.join(" ")
        };

        assert_eq!(axis(3.0, Unit::Mean), "0.0 0.8 1.6 2.4 3.2");
        assert_eq!(axis(211.0, Unit::Mean), "0 60 120 180 240");
        assert_eq!(axis(37.0, Unit::Mean), "0 10 20 30 40");
        assert_eq!(axis(0.9, Unit::Usd), "$0.00 $0.25 $0.50 $0.75 $1.00");
        assert_eq!(axis(0.000_7, Unit::Usd), "$0.0000 $0.0002 $0.0004 $0.0006 $0.0008");
        assert_eq!(axis(1.0, Unit::Count), "0 1 2 3 4");
        assert_eq!(axis(9.0, Unit::Count), "0 3 6 9 12");
        assert_eq!(axis(81_000.0, Unit::Mean), "0 25k 50k 75k 100k");
        assert_eq!(axis(0.0, Unit::Mean), "0 1 2 3 4");
    }

    #[test]
    fn columns_stand_on_each_other_and_never_leave_the_picture() {
        let mut both = chart(&[1.0, 2.0]);
        both.series.push(Series::new("more", "c2", [3.0, 0.0].into_iter()));

        let page = drawn(&both);

        // The second column is the first one's height alone; on top of the first stands the other.
        assert!(
            page.contains(
                "class=\"c1\" d=\"M40.0 240.0V180.0H460.0V240.0zM540.0 240.0V120.0H960.0V240.0z\""
            ),
            "{page}"
        );
        assert!(page.contains("class=\"c2\" d=\"M40.0 180.0V0.0H460.0V180.0z\""), "{page}");
    }

    #[test]
    fn a_line_is_broken_where_there_is_nothing_to_show() {
        let mut gap = chart(&[50.0, 0.0, 100.0]);
        (gap.form, gap.max) = (Form::Lines, Some(100.0));
        gap.series[0].values[1] = None;

        let page = drawn(&gap);

        assert!(page.contains("d=\"M0.0 120.0H333.3M666.7 0.0H1000.0\""), "{page}");
    }

    #[test]
    fn names_are_text() {
        let page = drawn(&chart(&[1.0]));

        assert!(page.contains("a &amp; b") && page.contains("jobs &lt;all&gt;"), "{page}");
        assert!(!page.contains("<all>"));
    }

    #[test]
    fn a_picture_of_nothing_is_a_picture() {
        let page = drawn(&chart(&[]));

        assert!(page.contains("<svg") && !page.contains("NaN") && !page.contains("inf"), "{page}");
    }
}
