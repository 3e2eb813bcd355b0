//! Every limit and default of the control loop, with its reason.

use jiff::SignedDuration;
use spillway_core::{CpuUnits, MicroUsd};

/// A new installation cannot run away with more hosts than this. Raise it in the configuration.
pub const HOSTS_MAX_DEFAULT: u32 = 100;

/// A new installation cannot run away with more CPU than this. Raise it in the configuration.
pub const CPU_MAX_DEFAULT: CpuUnits = CpuUnits::from_vcpus(1_000);

/// The first minute of an instance is paid in any case (EC2 bills 60 s at least), and a boot takes about as long as
/// waiting for the next job does.
pub const IDLE_TIMEOUT_DEFAULT: SignedDuration = SignedDuration::from_secs(60);

/// A dispatcher that starts gives idle hosts so long at most to be of use again: prices are read, and what has come meanwhile is planned.
pub const IDLE_LEFT_AT_START: SignedDuration = SignedDuration::from_mins(1);

/// Jobs come in bursts; planning a burst at once packs better. Karpenter waits 1 s too (`BATCH_IDLE_DURATION`).
pub const BATCH_IDLE_DEFAULT: SignedDuration = SignedDuration::from_secs(1);

/// A stream that never pauses must not starve. Karpenter waits 10 s at most too (`BATCH_MAX_DURATION`).
pub const BATCH_MAX_DEFAULT: SignedDuration = SignedDuration::from_secs(10);

/// How long a job waits for the message of one that it depends on. SQS delays a message by a quarter of an hour at most
/// (`DelaySeconds`), and a producer sends what belongs together within minutes.
pub const ARRIVAL_TIMEOUT_DEFAULT: SignedDuration = SignedDuration::from_hours(1);

/// A dispatcher that starts lets news come in for so long before it gives up on hosts whose time to register is over: it looks at once,
/// and ECS lists a container instance within seconds.
pub const NEWS_AT_START: SignedDuration = SignedDuration::from_mins(1);

/// A host that has not registered by then has a bad AMI, role or route. Karpenter waits 15 minutes too.
pub const REGISTER_TIMEOUT_DEFAULT: SignedDuration = SignedDuration::from_mins(15);

/// So many hosts of one architecture in a row that do not register are no accident: its AMI, role or route is broken.
pub const UNREGISTERED_MAX: u32 = 5;

/// So many tasks in a row whose image could not be pulled are no accident of one host or one moment: each image pull is tried again
/// by the agent itself (`ECS_IMAGE_PULL_BEHAVIOR`, amazon-ecs-agent README), and a job's own tries are as many.
pub const IMAGE_FAILURES_MAX: u32 = 3;

/// How long an image that cannot be pulled is left alone at first. A registry's rate limit passes within minutes to hours (Docker Hub
/// counts pulls by the hour), and a tag that is pushed late comes within minutes; each probe costs a host's minute.
pub const IMAGE_PROBE: SignedDuration = SignedDuration::from_mins(5);

/// Who waits for an image waits for so long at most: time for somebody to see it in the morning, and to push what is missing. An image
/// that nobody pushes within a day was misspelt, and a job that waits for ever ends no pipeline.
pub const IMAGE_GIVE_UP: SignedDuration = SignedDuration::from_hours(24);

/// What stays broken is probed at least this often: hosts are ([`PROBE_EVERY`]), and a person who has mended it waits no longer.
pub const BREAKER_PROBE_MAX: SignedDuration = SignedDuration::from_mins(30);

/// What is left alone and has been asked for by nobody for so long is forgotten: a tag that was misspelt once is not shown for ever.
pub const BREAKER_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How often it is worked out what would be bought if all were approved, while somebody waits: it takes a whole plan.
pub const BURST_LOOK_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// An approval is for the burst in hand and not for the next one. Where jobs never cease to wait, it is over after a day.
pub const APPROVAL_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// How many characters of AWS's words are kept: a sentence and a name, not an encoded authorisation message.
pub const BREAKER_REASON_MAX: usize = 400;

