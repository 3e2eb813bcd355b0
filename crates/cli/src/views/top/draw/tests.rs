//! What is drawn of a small deployment, as reviewed.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use spillway_core::host::HostStatus;
use spillway_core::{HostId, Market, MicroUsd, MicroUsdPerHour};
use uuid::Uuid;

use super::*;
use crate::views::job::StatusCount;
use crate::views::top::{EventRow, FleetRow, HostUseRow, Money, Proven, QueueRow, ReasonRow};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn counts(n: [u64; 7]) -> Vec<StatusCount> {
    let count = |(status, count)| StatusCount { status, count };
    JobStatus::ALL.into_iter().zip(n).map(count).collect()
}

fn queue(name: &str, paused: bool, n: [u64; 7]) -> QueueRow {
    QueueRow { queue: name.to_owned(), paused, jobs: counts(n) }
}

fn reason(jobs: u64, code: &str, reason: &str) -> ReasonRow {
    ReasonRow { code: code.to_owned(), reason: reason.to_owned(), jobs }
}

fn packing(vcpus_used: f64, vcpus: f64, used_gib: u64, gib: u64) -> Packing {
    Packing { vcpus_used, vcpus, memory_used_mib: used_gib * 1024, memory_mib: gib * 1024 }
}

fn host(n: u8, market: Market, status: HostStatus, jobs: u64, packing: Packing) -> HostUseRow {
    HostUseRow {
        id: HostId::from_uuid(Uuid::from_u128(n.into())),
        instance_id: (n != 4).then(|| format!("i-0{n}23456789abcdef{n}")),
        instance_type: if n < 3 { "c7g.4xlarge" } else { "r6i.large" }.to_owned(),
        zone: format!("use1-az{n}"),
        market,
        status,
        jobs,
        packing,
        price_usd_per_hour: MicroUsdPerHour::new(100_000 * u64::from(n)),
    }
}

fn fleet_row(of: &[&HostUseRow]) -> FleetRow {
    let mut packing = Packing::default();
    for host in of {
        packing.add(&host.packing);
    }
    let is_booting = |host: &&&HostUseRow| host.status == HostStatus::Requested;
    FleetRow {
        instance_type: of[0].instance_type.clone(),
        zone: of[0].zone.clone(),
        market: of[0].market,
        hosts: u64::try_from(of.len()).unwrap(),
        booting: u64::try_from(of.iter().filter(is_booting).count()).unwrap(),
        leaving: 0,
        packing,
        price_usd_per_hour: of.iter().map(|host| host.price_usd_per_hour).sum(),
    }
}

fn event(at_text: &str, subject: Subject, name: &str, event: &str) -> EventRow {
    let (name, event) = (name.to_owned(), event.to_owned());
    EventRow { at: at(at_text), subject, id: "id".to_owned(), name, event }
}

fn view() -> TopView {
    let hosts = vec![
        host(1, Market::Spot, HostStatus::Registered, 14, packing(14.0, 15.9, 20, 30)),
        host(2, Market::Spot, HostStatus::Draining, 3, packing(3.0, 15.9, 8, 30)),
        host(3, Market::OnDemand, HostStatus::Registered, 1, packing(0.5, 2.0, 12, 15)),
        host(4, Market::OnDemand, HostStatus::Requested, 0, Packing::default()),
    ];
    let mut all = Packing::default();
    for host in &hosts {
        all.add(&host.packing);
    }
    TopView {
        as_of: at("2026-11-26T13:45:01Z"),
        ledger: "/var/lib/spillway/ledger.db".to_owned(),
        jobs: counts([0, 12, 1_204, 3, 18, 98_311, 7]),
        queues: vec![
            queue("default", false, [0, 12, 1_200, 3, 16, 98_000, 7]),
            queue("nightly-reports", true, [0, 0, 4, 0, 2, 311, 0]),
        ],
        waiting: vec![
            reason(
                1_100,
                "room-expected",
                "room that comes free in 240 s is cheaper than another host",
            ),
            reason(100, "bought-next", "the next plan buys hosts for them"),
            reason(12, "waits-for-job", "they wait for other jobs to end"),
            reason(4, "queue-paused", "queue nightly-reports is paused"),
        ],
        fleet: hosts.iter().map(|host| fleet_row(&[host])).collect(),
        hosts,
        packing: all,
        money: Money {
            price_usd_per_hour: MicroUsdPerHour::new(1_000_000),
            proven: Some(Proven {
                prices: "built-in price list".to_owned(),
                bound_usd_per_hour: MicroUsdPerHour::new(800_000),
                next_usd_per_hour: MicroUsdPerHour::new(2_345_600),
                next_bound_usd_per_hour: MicroUsdPerHour::new(2_340_000),
            }),
            why_not_proven: None,
            spent_today_usd: MicroUsd::new(12_345_678),
            today_since: at("2026-11-26T00:00:00Z"),
        },
        budgets: Vec::new(),
        burst: None,
        events: vec![
            event("2026-11-26T13:45:00Z", Subject::Job, "align-7", "RUNNING, attempt 1"),
            event(
                "2026-11-26T13:44:58Z",
                Subject::Host,
                "i-0223456789abcdef2",
                "draining, spot interruption: c7g.4xlarge/use1-az2/spot",
            ),
            event(
                "2026-11-26T13:44:12Z",
                Subject::Job,
                "a-name-that-is-much-longer-than-there-is-room-for",
                "FAILED: Essential container in task exited\nOutOfMemoryError: \u{1b}[31mContainer killed due to memory usage, which nobody could have known before",
            ),
            event(
                "2026-11-25T23:59:59Z",
                Subject::Launch,
                "r6i.large/use1-az4/on-demand",
                "0 of 1 hosts launched: InsufficientInstanceCapacity",
            ),
        ],
    }
}

