//! A launch: the intent to buy hosts, written down before the call that spends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::catalog::PoolId;
use crate::id::{ClientToken, HostId, LaunchId};
use crate::market::Market;
use crate::money::MicroUsdPerHour;

/// A pool that may serve a launch.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PoolChoice {
    /// The pool.
    pub pool: PoolId,
    /// Its price when the launch was decided.
    pub price: MicroUsdPerHour,
}

/// One decision to buy: `hosts.len()` machines, from whichever of `choices` has them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Launch {
    /// Its id, and the client token of its call.
    pub id: LaunchId,
    /// When it was decided.
    pub decided_at: Timestamp,
    /// The market; one call buys in one market.
    pub market: Market,
    /// The planned pool first, then near-equal ones that hold the same work. All of one architecture.
    pub choices: Vec<PoolChoice>,
    /// The hosts it was decided for.
    pub hosts: Vec<HostId>,
    /// Where it stands.
    pub state: LaunchState,
}

impl Launch {
    /// The token that makes the call idempotent, over restarts too.
    pub fn token(&self) -> ClientToken {
        ClientToken::of_launch(self.id)
    }
}

/// Where a launch stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum LaunchState {
    /// To be sent, or sent and not answered: the same call with the same token is due again at `retry_at`.
    Open {
        /// When the call is next due.
        retry_at: Timestamp,
        /// How often it has failed without a verdict.
        n_failed: u32,
    },
    /// EC2 has answered.
    Settled {
        /// When.
        at: Timestamp,
        /// How many instances came.
        n_launched: u32,
        /// What EC2 said of the pools it could not use, as `code in pool`.
        errors: Vec<String>,
        /// AWS's id of the request that was answered, as `CloudTrail` has it; none of one that nobody answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
}
