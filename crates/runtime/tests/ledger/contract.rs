//! What any ledger must do, whatever it is kept in.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use spillway_core::change::{Cooldown, EndedJob};
use spillway_core::error::LedgerError;
use spillway_core::job::{BodyHash, JobStatus};
use spillway_core::port::{JobFilter, Ledger, LedgerReader};
use spillway_core::{
    Change, Glob, History, Job, JobId, JobState, KindId, Market, MiB, Scheduling, TimeRange,
};

use crate::sample::{
    add, add_child, add_node, array, at, attempt, child, child_id, cool, end_children, failed,
    gang, gone, host, host_id, job, job_id, launch, learn, move_child, move_node, moved, named,
    one_of_everything, open, put_boots, put_host, put_kind, put_launch, put_schedule, put_spot,
    registered, running, schedule, settled, succeeded, with_spec,
};

/// A ledger under test, and a second pair of eyes on it.
pub(crate) trait Subject {
    type Ledger: Ledger;

    fn ledger(&mut self) -> &mut Self::Ledger;
    fn reader(&self) -> Box<dyn LedgerReader>;
    /// As after a restart of the program.
    async fn reopen(self) -> Self;
}

async fn commit(subject: &mut impl Subject, changes: &[Change]) {
    subject.ledger().commit(at(0), changes).await.unwrap();
}

fn whole_sec(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap()
}

/// Commits what must be refused; returns what the refusal says.
async fn refused(subject: &mut impl Subject, changes: &[Change]) -> String {
    let error = subject.ledger().commit(at(0), changes).await.unwrap_err();
    let detail =
        if let LedgerError::Corrupt { detail } = &error { Some(detail.clone()) } else { None };
    assert!(detail.is_some(), "refused as {error:?}");
    detail.unwrap_or_default()
}

fn ids(jobs: &[Job]) -> Vec<u64> {
    jobs.iter().map(|job| job.seq).collect()
}

