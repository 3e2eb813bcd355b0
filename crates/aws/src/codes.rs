//! AWS's error codes, sorted by what the caller does next. Nothing else in Spillway knows one.
//!
//! Sources: "Error codes for the Amazon EC2 API", the `Errors` sections of the ECS, SQS, SSM and Price List API
//! references, "Common errors" of each. A code nobody has sorted is unsettled: the call carries its token, so trying
//! again does no harm, and giving up might.

use spillway_core::effect::{PoolFault, Refusal};
use spillway_core::quantity::Dimension;

/// What the caller does next; the variants of [`spillway_core::CloudError`] without their content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Unsettled,
    Throttled,
    Denied,
    Quota,
    Misconfigured,
    Invalid,
    Conflict,
}

/// Code by code; a `*` at either end stands for any text. The first line that matches counts.
const KINDS: &[(&str, Kind)] = &[
    // Too many calls.
    ("RequestLimitExceeded", Kind::Throttled),
    ("Throttl*", Kind::Throttled),
    ("EC2Throttled*", Kind::Throttled),
    ("TooManyRequests*", Kind::Throttled),
    ("RequestThrottled*", Kind::Throttled),
    ("SlowDown", Kind::Throttled),
    ("BandwidthLimitExceeded", Kind::Throttled),
    ("PriorRequestNotComplete", Kind::Throttled),
    ("OverLimit", Kind::Throttled),
    ("AWS.SimpleQueueService.OverLimit", Kind::Throttled),
    ("KmsThrottled", Kind::Throttled),
    // Nobody knows.
    ("ServiceUnavailable*", Kind::Unsettled),
    ("Unavailable", Kind::Unsettled),
    ("Internal*", Kind::Unsettled),
    ("Server*", Kind::Unsettled),
    ("RequestTimeout*", Kind::Unsettled),
    // The token is in use.
    ("IdempotentParameterMismatch", Kind::Conflict),
    ("IdempotentInstanceTerminated", Kind::Conflict),
    ("ConflictException", Kind::Conflict),
    // Who we are, and what we may.
    ("UnauthorizedOperation", Kind::Denied),
    ("AccessDenied*", Kind::Denied),
    ("AuthFailure*", Kind::Denied),
    ("AuthorizationError*", Kind::Denied),
    ("NotAuthorized*", Kind::Denied),
    ("Expired*", Kind::Denied),
    ("RequestExpired", Kind::Denied),
    ("InvalidClientTokenId", Kind::Denied),
    ("InvalidAccessKeyId", Kind::Denied),
    ("UnrecognizedClient*", Kind::Denied),
    ("Signature*", Kind::Denied),
    ("IncompleteSignature*", Kind::Denied),
    ("InvalidSecurity", Kind::Denied),
    ("InvalidSignature*", Kind::Denied),
    ("MissingAuthenticationToken*", Kind::Denied),
    ("OptInRequired", Kind::Denied),
    ("Blocked*", Kind::Denied),
    ("KmsAccessDenied", Kind::Denied),
    // Limits of the account.
    ("PendingVerification", Kind::Quota),
    ("MaxSpotInstanceCountExceeded", Kind::Quota),
    ("MaxFleetCountExceeded", Kind::Quota),
    ("LimitExceededException", Kind::Quota),
    ("*LimitExceeded", Kind::Quota),
    // The installation.
    ("ClusterNotFoundException", Kind::Misconfigured),
    ("InvalidAMIID*", Kind::Misconfigured),
    ("InvalidAMIName*", Kind::Misconfigured),
    ("InvalidSubnet*", Kind::Misconfigured),
    ("InvalidGroup*", Kind::Misconfigured),
    ("InvalidSecurityGroup*", Kind::Misconfigured),
    ("InvalidVpc*", Kind::Misconfigured),
    ("VPCIdNotSpecified", Kind::Misconfigured),
    ("MissingInput", Kind::Misconfigured),
    ("InvalidLaunchTemplate*", Kind::Misconfigured),
    ("InvalidIamInstanceProfile*", Kind::Misconfigured),
    ("InvalidFleetConfig*", Kind::Misconfigured),
    ("InvalidUserData*", Kind::Misconfigured),
    ("InvalidBlockDeviceMapping", Kind::Misconfigured),
    ("InvalidParameterValue", Kind::Misconfigured),
    ("InvalidParameterCombination", Kind::Misconfigured),
    ("InvalidParameterDependency", Kind::Misconfigured),
    ("InvalidParameter", Kind::Misconfigured),
    ("MissingParameter", Kind::Misconfigured),
    ("UnknownParameter", Kind::Misconfigured),
    ("UnsupportedOperation", Kind::Misconfigured),
    ("UnsupportedFeatureException", Kind::Misconfigured),
    ("ParameterNotFound", Kind::Misconfigured),
    ("ParameterVersionNotFound", Kind::Misconfigured),
    ("QueueDoesNotExist", Kind::Misconfigured),
    ("AWS.SimpleQueueService.NonExistentQueue", Kind::Misconfigured),
    ("InvalidAddress", Kind::Misconfigured),
    ("Kms*", Kind::Misconfigured),
    ("NotFoundException", Kind::Misconfigured),
    ("AccountIDNotFound", Kind::Misconfigured),
    ("InvalidAction", Kind::Misconfigured),
    ("InvalidEndpointException", Kind::Misconfigured),
    // The request itself.
    ("InvalidInstanceID*", Kind::Invalid),
    ("InvalidParameterException", Kind::Invalid),
    ("ClientException", Kind::Invalid),
    ("PlatformTaskDefinitionIncompatibilityException", Kind::Invalid),
    ("InvalidMessageContents", Kind::Invalid),
    ("ReceiptHandleIsInvalid", Kind::Invalid),
    ("BatchRequestTooLong", Kind::Invalid),
    ("AWS.SimpleQueueService.BatchRequestTooLong", Kind::Invalid),
    ("ValidationError", Kind::Invalid),
    ("ValidationException", Kind::Invalid),
];