/// How many things that have begun to fail are counted. Whoever fails in more ways than that is counted anew.
pub const FAILING_MAX: usize = 1_000;

/// Over how long money that is paid in vain is summed up. A host that fails needs a boot and an idle time-out to be seen to have
/// failed, a quarter of an hour where it never registers: in half an hour one that is bought again and again is seen twice. What is
/// lost of longer lives is Spot's usual loss, which is priced in, and no surge.
pub const SPEND_WINDOW: SignedDuration = SignedDuration::from_mins(30);

/// So much paid in vain within the window is a surge, if it is also [`SPEND_SURGE_PERCENT`] of all. A fleet within the default limits
/// ([`CPU_MAX_DEFAULT`]) costs about $25 in that time, so this is 40 % of the largest of those.
pub const SPEND_SURGE_FLOOR_DEFAULT: MicroUsd = MicroUsd::new(10_000_000);

/// Where less than this part of the money is paid in vain, in percent, most of the fleet works and goes on working.
pub const SPEND_SURGE_PERCENT: u64 = 50;

/// How long nothing is bought at first when money was paid in vain. Each probe costs a host's few minutes, and what brings hosts down
/// as they come (Spot that is taken back, hosts that refuse tasks) passes within minutes to hours.
pub const SPEND_PROBE: SignedDuration = SignedDuration::from_mins(5);

/// Spending that nothing reports grows while hosts run: it is looked at again within this time.
pub const BUDGET_RECHECK_MAX: SignedDuration = SignedDuration::from_mins(1);

/// But not sooner than this: a second of a fleet at $1,000 an hour is 28 cents.
pub const BUDGET_RECHECK_MIN: SignedDuration = SignedDuration::from_secs(1);

/// So many days of spending are kept: the longest period, and what ends some days after it. A day is a row for each share that spent
/// something in it.
pub const SPENDING_DAYS_KEPT: i64 = 40;

/// Where hosts do not register, one is bought to see whether they do again, this long after the last that did not.
pub const PROBE_EVERY: SignedDuration = SignedDuration::from_mins(30);

/// Large images take long to pull; the agent itself gives up after two hours (`ECS_IMAGE_PULL_TIMEOUT`).
pub const START_TIMEOUT_DEFAULT: SignedDuration = SignedDuration::from_mins(30);

/// Events may be lost; this bounds how long that goes unnoticed. Karpenter polls every minute too.
pub const OBSERVE_EVERY_DEFAULT: SignedDuration = SignedDuration::from_mins(1);

/// Prices move slowly; Karpenter reads them every 12 hours too.
pub const CATALOG_EVERY_DEFAULT: SignedDuration = SignedDuration::from_hours(12);

/// How long a dry pool is left alone at first. Capacity comes back in minutes; asking sooner only earns throttling.
pub const POOL_COOLDOWN: SignedDuration = SignedDuration::from_mins(3);

/// A pool that stays dry is asked at least this often.
pub const POOL_COOLDOWN_MAX: SignedDuration = SignedDuration::from_mins(30);

/// A zone that does not have a type will not have it in the next hours either.
pub const UNSUPPORTED_COOLDOWN: SignedDuration = SignedDuration::from_hours(6);

/// The first pause before the same call is sent again; it doubles with each failure.
pub const CALL_RETRY: SignedDuration = SignedDuration::from_secs(2);

/// A start is not sent again later than this after its placement. ECS forgets a RunTask token after 24 hours, or an hour
/// after its task ended (ECS developer guide, "Ensuring idempotency"): repeated later, it would start a second task.
pub const START_TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(1);

/// A launch that has not been answered for so long is planned anew: prices and demand have moved, and EC2 forgets tokens.
/// What its calls may have bought is found by its tag.
pub const LAUNCH_STALE_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// A host that refuses tasks this often in a row has less room than it says: work goes elsewhere, and it goes when idle.
pub const REFUSALS_MAX: u32 = 3;

/// How long an ended instance is remembered, so that an old look does not bring it back. EC2 itself shows it for an hour.
pub const ENDED_REMEMBERED: SignedDuration = SignedDuration::from_hours(2);