fn drawn(view: &TopView, look: &Look, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(view, look, frame.area(), frame.buffer_mut())).unwrap();
    terminal.backend().to_string()
}

fn at_pane(pane: Pane) -> Look {
    Look { pane, ..Look::default() }
}

#[test]
fn a_small_screen_shows_one_pane_under_what_holds_for_all() {
    for pane in Pane::ALL {
        let name = format!("small_{pane:?}").to_lowercase();
        insta::assert_snapshot!(name, drawn(&view(), &at_pane(pane), 80, 24));
    }
}

#[test]
fn a_large_screen_shows_all_panes() {
    insta::assert_snapshot!(drawn(&view(), &at_pane(Pane::Hosts), 140, 40));
}

#[test]
fn an_empty_deployment_says_so() {
    let view = TopView {
        jobs: counts([0; 7]),
        queues: Vec::new(),
        waiting: Vec::new(),
        fleet: Vec::new(),
        hosts: Vec::new(),
        packing: Packing::default(),
        money: Money {
            proven: None,
            why_not_proven: Some("AWS denied pricing:GetProducts".to_owned()),
            ..view().money
        },
        events: Vec::new(),
        ..view()
    };

    insta::assert_snapshot!(drawn(&view, &Look::default(), 140, 40));
}

#[test]
fn help_lies_over_it_and_trouble_stands_at_the_bottom() {
    let trouble = Some("cannot read: the ledger is locked".to_owned());
    let look = Look { is_help: true, trouble, ..Look::default() };

    insta::assert_snapshot!(drawn(&view(), &look, 80, 24));
}

#[test]
fn a_pane_is_scrolled_no_further_than_its_last_row() {
    let mut many = view();
    many.events = (0..40)
        .map(|n| event("2026-11-26T13:45:00Z", Subject::Job, &format!("job-{n}"), "SUCCEEDED"))
        .collect();
    let look = |scroll| Look { pane: Pane::Events, scroll, ..Look::default() };

    let (first, last) = (drawn(&many, &look(0), 80, 24), drawn(&many, &look(9_999), 80, 24));

    assert!(first.contains("job-0 ") && first.contains("Events 1-"), "{first}");
    assert!(last.contains("job-39 ") && last.contains("-40 of 40"), "{last}");
}

#[test]
fn every_size_is_drawn_and_no_line_of_a_text_is_wider_than_asked_for() {
    for (width, height) in [(1, 1), (20, 5), (79, 3), (110, 31), (111, 33), (200, 80)] {
        drawn(&view(), &Look { is_help: true, ..Look::default() }, width, height);
    }
    for width in 80..=200 {
        let text = text(&view(), width);
        let widest = text.lines().map(text_width).max().unwrap();
        assert!(widest <= width.into(), "{widest} of {width}: {text}");
    }
}

#[test]
fn a_text_has_all_panes() {
    insta::assert_snapshot!(text(&view(), 80));
    insta::assert_snapshot!(text(&view(), 140));
}