macro_rules! contract {
    ($d:tt $($(#[$doc:meta])* async fn $name:ident($subject:ident) $body:block)*) => {
        $($(#[$doc])* pub(crate) async fn $name(mut $subject: impl Subject) $body)*

        /// Runs the contract over one kind of ledger; where there is none of the kind, nothing is tested.
        macro_rules! contract_over {
            ($d module:ident, $d new:expr) => {
                mod $d module {
                    $(
                        #[tokio::test]
                        async fn $name() {
                            if let Some(subject) = $d new.await {
                                crate::contract::$name(subject).await;
                            }
                        }
                    )*
                }
            };
        }
        pub(crate) use contract_over;
    };
}

contract! { $
    async fn a_new_ledger_is_empty_and_keeps_its_id(subject) {
        let first = subject.ledger().load().await.unwrap();
        let mut subject = subject.reopen().await;
        let second = subject.ledger().load().await.unwrap();

        assert_eq!(first, spillway_core::LedgerState::new(first.ledger));
        assert_eq!(first, second);
    }

    async fn what_is_not_over_is_loaded_as_it_was_written(subject) {
        commit(&mut subject, &one_of_everything()).await;
        let mut subject = subject.reopen().await;

        let state = subject.ledger().load().await.unwrap();

        let mut ran = job(1);
        (ran.state, ran.attempts) = (running(2), vec![attempt(1)]);
        let mut jobs = [job(0), ran, array(4), child(4, 0, running(1))];
        jobs.sort_by_key(|job| job.id);
        assert_eq!(state.jobs, jobs);
        let ended = [(2, true), (3, false)].map(|(n, succeeded)| {
            (job_id(n), EndedJob { body_hash: BodyHash(u64::MAX - n), succeeded })
        });
        assert_eq!(state.ended, BTreeMap::from(ended));
        let record = &state.arrays[&job_id(4)];
        assert_eq!(record.succeeded.runs().collect::<Vec<_>>(), [(1, 1)]);
        assert_eq!(record.failed.runs().collect::<Vec<_>>(), [(3, 4)]);
        let requested = host(2, spillway_core::HostState::Requested);
        assert_eq!(state.hosts, [host(1, registered()), requested]);
        assert_eq!(state.launches, [launch(2, at(1), open())]);
        assert_eq!(state.learned["c5.large"].memory, MiB::new(3_700));
        assert_eq!(state.cooling.len(), 2);
        assert_eq!((state.n_launches, state.n_jobs), (2, 10));
        assert_eq!(subject.reader().state().unwrap(), state);
    }

    async fn what_is_over_can_still_be_read(subject) {
        commit(&mut subject, &one_of_everything()).await;
        let reader = subject.reopen().await.reader();

        let over = reader.job(job_id(2)).unwrap().unwrap();
        assert_eq!(over.attempts, [attempt(1)]);
        assert_eq!(over.state, JobState::Succeeded { at: at(90) });
        assert_eq!(reader.job(job_id(3)).unwrap().unwrap().warnings.len(), 1);
        assert_eq!(reader.job(job_id(99)).unwrap(), None);
        assert_eq!(reader.hosts(false).unwrap().len(), 2);
        assert_eq!(reader.hosts(true).unwrap()[2], host(3, gone()));
        assert_eq!(
            reader.launches(9).unwrap(),
            [launch(2, at(1), open()), launch(1, at(0), settled())]
        );
        assert_eq!(reader.launches(1).unwrap(), [launch(2, at(1), open())]);
    }

    async fn a_job_is_added_once(subject) {
        commit(&mut subject, &[add(&job(0))]).await;

        let detail = refused(&mut subject, &[add(&job(0))]).await;

        assert_eq!(detail, format!("job {} is added twice", job_id(0)));
    }

    async fn a_job_is_added_once_within_a_commit_too(subject) {
        let detail = refused(&mut subject, &[add(&job(0)), add(&job(0))]).await;

        assert_eq!(detail, format!("job {} is added twice", job_id(0)));
    }

    async fn a_job_that_was_never_added_is_not_moved(subject) {
        let detail = refused(&mut subject, &[succeeded(0)]).await;

        assert_eq!(detail, format!("job {} is moved but was never added", job_id(0)));
    }

    async fn an_end_is_written_once(subject) {
        commit(&mut subject, &[add(&job(0)), succeeded(0)]).await;

        let detail = refused(&mut subject, &[moved(0, running(2), None)]).await;

        assert_eq!(detail, format!("job {} is moved to RUNNING after its end", job_id(0)));
    }

    async fn a_job_that_is_added_ended_stays_so(subject) {
        let mut ended = job(0);
        ended.state = JobState::Failed { at: at(0), reason: "too large".into() };
        commit(&mut subject, &[add(&ended)]).await;

        let detail = refused(&mut subject, &[succeeded(0)]).await;

        assert_eq!(detail, format!("job {} is moved to SUCCEEDED after its end", job_id(0)));
    }

    async fn an_attempt_ends_once(subject) {
        let again = JobState::Runnable { since: at(50) };
        let end = |n| moved(0, again.clone(), Some(attempt(n)));
        commit(&mut subject, &[add(&job(0)), end(1), end(2)]).await;

        let detail = refused(&mut subject, &[end(2)]).await;
        assert_eq!(detail, format!("attempt 2 of job {} ends twice", job_id(0)));
        let detail = refused(&mut subject, &[end(1)]).await;
        assert_eq!(detail, format!("attempt 1 of job {} ends twice", job_id(0)));
        assert_eq!(subject.reader().job(job_id(0)).unwrap().unwrap().attempts.len(), 2);
    }

    async fn all_changes_of_a_commit_are_written_or_none(subject) {
        let before = subject.ledger().load().await.unwrap();
        let mut changes = one_of_everything();
        changes.push(succeeded(99));

        refused(&mut subject, &changes).await;

        assert_eq!(subject.ledger().load().await.unwrap(), before);
        commit(&mut subject, &one_of_everything()).await;
    }

    async fn a_commit_without_changes_changes_nothing(subject) {
        let before = subject.ledger().load().await.unwrap();

        commit(&mut subject, &[]).await;

        assert_eq!(subject.ledger().load().await.unwrap(), before);
    }

    async fn what_is_put_again_replaces_what_was(subject) {
        let counters = |n| Change::Counters { n_launches: n, n_jobs: n };
        let first = [
            put_host(1, registered()), put_launch(1, at(0), open()), learn(3_800),
            cool(Market::Spot, Some(1)), cool(Market::OnDemand, Some(1)), counters(1),
            put_kind("a", 600), put_kind("b", 60), put_spot(1_000), put_boots(90),
        ];
        let then = [
            put_host(1, gone()), put_launch(1, at(0), settled()), learn(3_700),
            cool(Market::Spot, Some(2)), cool(Market::OnDemand, None), counters(2),
            put_kind("a", 700), Change::PutKind { kind: KindId::named("b"), history: None },
            put_spot(2_000), put_boots(80),
        ];
        commit(&mut subject, &first).await;
        commit(&mut subject, &then).await;

        let state = subject.ledger().load().await.unwrap();

        assert!(state.hosts.is_empty() && state.launches.is_empty());
        assert_eq!(state.learned["c5.large"].memory, MiB::new(3_700));
        let cooling: Vec<&Cooldown> = state.cooling.values().collect();
        assert_eq!(cooling, [&Cooldown { until: at(180), n_failed: 2 }]);
        assert_eq!((state.n_launches, state.n_jobs), (2, 2));
        let History { kinds, spot, boots } = state.history;
        let kinds: Vec<(&str, Option<u32>)> =
            kinds.values().map(|known| (known.name.as_str(), known.took.mean_of_ended())).collect();
        assert_eq!(kinds, [("a", Some(700))]);
        let spot: Vec<u64> = spot.values().map(|seen| seen.interruptions_milli).collect();
        assert_eq!((spot, boots.mean_of_ended()), (vec![2_000], Some(80)));
        assert_eq!(subject.reader().hosts(true).unwrap()[0].id, host_id(1));
    }

    async fn jobs_are_listed_newest_first_and_by_every_condition(subject) {
        let changes = [
            add(&named(job(0), "align-1", "a")), add(&named(job(1), "align-2", "b")),
            add(&named(job(2), "Align-3", "a")), add(&named(job(3), "call-1", "a")),
            succeeded(0), moved(3, running(1), None),
        ];
        commit(&mut subject, &changes).await;
        let reader = subject.reader();
        let all = || JobFilter { limit: 100, ..JobFilter::default() };
        let list = |filter: JobFilter| ids(&reader.jobs(&filter).unwrap());

        assert_eq!(list(all()), [3, 2, 1, 0]);
        assert_eq!(list(JobFilter { limit: 2, ..all() }), [3, 2]);
        assert_eq!(list(JobFilter { limit: 0, ..all() }), [0; 0]);
        assert_eq!(list(JobFilter { limit: usize::MAX, ..all() }), [3, 2, 1, 0]);
        assert_eq!(list(JobFilter { queue: Some("a".parse().unwrap()), ..all() }), [3, 2, 0]);
        let called = |glob: &str| JobFilter { name: Some(Glob::new(glob)), ..all() };
        assert_eq!(list(called("align*")), [1, 0], "names differ by case");
        let of_any_case = JobFilter { name: Some(Glob::of_any_case("ALIGN*")), ..all() };
        assert_eq!(list(of_any_case), [2, 1, 0], "unless that is not wanted");
        assert_eq!((list(called("?lign-*")), list(called("align"))), (vec![2, 1, 0], vec![]));
        assert_eq!(list(called("[a]lign*")), [0; 0], "brackets are themselves");
        let statuses = vec![JobStatus::Succeeded, JobStatus::Running];
        assert_eq!(list(JobFilter { statuses: statuses.clone(), ..all() }), [3, 0]);
        let queue = Some("a".parse().unwrap());
        assert_eq!(list(JobFilter { queue, statuses, ..called("al*") }), [0]);
    }

    async fn jobs_are_found_by_the_share_of_their_queue(subject) {
        let of = |n: u64, share: &str| with_spec(job(n), |spec| {
            let share = share.parse().ok();
            spec.scheduling = Some(Box::new(Scheduling { share, ..Scheduling::default() }));
        });
        commit(&mut subject, &[add(&of(0, "team-a")), add(&of(1, "team-b")), add(&job(2))]).await;
        let reader = subject.reader();
        let list = |share: &str| {
            let share = Some(Glob::new(share));
            ids(&reader.jobs(&JobFilter { share, limit: 9, ..JobFilter::default() }).unwrap())
        };

        assert_eq!((list("team-a"), list("team-*")), (vec![0], vec![1, 0]));
        assert_eq!(list("default"), [2], "whoever names none is in the default share");
    }

    async fn jobs_are_found_by_tag_and_definition(subject) {
        let tag = |job: Job, key: &str, value: &str| {
            with_spec(job, |spec| { spec.tags.insert(key.into(), value.into()); })
        };
        let of = |job: Job, revision: u32| with_spec(job, |spec| {
            spec.definition = "align".parse().ok();
            spec.definition_revision = Some(revision);
        });
        let changes = [
            add(&tag(job(0), "run", "1")), add(&tag(tag(job(1), "run", "2"), "a b", "")),
            add(&of(tag(job(2), "run", "1"), 1)), add(&of(job(3), 2)), succeeded(2),
        ];
        commit(&mut subject, &changes).await;
        let reader = subject.reader();
        let list = |tags: &[&str], definition: Option<&str>, statuses: &[JobStatus]| {
            let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
            let definition = definition.map(|text| text.parse().unwrap());
            let statuses = statuses.to_vec();
            ids(&reader.jobs(&JobFilter { tags, definition, statuses, limit: 9, ..JobFilter::default() }).unwrap())
        };

        assert_eq!(list(&["run"], None, &[]), [2, 1, 0]);
        assert_eq!(list(&["run=1"], None, &[]), [2, 0]);
        assert_eq!(list(&["run=1", "team=genomics"], None, &[JobStatus::Runnable]), [0]);
        assert_eq!(list(&["run", "a b="], None, &[]), [1]);
        assert_eq!(list(&["run=1", "a b"], None, &[]), [0; 0]);
        assert_eq!(list(&[], Some("align"), &[]), [3, 2]);
        assert_eq!(list(&["run"], Some("align:1"), &[]), [2]);
        assert_eq!(list(&[], Some("align:3"), &[]), [0; 0]);
    }

    async fn jobs_are_found_by_when_they_came_and_ended_and_why(subject) {
        let mut late = job(3);
        late.created_at = at(1_000);
        let failed = JobState::Failed { at: at(95), reason: "Host EC2 (instance i-1) terminated.".into() };
        let changes = [
            add(&job(0)), add(&job(1)), add(&job(2)), add(&late),
            succeeded(0), moved(1, failed, None), moved(2, JobState::Runnable { since: at(50) }, Some(attempt(1))),
            moved(2, running(2), None),
        ];
        commit(&mut subject, &changes).await;
        let reader = subject.reader();
        let all = || JobFilter { limit: 9, ..JobFilter::default() };
        let list = |filter: JobFilter| ids(&reader.jobs(&filter).unwrap());
        let between = |from: Option<i64>, until: Option<i64>| TimeRange { from: from.map(at), until: until.map(at) };

        assert_eq!(list(JobFilter { submitted: between(Some(1), None), ..all() }), [3]);
        assert_eq!(list(JobFilter { submitted: between(Some(0), Some(1)), ..all() }), [2, 1, 0]);
        assert_eq!(list(JobFilter { ended: between(Some(0), None), ..all() }), [1, 0], "only what has ended");
        assert_eq!(list(JobFilter { ended: between(Some(90), Some(95)), ..all() }), [0]);
        assert_eq!(list(JobFilter { reason: Some(Glob::anywhere("EC2 (")), ..all() }), [1]);
        let of_attempt = || Some(Glob::new("Essential container*"));
        assert_eq!(list(JobFilter { reason: of_attempt(), ..all() }), [2], "what was said stays");
        assert_eq!(list(JobFilter { reason: Some(Glob::new("")), ..all() }), [3, 0]);
    }

    async fn a_list_goes_on_after_the_last_of_a_page_whatever_comes_meanwhile(subject) {
        let jobs: Vec<Change> = (0..5).map(|n| add(&job(n))).collect();
        commit(&mut subject, &jobs).await;
        let page = |reader: &dyn LedgerReader, after: Option<u64>| {
            let filter = JobFilter { after: after.map(job_id), limit: 2, ..JobFilter::default() };
            ids(&reader.jobs(&filter).unwrap())
        };

        let first = page(&*subject.reader(), None);
        commit(&mut subject, &[add(&job(5)), succeeded(3), succeeded(1)]).await;
        let reader = subject.reader();

        assert_eq!((first, page(&*reader, Some(3))), (vec![4, 3], vec![2, 1]));
        assert_eq!((page(&*reader, Some(1)), page(&*reader, Some(0))), (vec![0], vec![]));
        assert_eq!(page(&*reader, Some(99)), [0; 0], "a job that nobody knows");
    }

    async fn children_are_found_by_how_they_stand_a_page_at_a_time(subject) {
        commit(&mut subject, &one_of_everything()).await;
        let reader = subject.reader();
        let of_array = || JobFilter { array: Some(job_id(4)), limit: 2, ..JobFilter::default() };
        let list = |filter: JobFilter| {
            let jobs = reader.jobs(&filter).unwrap();
            jobs.iter().filter_map(|job| job.id.index()).collect::<Vec<_>>()
        };
        let after = |index| Some(job_id(4).child(index));

        assert_eq!(list(of_array()), [18, 16]);
        assert_eq!(list(JobFilter { after: after(16), ..of_array() }), [14, 12]);
        assert_eq!(list(JobFilter { after: after(12), ..of_array() }), [10]);
        assert_eq!(list(JobFilter { after: after(11), ..of_array() }), [0; 0], "no such child");
        assert_eq!(list(JobFilter { after: Some(job_id(1)), ..of_array() }), [0; 0]);
        assert_eq!(list(JobFilter { reason: Some(Glob::new("not*")), ..of_array() }), [18, 16]);
        let by_attempt = Some(Glob::anywhere("container in task"));
        assert_eq!(list(JobFilter { reason: by_attempt, ..of_array() }), [12]);
        let ended = TimeRange { from: Some(at(85)), until: None };
        assert_eq!(list(JobFilter { ended, ..of_array() }), [12]);
        let tags = vec!["team=other".parse().unwrap()];
        assert_eq!(list(JobFilter { tags, ..of_array() }), [0; 0]);
    }

    async fn schedules_are_kept_by_name(subject) {
        let mut paused = schedule("b");
        paused.paused = true;
        let changes = [put_schedule("b"), put_schedule("a"), Change::PutSchedule(Box::new(paused.clone()))];
        commit(&mut subject, &changes).await;
        let mut subject = subject.reopen().await;

        assert_eq!(subject.reader().schedules().unwrap(), [schedule("a"), paused]);
        assert_eq!(subject.ledger().load().await.unwrap().schedules.len(), 2);
    }

    async fn one_host_is_found_even_if_it_is_gone(subject) {
        commit(&mut subject, &one_of_everything()).await;
        let reader = subject.reader();

        assert_eq!(reader.host(host_id(3)).unwrap(), Some(host(3, gone())));
        assert_eq!(reader.host(host_id(9)).unwrap(), None);
    }

    async fn jobs_are_counted_by_status_in_the_order_of_their_way(subject) {
        commit(&mut subject, &one_of_everything()).await;

        let counts = subject.reader().job_counts().unwrap();

        let statuses: Vec<JobStatus> = counts.iter().map(|(status, _)| *status).collect();
        assert_eq!(statuses, JobStatus::ALL);
        let n: Vec<u64> = counts.iter().map(|(_, n)| *n).collect();
        assert_eq!(n, [0, 0, 2, 0, 2, 2, 3], "of arrays their children are counted");
    }

    async fn jobs_are_counted_by_queue_and_state_and_what_there_is_none_of_is_left_out(subject) {
        let other = named(job(8), "other", "nightly");
        let changes = [one_of_everything(), vec![add(&other)]].concat();
        commit(&mut subject, &changes).await;
        let reader = subject.reopen().await.reader();

        let counts = reader.queue_counts().unwrap();

        let of = |queue: &str| -> Vec<(JobStatus, u64)> {
            let of_queue = counts.iter().filter(|((of, _), _)| of.to_string() == queue);
            of_queue.map(|((_, status), n)| (*status, *n)).collect()
        };
        assert_eq!(of("nightly"), [(JobStatus::Runnable, 1)]);
        let all: u64 = reader.job_counts().unwrap().iter().map(|(_, n)| n).sum();
        assert_eq!(counts.values().sum::<u64>(), all);
        assert!(counts.values().all(|n| 0 < *n));
    }

    async fn what_ended_last_is_first_whatever_its_place_in_line(subject) {
        let ended = |secs| JobState::Succeeded { at: at(secs) };
        let changes = [add(&job(1)), add(&job(2)), add(&array(4)), add_child(4, 1, running(1)),
            moved(2, ended(50), None), move_child(4, 1, ended(70), Some(attempt(1))),
            moved(1, ended(90), None), add(&gang(6)), add_node(6, 0, ended(95))];
        commit(&mut subject, &changes).await;
        let reader = subject.reopen().await.reader();

        let ids = |limit| -> Vec<JobId> {
            reader.last_ended(limit).unwrap().iter().map(|job| job.id).collect()
        };

        assert_eq!(ids(9), [job_id(1), child_id(4, 1), job_id(2)], "a node is no job of its own");
        assert_eq!(ids(2), [job_id(1), child_id(4, 1)]);
        let (first, last) = reader.span().unwrap().unwrap();
        assert_eq!((first, last), (whole_sec(at(0)), whole_sec(at(95))));
    }

    async fn a_ledger_without_a_job_spans_no_time(subject) {
        commit(&mut subject, &[put_host(1, registered())]).await;

        assert_eq!(subject.reader().span().unwrap(), None);
    }

    async fn hosts_that_were_paid_for_since_then_are_found_to_the_moment(subject) {
        commit(&mut subject, &[put_host(1, gone()), put_host(2, registered())]).await;
        let reader = subject.reopen().await.reader();
        let gone_at = at(99);
        let later = gone_at + SignedDuration::from_nanos(1);

        assert_eq!(reader.hosts_since(gone_at).unwrap().len(), 2);
        assert_eq!(reader.hosts_since(later).unwrap(), [host(2, registered())]);
    }

    async fn a_child_is_what_its_array_is_whether_or_not_it_has_a_record(subject) {
        commit(&mut subject, &one_of_everything()).await;
        let reader = subject.reopen().await.reader();
        let read = |ord| reader.job(child_id(4, ord)).unwrap().unwrap();

        let mut ended = child(4, 1, JobState::Succeeded { at: at(90) });
        ended.attempts = vec![attempt(1)];
        assert_eq!(read(0), child(4, 0, running(1)));
        assert_eq!(read(1), ended);
        assert_eq!(read(2), child(4, 2, JobState::Runnable { since: at(0) }));
        assert_eq!(read(3), child(4, 3, failed()));
        assert_eq!(reader.job(job_id(4).child(11)).unwrap(), None);
        assert_eq!(reader.job(job_id(1).child(0)).unwrap(), None);
    }

    async fn children_are_listed_by_their_array_and_only_by_it(subject) {
        commit(&mut subject, &one_of_everything()).await;
        let reader = subject.reader();
        let of_array = || JobFilter { array: Some(job_id(4)), limit: 100, ..JobFilter::default() };
        let list = |filter: JobFilter| {
            let jobs = reader.jobs(&filter).unwrap();
            jobs.iter().map(|job| job.id.index()).collect::<Vec<_>>()
        };

        assert_eq!(list(of_array()), [18, 16, 14, 12, 10].map(Some));
        assert_eq!(list(JobFilter { limit: 2, ..of_array() }), [18, 16].map(Some));
        let some = vec![JobStatus::Runnable, JobStatus::Succeeded];
        assert_eq!(list(JobFilter { statuses: some, ..of_array() }), [14, 12].map(Some));
        assert_eq!(list(JobFilter { name: Some(Glob::new("x")), ..of_array() }), []);
        assert_eq!(list(JobFilter { array: Some(job_id(1)), ..of_array() }), []);
        assert_eq!(list(JobFilter { array: None, ..of_array() }), [None; 5]);
        let counts = [(JobStatus::Runnable, 1), (JobStatus::Running, 1), (JobStatus::Succeeded, 1), (JobStatus::Failed, 2)];
        assert_eq!(reader.child_counts(job_id(4)).unwrap(), counts);
    }

    async fn children_of_an_array_that_has_ended_ended_with_it(subject) {
        let changes = [add(&array(0)), add_child(0, 1, running(1)),
            move_child(0, 1, JobState::Succeeded { at: at(90) }, Some(attempt(1))),
            moved(0, failed(), None)];
        commit(&mut subject, &changes).await;
        let mut subject = subject.reopen().await;

        let state = subject.ledger().load().await.unwrap();

        assert_eq!(state.arrays[&job_id(0)].failed.runs().collect::<Vec<_>>(), [(0, 0), (2, 4)]);
        assert!(state.arrays[&job_id(0)].succeeded.is_empty());
        assert_eq!(subject.reader().job(child_id(0, 4)).unwrap(), Some(child(0, 4, failed())));
    }

    async fn a_child_has_one_record_and_one_end(subject) {
        let changes = [add(&array(0)), add_child(0, 0, running(1)), end_children(0, &[(2, 3)])];
        commit(&mut subject, &changes).await;
        let twice = |ord| format!("job {} is added twice", child_id(0, ord));

        assert_eq!(refused(&mut subject, &[add_child(0, 0, running(1))]).await, twice(0));
        assert_eq!(refused(&mut subject, &[add_child(0, 3, running(1))]).await, twice(3));
        assert_eq!(refused(&mut subject, &[end_children(0, &[(0, 1)])]).await, twice(0));
        assert_eq!(refused(&mut subject, &[end_children(0, &[(1, 2)])]).await, twice(2));
        assert_eq!(refused(&mut subject, &[end_children(0, &[(3, 4)])]).await, twice(3));
        let moved_early = refused(&mut subject, &[move_child(0, 1, running(1), None)]).await;
        assert_eq!(moved_early, format!("job {} is moved but was never added", child_id(0, 1)));
        let unknown = refused(&mut subject, &[add_child(9, 0, running(1))]).await;
        assert_eq!(unknown, format!("job {} is moved but was never added", child_id(9, 0)));
        let ended = [move_child(0, 0, failed(), None), move_child(0, 0, running(2), None)];
        let again = refused(&mut subject, &ended).await;
        assert_eq!(again, format!("job {} is moved to RUNNING after its end", child_id(0, 0)));
    }

    async fn nodes_of_a_multi_node_job_are_found_again_by_their_index(subject) {
        let ended = move_node(0, 2, JobState::Pending, Some(attempt(1)));
        let changes = [add(&gang(0)), moved(0, running(1), None), add_node(0, 0, running(1)),
            add_node(0, 2, running(1)), ended];
        commit(&mut subject, &changes).await;
        let mut subject = subject.reopen().await;

        let state = subject.ledger().load().await.unwrap();

        let id = job_id(0);
        let ids: Vec<_> = state.jobs.iter().map(|job| job.id).collect();
        assert_eq!(ids, [id, id.node(0), id.node(2)]);
        assert_eq!(state.jobs[2].attempts, [attempt(1)]);
        let reader = subject.reader();
        assert_eq!(reader.job(id.node(1)).unwrap(), reader.job(id).unwrap(), "the main node");
        assert_eq!(reader.job(id.node(0)).unwrap().unwrap().state, running(1));
        assert_eq!(reader.job(id.node(3)).unwrap(), None);
        let filter = JobFilter { array: Some(id), limit: 9, ..JobFilter::default() };
        let nodes: Vec<_> = reader.jobs(&filter).unwrap().iter().map(|job| job.id).collect();
        assert_eq!(nodes, [id.node(2), id, id.node(0)]);
        let page = |filter: JobFilter| {
            let filter = JobFilter { array: Some(id), limit: 9, ..filter };
            reader.jobs(&filter).unwrap().iter().map(|job| job.id).collect::<Vec<_>>()
        };
        let after = |id| JobFilter { after: Some(id), ..JobFilter::default() };
        assert_eq!((page(after(id.node(2))), page(after(id))), (vec![id, id.node(0)], vec![id.node(0)]));
        let reason = Some(Glob::anywhere("container in task"));
        assert_eq!(page(JobFilter { reason, ..JobFilter::default() }), [id.node(2)]);
        let open: u64 = reader.job_counts().unwrap().iter().map(|(_, n)| n).sum();
        assert_eq!(open, 1, "nodes are no jobs of their own");
        let twice = refused(&mut subject, &[add_node(0, 0, running(1))]).await;
        assert_eq!(twice, format!("job {} is added twice", id.node(0)));
        let unknown = refused(&mut subject, &[add_node(7, 0, running(1))]).await;
        assert_eq!(unknown, format!("job {} is moved but was never added", job_id(7).node(0)));
    }

    async fn a_node_of_a_job_that_has_ended_is_known_until_it_has_ended_too(subject) {
        let changes = [add(&gang(0)), moved(0, running(1), None), add_node(0, 0, running(1)),
            add_node(0, 2, failed()), moved(0, failed(), Some(attempt(1)))];
        commit(&mut subject, &changes).await;
        let mut subject = subject.reopen().await;

        let state = subject.ledger().load().await.unwrap();

        let ids: Vec<_> = state.jobs.iter().map(|job| job.id).collect();
        assert_eq!(ids, [job_id(0).node(0)]);
        assert_eq!(state.ended.keys().copied().collect::<Vec<_>>(), [job_id(0)]);
    }

    async fn launches_decided_together_are_listed_by_id(subject) {
        let changes = [3, 1, 2].map(|n| put_launch(n, at(0), settled()));
        commit(&mut subject, &changes).await;

        let launches = subject.reader().launches(2).unwrap();

        let first = |n| launch(n, at(0), settled());
        assert_eq!(launches, [first(1), first(2)]);
    }
}
