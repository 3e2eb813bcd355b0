//! The nodes of a multi-node job as people and scripts see them.

use serde::Serialize;
use spillway_core::job::JobStatus;
use spillway_core::{Host, Job};

use crate::output::Page;
use crate::why;

/// One node of a multi-node job, the main one too.
#[derive(Debug, Serialize)]
pub struct NodeView {
    /// Its index.
    pub node: u32,
    /// Whether it decides the job.
    pub main: bool,
    /// Where it stands.
    pub status: JobStatus,
    /// The host it is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The exit code of its last attempt that ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
}

impl NodeView {
    /// The view of a node's record, and of the host it is on; the main node's is the job's.
    pub fn of(node: &Job, host: Option<&Host>) -> Option<Self> {
        let gang = node.spec.gang.as_ref()?;
        let host = node
            .state
            .live_attempt()
            .map(|live| host.map_or_else(|| live.host.to_string(), why::host_text));
        Some(Self {
            node: node.id.node_index().unwrap_or(gang.main),
            main: node.id.node_index().is_none(),
            status: node.state.status(),
            host,
            exit_code: node.attempts.last().and_then(|attempt| attempt.exit_code),
        })
    }

    fn text(&self) -> String {
        let main = if self.main { ", main" } else { "" };
        let host = self.host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
        let exit = self.exit_code.map(|code| format!(", last exit code {code}"));
        format!("{}{main}: {}{host}{}", self.node, self.status, exit.unwrap_or_default())
    }
}

/// One line for each node that has ever been given to a host.
pub(super) fn fields(nodes: &[NodeView], n_nodes: u32, page: &mut Page) {
    page.field("Nodes", n_nodes.to_string());
    for node in nodes {
        page.field("Node", node.text());
    }
}
