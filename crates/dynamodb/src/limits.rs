//! Every limit of the adapter, with its reason.

use std::time::Duration;

/// How long a connection may take to be made. The answer is in the same region, milliseconds away.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(1_500);

/// How long one try of a call may take. DynamoDB answers in milliseconds; an item of 320 KB over a poor line takes longer.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(4);

/// How long a call may take, retries included.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Tries of one call within the SDK. All are safe to repeat: they read, or are on a condition, or carry a token, or write the same again.
pub const ATTEMPTS_MAX: u32 = 3;

/// How long the search for credentials and for a region may take. Where there is no instance metadata service its address does not
/// answer.
pub const IDENTITY_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes of one transaction (DynamoDB API reference, `TransactWriteItems`: up to 100 actions).
pub const TRANSACTION_WRITES: usize = 100;
