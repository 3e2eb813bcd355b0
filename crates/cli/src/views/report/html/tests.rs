//! The page of a view that a test has made up.

use super::*;
use crate::views::report::{FailureRow, WaitBin};

const BAD: &str = "<script>alert('x')</script> & \"more\"\u{1b}[2J";

fn view() -> ReportView {
    let at = "2026-01-05T00:00:00Z".parse::<Timestamp>().unwrap();
    ReportView {
        source: BAD.to_owned(),
        as_of: at,
        since: at,
        until: at,
        step_s: 60,
        queue: Some(BAD.to_owned()),
        summary: Vec::new(),
        fleet: Vec::new(),
        types: Vec::new(),
        jobs: Vec::new(),
        cost: Vec::new(),
        kinds: Vec::new(),
        waits: Vec::new(),
        packing: Vec::new(),
        interruptions: Vec::new(),
        interrupted: Vec::new(),
        failures: vec![FailureRow { reason: BAD.to_owned(), one_of_them: BAD.to_owned(), jobs: 3 }],
    }
}

#[test]
fn what_others_wrote_is_text_wherever_it_stands() {
    let page = page(&view());

    assert!(!page.contains("<script") && !page.contains('\u{1b}'), "{page}");
    let text = "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;more&quot; [2J";
    // In the head, as the queue, as the reason, as a name, and at the foot.
    assert_eq!(page.matches(text).count(), 5, "{page}");
}

#[test]
fn a_mark_stands_where_its_wait_is_between_the_edges_of_its_column() {
    let bin = |from_s, until_s| WaitBin { from_s, until_s, jobs: 1, percent: 50.0 };
    let bins = [bin(0, Some(1)), bin(1, Some(5)), bin(5, None)];

    let places = [0.5, 3.0, 5.0].map(|secs| format!("{:.2}", place(&bins, secs)));

    assert_eq!(places, ["0.50", "1.50", "2.50"]);
}
