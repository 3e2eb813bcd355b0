//! Any graph of jobs and arrays, in any order of arrival, ends as a model of a few lines says.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::json;
use spillway_core::{DependencyKind, JobId};

use crate::rig::{Rig, job_id, message};

/// How many children an array of a graph has.
const SIZE: u32 = 3;

/// One job: it may wait for those before it in the graph, whenever their messages come.
#[derive(Debug, Clone)]
struct Node {
    is_array: bool,
    is_sequential: bool,
    /// Which node, how, and whether for only one child of it.
    edges: Vec<(usize, DependencyKind, Option<u32>)>,
    /// Exit codes of its children.
    fails: [bool; 3],
}

type Drawn = (bool, bool, Vec<(prop::sample::Index, DependencyKind, Option<u32>)>, [bool; 3]);

fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let kind = (0..4_u8).prop_map(|n| match n {
        0 => DependencyKind::AfterOk,
        1 => DependencyKind::AfterAny,
        2 => DependencyKind::AfterNotOk,
        _ => DependencyKind::NToN,
    });
    let edge = (any::<prop::sample::Index>(), kind, proptest::option::weighted(0.2, 0..SIZE));
    let node = (
        any::<bool>(),
        proptest::bool::weighted(0.2),
        proptest::collection::vec(edge, 0..3),
        any::<[bool; 3]>(),
    );
    proptest::collection::vec(node, 1..8).prop_map(|drawn| {
        let are_arrays: Vec<bool> = drawn.iter().map(|(is_array, ..)| *is_array).collect();
        let node = |(at, (is_array, is_sequential, edges, fails)): (usize, Drawn)| {
            let mut kept = Vec::new();
            for (target, kind, child) in edges {
                if at == 0 {
                    continue;
                }
                let target = target.index(at);
                let is_pair = kind == DependencyKind::NToN && is_array && are_arrays[target];
                let child = child.filter(|_| are_arrays[target] && !is_pair);
                kept.push(match kind {
                    DependencyKind::NToN if !is_pair => (target, DependencyKind::AfterOk, child),
                    kind => (target, kind, child),
                });
            }
            Node { is_array, is_sequential: is_sequential && is_array, edges: kept, fails }
        };
        drawn.into_iter().enumerate().map(node).collect()
    })
}

fn id(at: usize) -> JobId {
    job_id(&format!("node-{at}"))
}

fn body(at: usize, node: &Node) -> String {
    let token = format!("node-{at}");
    let (mut depends_on, mut any, mut not_ok) = (Vec::new(), Vec::new(), Vec::new());
    for (target, kind, child) in &node.edges {
        let target = child.map_or(id(*target), |child| id(*target).child(child));
        match kind {
            DependencyKind::AfterOk => depends_on.push(json!({"jobId": target})),
            DependencyKind::NToN => depends_on.push(json!({"jobId": target, "type": "N_TO_N"})),
            DependencyKind::AfterAny => any.push(target),
            DependencyKind::AfterNotOk => not_ok.push(target),
        }
    }
    if node.is_sequential {
        depends_on.push(json!({"type": "SEQUENTIAL"}));
    }
    let size = if node.is_array { json!({ "size": SIZE }) } else { json!(null) };
    let extra = format!(r#","dependsOn":{},"arrayProperties":{size}"#, json!(depends_on));
    let spillway = format!(r#","afterAny":{},"afterNotOk":{}"#, json!(any), json!(not_ok));
    message(&token, &spillway, &extra)
}

/// What becomes of every job, array and child: whether it succeeds. And who runs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ends {
    succeeds: BTreeMap<JobId, bool>,
    runs: BTreeSet<JobId>,
}

/// The model: a node is looked at after those before it, so everything it waits for is known.
fn model(nodes: &[Node]) -> Ends {
    let mut ends = Ends::default();
    for (at, node) in nodes.iter().enumerate() {
        let is_met = ends.met(node);
        let children = if node.is_array { SIZE } else { 1 };
        let mut all = true;
        let mut before = true;
        for n in 0..children {
            let me = if node.is_array { id(at).child(n) } else { id(at) };
            let pairs = node.edges.iter().filter(|(_, kind, _)| *kind == DependencyKind::NToN);
            let pairs_met =
                pairs.clone().all(|(target, _, _)| ends.succeeds[&id(*target).child(n)]);
            let runs = is_met && pairs_met && (before || !node.is_sequential);
            let succeeds = runs && !node.fails[usize::try_from(n).unwrap()];
            before = succeeds;
            all &= succeeds;
            ends.succeeds.insert(me, succeeds);
            if runs {
                ends.runs.insert(me);
            }
        }
        ends.succeeds.insert(id(at), all);
    }
    ends
}

impl Ends {
    fn met(&self, node: &Node) -> bool {
        node.edges.iter().all(|(target, kind, child)| {
            let target = child.map_or(id(*target), |child| id(*target).child(child));
            let succeeds = self.succeeds[&target];
            match kind {
                DependencyKind::AfterOk => succeeds,
                DependencyKind::AfterNotOk => !succeeds,
                DependencyKind::AfterAny | DependencyKind::NToN => true,
            }
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn any_graph_of_jobs_ends_as_the_model_says(
        (nodes, order) in nodes().prop_flat_map(|nodes| {
            let order: Vec<usize> = (0..nodes.len()).collect();
            (Just(nodes), Just(order).prop_shuffle())
        }),
        restarts in any::<bool>(),
    ) {
        let mut rig = Rig::new();
        for at in order {
            rig.send(body(at, &nodes[at]));
        }
        prop_assert!(rig.take_dead_letters().is_empty());
        if restarts {
            rig.restart_after(crate::rig::secs(1));
        }
        let code = |job: JobId| {
            let at = (0..nodes.len()).find(|at| id(*at) == job.whole()).unwrap();
            i32::from(nodes[at].fails[usize::try_from(job.index().unwrap_or(0)).unwrap()])
        };

        let started = rig.finish_all(code);

        let mut ends = Ends { runs: started.iter().copied().collect(), ..Ends::default() };
        prop_assert_eq!(ends.runs.len(), started.len(), "nothing runs twice");
        for (at, node) in nodes.iter().enumerate() {
            let children = (0..SIZE).filter(|_| node.is_array).map(|n| id(at).child(n));
            for job in children.chain([id(at)]) {
                // A child without a record has its array's end.
                let record = rig.jobs.get(&job).unwrap_or(&rig.jobs[&job.whole()]);
                prop_assert!(record.state.status().is_terminal(), "{} is {}", job, record.state.status());
                ends.succeeds.insert(job, record.state.status().as_str() == "SUCCEEDED");
            }
        }
        prop_assert_eq!(ends, model(&nodes));
        prop_assert_eq!(rig.engine.jobs().count(), 0);
    }
}