/// What to do after `code`.
pub(crate) fn kind(code: &str) -> Kind {
    let line = KINDS.iter().find(|(pattern, _)| matches(pattern, code));
    line.map_or(Kind::Unsettled, |(_, kind)| *kind)
}

fn matches(pattern: &str, code: &str) -> bool {
    if let Some(prefix) = pattern.strip_suffix('*') {
        code.starts_with(prefix)
    } else if let Some(suffix) = pattern.strip_prefix('*') {
        code.ends_with(suffix)
    } else {
        code == pattern
    }
}

/// Codes that a fleet gives for one pool.
const POOL_FAULTS: &[(&str, PoolFault)] = &[
    ("InsufficientInstanceCapacity", PoolFault::NoCapacity),
    ("InsufficientCapacity*", PoolFault::NoCapacity),
    ("InsufficientHostCapacity", PoolFault::NoCapacity),
    ("InsufficientReservedInstanceCapacity", PoolFault::NoCapacity),
    ("ReservationCapacityExceeded", PoolFault::NoCapacity),
    ("UnfulfillableCapacity", PoolFault::NoCapacity),
    ("SpotMaxPriceTooLow", PoolFault::NoCapacity),
    ("Unsupported", PoolFault::Unsupported),
    ("UnsupportedOperation", PoolFault::Unsupported),
    ("InvalidFleetConfig*", PoolFault::Unsupported),
    ("InsufficientFreeAddressesInSubnet", PoolFault::SubnetFull),
    ("VcpuLimitExceeded", PoolFault::QuotaReached),
    ("InstanceLimitExceeded", PoolFault::QuotaReached),
    ("MaxSpotInstanceCountExceeded", PoolFault::QuotaReached),
    ("MaxFleetCountExceeded", PoolFault::QuotaReached),
    ("PendingVerification", PoolFault::QuotaReached),
];

/// What a pool's refusal with `code` means.
pub(crate) fn pool_fault(code: &str) -> PoolFault {
    let line = POOL_FAULTS.iter().find(|(pattern, _)| matches(pattern, code));
    line.map_or(PoolFault::Other, |(_, fault)| *fault)
}