/// What nine in ten jobs stay under, where only an expected duration is known: this part more, a half. It is what a job with
/// a deadline is given.
pub const RESERVE_PART: u32 = 2;

/// A job that has outlasted what it says is expected to end within this part of what it has run: a tenth.
pub const OVERDUE_LEFT_PART: u32 = 10;

/// So many jobs of a kind must have ended before what the next one says is corrected by what they took: with fewer, their
/// mean is less certain than a person's word.
pub const TOLD_CORRECTED_AFTER: u32 = 8;

/// How many kinds of jobs are remembered. Those that ended longest ago are forgotten first; each is 2 KB at most.
pub const KINDS_MAX: usize = 4_096;

/// So many hosts must have booted before their mean is believed.
pub const BOOTS_MIN: u32 = 3;

/// The longest pause between two tries of the same call.
pub const CALL_RETRY_MAX: SignedDuration = SignedDuration::from_mins(2);

/// An attempt that fails through the infrastructure is free, but a job that only ever meets bad luck ends.
pub const INFRASTRUCTURE_FAILURES_MAX: usize = 20;

/// An image that cannot be pulled this often is not there, or not for us.
pub const PULL_FAILURES_MAX: usize = 3;

/// EC2 and ECS lists lag behind what they have done: a thing younger than this and not listed is not missing.
pub const CONSISTENCY_GRACE: SignedDuration = SignedDuration::from_mins(5);

/// For how long a message about something unknown is remembered. SQS keeps one for 14 days at most, and one that is there comes again
/// with every visibility time-out, of 12 hours at most.
pub const UNKNOWN_REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// A look must miss a thing this often in a row before it is taken for gone.
pub const MISSES_BEFORE_GONE: u32 = 3;

/// Agents reconnect within minutes by themselves (planned disconnects every half hour); after this the host is replaced.
pub const AGENT_AWAY_MAX: SignedDuration = SignedDuration::from_mins(5);

/// After StopTask a container has 30 s (`ECS_CONTAINER_STOP_TIMEOUT`); a task that is still there after this is asked again.
pub const STOP_REPEAT: SignedDuration = SignedDuration::from_mins(1);

/// A task that is still there so long after it was told to end, beyond the time its job has between SIGTERM and SIGKILL, ends on no
/// signal: Docker hangs, or the container does in the kernel. Only the end of its host ends it.
pub const STOP_GIVE_UP: SignedDuration = SignedDuration::from_mins(10);

/// Burst of the bucket that RunTask, StopTask and others share (ECS API throttling table).
pub const TASK_CALLS_BURST: u32 = 100;

/// Refill per second of the bucket that RunTask, StopTask and others share (ECS API throttling table).
pub const TASK_CALLS_PER_SEC: u32 = 40;

/// Burst of the bucket of CreateFleet and others that change something (EC2 API throttling, "mutating actions").
pub const LAUNCH_CALLS_BURST: u32 = 50;

/// And its refill per second.
pub const LAUNCH_CALLS_PER_SEC: u32 = 5;

/// Burst of the bucket of TerminateInstances (EC2 API throttling, "mutating actions" with their own bucket).
pub const TERMINATE_CALLS_BURST: u32 = 100;

/// And its refill per second.
pub const TERMINATE_CALLS_PER_SEC: u32 = 5;

/// While calls queue for a bucket, so many times a second as many are sent as it has refilled by.
pub const CALL_TURNS_PER_SEC: u32 = 10;

/// What is left of a bucket's rate when a call was throttled, in tenths.
pub const THROTTLED_TENTHS: u32 = 7;

/// Calls that are throttled within this time were sent at one rate: it is lowered once for them.
pub const THROTTLES_APART: SignedDuration = SignedDuration::from_secs(1);

/// A bucket's rate comes back to what AWS documents within this time.
pub const RATE_BACK_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// The least rate of a bucket, in thousandths of what AWS documents: whoever else uses the account leaves some of it.
pub const RATE_MIN_MILLI: u32 = 100;

/// TerminateInstances takes 1,000 ids; one bad id fails the call, so calls stay small.
pub const TERMINATE_BATCH: usize = 100;

