//! The page of a report as a browser shows it: in headless Chromium, at the width of a phone and of a desk, with its tables folded and
//! open. Nothing is on anything else, nothing leaves the page, it asks for nothing, and every number is one of `--format json`.

use std::path::PathBuf;
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::report::{home, json, page};
use crate::rig::Home;

const SCRIPT: &str = include_str!("browser.js");

/// Where Debian and others put it.
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Nobody's profile, no network, no sandbox (it needs rights that a container has not), and all there is in a moment's time.
const FLAGS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--virtual-time-budget=10000",
    "--dump-dom",
];

/// What a browser saw of a page at one width.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Seen {
    width: u32,
    is_open: bool,
    page_width: u32,
    n_boxes: usize,
    n_pictures: usize,
    smallest: f64,
    outside: Vec<String>,
    overlaps: Vec<String>,
    scrolled: Vec<String>,
    requests: Vec<String>,
    tables: Vec<Table>,
}

#[derive(Debug, Deserialize)]
struct Table {
    json: String,
    fields: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cell {
    text: String,
    time: Option<String>,
    is_text: bool,
    is_seen: bool,
}

impl Cell {
    fn value(&self) -> Value {
        if let Some(time) = &self.time {
            return time.as_str().into();
        }
        if self.is_text {
            return self.text.as_str().into();
        }
        if self.text == "-" {
            return Value::Null;
        }
        let number = self.text.trim_start_matches('$').trim_end_matches([' ', '%', 's', '\u{a0}']);
        number.parse::<f64>().unwrap_or_else(|error| panic!("{error}: {self:?}")).into()
    }
}

fn chromium() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let all = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|file| file.is_file())
}

/// What a browser sees of a page; none, told loudly, where there is no browser.
#[expect(clippy::print_stderr, reason = "a test that tests nothing says so")]
fn seen(home: &Home, page: &str) -> Option<Vec<Seen>> {
    let Some(chromium) = chromium() else {
        eprintln!("SKIPPED: there is no Chromium, so nobody has looked at the report's page");
        return None;
    };
    // Within a script, `</` may be the end of it.
    let text = serde_json::to_string(page).unwrap().replace("</", "<\\/");
    let document = format!(
        "<!doctype html><meta charset=\"utf-8\"><body><script>const PAGE = {text};\n{SCRIPT}</script>"
    );
    std::fs::write(home.file("look.html"), document).unwrap();
    let ran = Command::new(chromium)
        .args(FLAGS)
        .arg("--window-size=1500,1000")
        .arg(format!("--user-data-dir={}", home.file("profile").display()))
        .arg(format!("file://{}", home.file("look.html").display()))
        .output()
        .unwrap();
    let shown = String::from_utf8(ran.stdout).unwrap();
    let told = shown.rsplit_once("<pre>").and_then(|(_, rest)| rest.split_once("</pre>"));
    let Some((told, _)) = told else {
        panic!("it saw nothing: {}", String::from_utf8_lossy(&ran.stderr));
    };
    let told = told.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}");
    Some(serde_json::from_str(&told.replace("&amp;", "&")).unwrap())
}

/// Holds what is shown against JSON.
fn compare(seen: &Seen, report: &Value) {
    let mut n_cells = 0;
    for Table { json, fields, rows } in &seen.tables {
        let expected = report.pointer(json).and_then(Value::as_array).unwrap();
        assert_eq!(rows.len(), expected.len(), "rows of {json}");
        for (row, expected) in rows.iter().zip(expected) {
            assert_eq!(row.len(), fields.len(), "{json}");
            for (cell, field) in row.iter().zip(fields) {
                let (shown, told) = (cell.value(), &expected[field]);
                let are_same = match (shown.as_f64(), told.as_f64()) {
                    (Some(shown), Some(told)) => shown.total_cmp(&told).is_eq(),
                    (_, _) => shown == *told,
                };
                assert!(are_same, "{json} {field}: the page shows {shown}, JSON says {told}");
                assert!(cell.is_seen || !seen.is_open, "{json} {field} {shown} is not to be seen");
                n_cells += 1;
            }
        }
    }
    assert!(500 < n_cells, "{n_cells} numbers");
    for (name, rows) in report.as_object().unwrap().iter().filter(|(_, part)| part.is_array()) {
        let is_shown = seen.tables.iter().any(|table| table.json == format!("/{name}"));
        assert!(is_shown || rows.as_array().unwrap().is_empty(), "{name} is on no table");
    }
}

#[test]
fn a_browser_shows_all_numbers_and_nothing_on_anything_else_on_a_phone_and_a_desk() {
    let (home, _) = home();
    let report = json(&home, &[]);

    let Some(all) = seen(&home, &page(&home, &[])) else { return };

    let looked: Vec<(u32, bool)> = all.iter().map(|seen| (seen.width, seen.is_open)).collect();
    assert_eq!(looked, [(400, false), (400, true), (1_400, false), (1_400, true)]);
    for seen in &all {
        let of = format!("at {} pixels, open: {}", seen.width, seen.is_open);
        assert!(seen.page_width <= seen.width, "{} pixels {of}", seen.page_width);
        assert_eq!(seen.overlaps, [""; 0], "{of}");
        assert_eq!(seen.outside, [""; 0], "{of}");
        assert_eq!(seen.requests, [""; 0], "{of}");
        assert_eq!(seen.n_pictures, 7, "{of}");
        assert!(12.0 <= seen.smallest, "letters of {} pixels {of}", seen.smallest);
        assert!(200 < seen.n_boxes, "{} texts {of}", seen.n_boxes);
        compare(seen, &report);
        // Tables of many columns over time may be moved sideways on a phone.
        if !seen.is_open || seen.width == 1_400 {
            assert_eq!(seen.scrolled, [""; 0], "{of}");
        }
    }
}

/// The test above can fail: a page like it with a text on another, one that leaves it, and a picture from elsewhere.
#[test]
fn a_browser_sees_what_is_wrong_with_a_page() {
    let home = Home::new();
    let page = "<!doctype html><body style=\"margin:0\"><p style=\"margin:0\">one text</p>\
        <p style=\"margin:-1rem 0 0\">another</p><p style=\"width:2000px;text-align:right\">far</p>\
        <img src=\"file:///nowhere.png\">";

    let Some(all) = seen(&home, page) else { return };

    for seen in all {
        assert_eq!(seen.overlaps, ["one text | another"]);
        assert_eq!(seen.outside, ["far"]);
        assert!(seen.width < seen.page_width && seen.requests.len() == 1, "{seen:?}");
    }
}