/// What ECS's `failures[].reason` means.
pub(crate) fn refusal(reason: &str) -> Refusal {
    if let Some(resource) = reason.strip_prefix("RESOURCE:") {
        let dimension = match resource {
            "CPU" => Some(Dimension::Cpu),
            "MEMORY" => Some(Dimension::Memory),
            "GPU" => Some(Dimension::Gpu),
            _ => None,
        };
        return Refusal::NoRoom { dimension };
    }
    let text = reason.to_ascii_lowercase();
    if reason == "AGENT" {
        Refusal::AgentAway
    } else if reason == "ATTRIBUTE" || reason.starts_with("ATTRIBUTE:") {
        Refusal::Unfit
    } else if matches!(reason, "MISSING" | "INACTIVE" | "DRAINING")
        || text.contains("placement constraint")
        || text.contains("no container instances")
        || text.contains("memberof")
    {
        Refusal::HostGone
    } else {
        Refusal::Other { reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_by_what_the_caller_does_next() {
        let table = [
            ("RequestLimitExceeded", Kind::Throttled),
            ("ThrottlingException", Kind::Throttled),
            ("OverLimit", Kind::Throttled),
            ("InternalError", Kind::Unsettled),
            ("ServerException", Kind::Unsettled),
            ("Unavailable", Kind::Unsettled),
            ("SomethingNew", Kind::Unsettled),
            ("IdempotentParameterMismatch", Kind::Conflict),
            ("ConflictException", Kind::Conflict),
            ("UnauthorizedOperation", Kind::Denied),
            ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", Kind::Denied),
            ("ExpiredToken", Kind::Denied),
            ("ExpiredTokenException", Kind::Denied),
            ("AccessDeniedException", Kind::Denied),
            ("InvalidClientTokenId", Kind::Denied),
            ("VcpuLimitExceeded", Kind::Quota),
            ("PendingVerification", Kind::Quota),
            ("LimitExceededException", Kind::Quota),
            ("ClusterNotFoundException", Kind::Misconfigured),
            ("InvalidAMIID.NotFound", Kind::Misconfigured),
            ("InvalidLaunchTemplateName.NotFoundException", Kind::Misconfigured),
            ("InvalidParameterValue", Kind::Misconfigured),
            ("ParameterNotFound", Kind::Misconfigured),
            ("AWS.SimpleQueueService.NonExistentQueue", Kind::Misconfigured),
            ("KmsDisabled", Kind::Misconfigured),
            ("InvalidParameterException", Kind::Invalid),
            ("ClientException", Kind::Invalid),
            ("InvalidInstanceID.NotFound", Kind::Invalid),
        ];

        for (code, expected) in table {
            assert_eq!(kind(code), expected, "{code}");
        }
    }

    #[test]
    fn a_line_that_an_earlier_one_hides_would_never_count() {
        for (ord, (pattern, kind_of_line)) in KINDS.iter().enumerate() {
            let example = pattern.replace('*', "X");
            let hidden = KINDS.iter().take(ord).find(|(earlier, _)| matches(earlier, &example));
            assert_eq!(hidden, None, "{pattern} ({kind_of_line:?})");
        }
    }

    #[test]
    fn pools_fail_for_capacity_type_address_or_quota() {
        let table = [
            ("InsufficientInstanceCapacity", PoolFault::NoCapacity),
            ("UnfulfillableCapacity", PoolFault::NoCapacity),
            ("Unsupported", PoolFault::Unsupported),
            ("InsufficientFreeAddressesInSubnet", PoolFault::SubnetFull),
            ("VcpuLimitExceeded", PoolFault::QuotaReached),
            ("MaxSpotInstanceCountExceeded", PoolFault::QuotaReached),
            ("SomethingNew", PoolFault::Other),
        ];

        for (code, expected) in table {
            assert_eq!(pool_fault(code), expected, "{code}");
        }
    }

    #[test]
    fn ecs_says_why_a_host_did_not_take_a_task() {
        let no_room = |dimension| Refusal::NoRoom { dimension };

        assert_eq!(refusal("RESOURCE:MEMORY"), no_room(Some(Dimension::Memory)));
        assert_eq!(refusal("RESOURCE:PORTS"), no_room(None));
        assert_eq!(refusal("AGENT"), Refusal::AgentAway);
        assert_eq!(refusal("ATTRIBUTE"), Refusal::Unfit);
        assert_eq!(refusal("MISSING"), Refusal::HostGone);
        assert_eq!(refusal("MemberOf placement constraint unsatisfied."), Refusal::HostGone);
        assert_eq!(refusal("odd"), Refusal::Other { reason: "odd".into() });
    }
}