/// One CreateFleet call asks for at most this many hosts; a call's answer must stay readable and its failure cheap.
pub const LAUNCH_HOSTS_MAX: u32 = 100;

/// Several places freed at nearly the same time are filled by one plan.
pub const REPLAN_DELAY: SignedDuration = SignedDuration::from_millis(100);

/// Room is kept for a multi-node job for so long, until there is enough for all its nodes. A host that was bought for it and
/// has not registered by then has failed ([`REGISTER_TIMEOUT_DEFAULT`]).
pub const GANG_HOLD_MAX: SignedDuration = SignedDuration::from_mins(15);

/// After that others have their turn for so long.
pub const GANG_PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// Twice as long each time that hosts for a multi-node job were bought in vain, at most so long. Who has been refused for hours
/// waits for a quota to be raised, and every try is paid.
pub const GANG_PAUSE_MAX: SignedDuration = SignedDuration::from_hours(1);

/// EC2 says when an instance has ended; if it does not, it is told again.
pub const TERMINATE_REPEAT: SignedDuration = SignedDuration::from_mins(2);

/// How long the tasks of an ended host have to say how they ended before they count as lost.
pub const LAST_WORDS: SignedDuration = SignedDuration::from_secs(30);

/// What a Spot notice leaves (EC2 user guide, "Spot Instance interruption notices").
pub const SPOT_NOTICE: SignedDuration = SignedDuration::from_mins(2);

/// Between SIGTERM and SIGKILL, unless the job says otherwise; AWS Batch's and the ECS agent's default
/// (`ECS_CONTAINER_STOP_TIMEOUT`).
pub const STOP_TIMEOUT_DEFAULT: SignedDuration = SignedDuration::from_secs(30);

/// What a stop order may take to its container. What can end by itself gets the rest of the notice.
pub const RECLAIM_MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// An instance with our tag and without a record is left to its launch's answer for so long. Karpenter waits 30 s too.
pub const ADOPT_AFTER: SignedDuration = SignedDuration::from_secs(30);

/// Where room is expected to come free, the plan is made anew when it should have, but not sooner than this: jobs end
/// about when they are expected to, rarely to the second.
pub const ROOM_RECHECK_MIN: SignedDuration = SignedDuration::from_secs(10);

/// Idle hosts are looked at again this often: the longer nothing comes, the less they are worth keeping.
pub const IDLE_RECHECK: SignedDuration = SignedDuration::from_secs(15);

/// Where jobs must be put in order, a plan is made for so many of the first: more than any limit of a fleet lets start at once.
pub const PICKS_MAX: usize = 100_000;

/// Whoever makes room by giving hosts back waits for their end too: it takes about as long as a boot.
pub const GIVE_BACK_SECS: u32 = 60;

/// How often the report of a shared task is read before what it does not say is taken for not known. Docker's `awslogs` driver
/// sends what it has every 5 seconds, and `CloudWatch` Logs shows it a few seconds later; with [`CALL_RETRY`] doubling in between the
/// last read is a minute after the task's end.
pub const REPORT_READS_MAX: u32 = 5;

/// How often the report of a shared task may be throttled or not answered before that counts as read too: half an hour, with
/// [`CALL_RETRY_MAX`] between the last.
pub const REPORT_UNREAD_MAX: u32 = 20;

/// For so long after its end a report that may not be read is waited for: credentials that have expired come back, and a right is given
/// once somebody has heard that it is missing. To run its children again would be to run those again that had ended well.
pub const REPORT_DENIED_MAX: SignedDuration = SignedDuration::from_hours(24);

/// `CloudWatch` Logs answers so many `GetLogEvents` a second in a region (`CloudWatch` Logs quotas: 25, in some regions 10).
pub const REPORT_CALLS_PER_SEC: u32 = 10;

/// And no more at once.
pub const REPORT_CALLS_BURST: u32 = 10;

/// By how much a shared task may run longer than its children one after another may: they are stopped by its runner, which takes
/// a moment for each.
pub const SHARED_TASK_GRACE: SignedDuration = SignedDuration::from_mins(2);
