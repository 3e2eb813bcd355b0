//! An installation of its own for one test: a stack from the shipped template, an agent for its cluster, a configuration, and
//! the `spillway` program in processes. Everything it starts ends with it.

mod process;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spillway_tests::workspace;
use tempfile::TempDir;

pub use self::process::{Dispatcher, Process};
use crate::wire::{REGION, Wire, elements};

/// What names the emulator; without it these tests have nothing to run against, and pass.
pub const ENDPOINT: &str = "SPILLWAY_TEST_ENDPOINT";

/// The program under test.
pub const PROGRAM: &str = "SPILLWAY_BIN";

/// The Python that has the agent.
pub const PYTHON: &str = "SPILLWAY_TEST_PYTHON";

/// How often [`wait_until`] looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What nearly everything here happens within; a loaded machine is slow.
pub const SOON: Duration = Duration::from_mins(1);

/// Looks until there is something to see, and returns it.
pub fn wait_until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: not within {within:?}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// How an installation differs from the usual one.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// What may be bought. Faults are set per instance type for all tests at once, so a test with faults has types of its own.
    pub instance_types: &'static [&'static str],
    /// From an instance's start to its registration.
    pub boot_seconds: u32,
    /// More lines for the top of the configuration.
    pub config: &'static str,
    /// Whether its ledger is the stack's table, for several dispatchers.
    pub shares_ledger: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            instance_types: &["c6i.large", "c6i.xlarge", "m6i.large"],
            boot_seconds: 1,
            config: "",
            shares_ledger: false,
        }
    }
}

/// One installation.
#[derive(Debug)]
pub struct Deployment {
    name: String,
    wire: Wire,
    folder: TempDir,
    program: PathBuf,
    /// Held so that it ends with it.
    agent: Option<Process>,
}

impl Deployment {
    /// Installs; none without an emulator to install on.
    pub fn new(shape: Shape) -> Option<Self> {
        let mut here = Self::bare()?;
        deploy(&here.wire, &here.name);
        let names = names(&here.name, &default_subnets(&here.wire));
        fs::write(here.file(CONFIG), names).expect("it can be written");
        here.agent = Some(here.configure(shape));
        Some(here)
    }

    /// A name and a folder, and nothing in the account yet.
    pub fn bare() -> Option<Self> {
        let wire = Wire::new(&std::env::var(ENDPOINT).ok()?);
        let folder = TempDir::new().expect("a temporary folder can be made");
        let program = std::env::var_os(PROGRAM).map(PathBuf::from);
        let program = program.unwrap_or_else(|| workspace().join("target/release/spillway"));
        Some(Self { name: unique_name(), wire, folder, program, agent: None })
    }

    /// Adds what tests need to a configuration that has the names of an installation, and starts an agent for its cluster.
    pub fn configure(&self, shape: Shape) -> Process {
        let path = self.file(CONFIG);
        let names = fs::read_to_string(&path).expect("it has been written");
        fs::write(path, format!("{names}{}", settings(shape, &self.name)))
            .expect("it can be written");
        agent(&self.wire, &self.name, shape, self.folder.path())
    }

    /// The way to its emulator.
    pub const fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Its name, which is also its cluster's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its job queue.
    pub fn job_queue(&self) -> String {
        format!("{}-jobs", self.name)
    }

    /// Its event queue.
    pub fn event_queue(&self) -> String {
        format!("{}-events", self.name)
    }

    /// Its dead-letter queue.
    pub fn dead_letter_queue(&self) -> String {
        format!("{}-jobs-dlq", self.name)
    }

    /// A file in its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program in its folder, with nothing from outside in its environment but the way to the emulator.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("SPILLWAY_DEPLOYMENT", &self.name)
            .env("AWS_ENDPOINT_URL", self.wire.endpoint())
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn spillway(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program can be started")
    }

    /// Runs it, and reads what it printed as JSON. It must succeed.
    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.spillway(&[args, &["--format", "json"]].concat());
        assert!(output.status.success(), "{args:?}: {}", said(&output));
        serde_json::from_slice(&output.stdout).expect("it prints JSON")
    }

    /// Expects that dispatchers die and hang: what one has received comes again after 3 s, however often. As installed that takes a
    /// minute, and after ten times a message is a dead letter (`JobMaxReceives`), which an operator may send again.
    pub fn expect_deaths(&self) {
        let dead = self.wire.queue_arn(&self.dead_letter_queue());
        let policy = json!({ "deadLetterTargetArn": dead, "maxReceiveCount": 1_000 }).to_string();
        let sooner = json!({ "VisibilityTimeout": "3" });
        let jobs = json!({ "VisibilityTimeout": "3", "RedrivePolicy": policy });
        for (queue, attributes) in [(self.job_queue(), jobs), (self.event_queue(), sooner)] {
            let url = self.wire.queue_url(&queue);
            let change = json!({ "QueueUrl": url, "Attributes": attributes });
            self.wire.sqs("SetQueueAttributes", &change);
        }
    }

    /// Starts the dispatcher.
    pub fn serve(&self) -> Dispatcher {
        self.start("serve.log", self.command(&["serve", "-v"]))
    }

    /// Starts one of several dispatchers that share a ledger, with a copy of its own.
    pub fn serve_beside(&self, who: &str) -> Dispatcher {
        let mut command = self.command(&["serve", "-v"]);
        command.env("SPILLWAY_LEDGER_COPY", self.file(&format!("{who}.db")));
        self.start("serve.log", command)
    }

    fn start(&self, log: &str, mut command: Command) -> Dispatcher {
        let log = self.file(log);
        let file =
            File::options().create(true).append(true).open(&log).expect("a log can be written");
        command.stdout(file.try_clone().expect("it can be shared")).stderr(file);
        Dispatcher::start(command, log)
    }

    /// Submits one small job with these flags that runs `sh -c <script>`; its id.
    pub fn submit(&self, flags: &[&str], script: &str) -> String {
        let small = ["--memory", "128MiB", "--vcpus", "0.25"];
        self.submit_sized(&[&small[..], flags].concat(), script)
    }

    /// The same in the size that the flags say.
    pub fn submit_sized(&self, flags: &[&str], script: &str) -> String {
        let image = ["submit", "--image", spillway_tests::job::IMAGE];
        let output = self.spillway(&[&image[..], flags, &["--", "sh", "-c", script]].concat());
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Waits for jobs to end; the exit code of `jobs wait`.
    pub fn wait(&self, jobs: &[String], within: Duration) -> Option<i32> {
        self.until_the_ledger_is_there();
        let timeout = format!("{}s", within.as_secs());
        let ids: Vec<&str> = jobs.iter().map(String::as_str).collect();
        let output = self.spillway(&[&["jobs", "wait", "--timeout", &timeout][..], &ids].concat());
        output.status.code()
    }

    /// Waits until a dispatcher has made the ledger: until then there is nothing to read.
    pub fn until_the_ledger_is_there(&self) {
        wait_until("a ledger that can be read", SOON, || {
            self.spillway(&["jobs", "list"]).status.success().then_some(())
        });
    }

    /// What `jobs show` says in JSON; none while the ledger does not have the job.
    pub fn job(&self, id: &str) -> Option<Value> {
        let output = self.spillway(&["jobs", "show", id, "--format", "json"]);
        output.status.success().then(|| serde_json::from_slice(&output.stdout).expect("it is JSON"))
    }

    /// Waits until the job is in this state.
    pub fn until_job_is(&self, id: &str, status: &str) -> Value {
        wait_until(&format!("job {id} {status}"), SOON, || {
            self.job(id).filter(|job| job["job"]["status"] == status)
        })
    }

    /// The machines of this installation that EC2 still runs or starts, as EC2 says.
    pub fn running_instances(&self) -> Vec<String> {
        let parameters = [
            ("Filter.1.Name", "tag:spillway:deployment"),
            ("Filter.1.Value.1", self.name.as_str()),
            ("Filter.2.Name", "instance-state-name"),
            ("Filter.2.Value.1", "pending"),
            ("Filter.2.Value.2", "running"),
        ];
        let (status, xml) = self.wire.query("ec2", "2016-11-15", "DescribeInstances", &parameters);
        assert!(status < 300, "{status} {xml}");
        elements(&xml, "instanceId").into_iter().map(str::to_owned).collect()
    }

    /// Every machine that this installation ever had, as EC2 says.
    pub fn n_instances_ever(&self) -> usize {
        let parameters = [
            ("Filter.1.Name", "tag:spillway:deployment"),
            ("Filter.1.Value.1", self.name.as_str()),
        ];
        let (status, xml) = self.wire.query("ec2", "2016-11-15", "DescribeInstances", &parameters);
        assert!(status < 300, "{status} {xml}");
        elements(&xml, "instanceId").len()
    }

    /// Every task that its cluster ever had, as ECS says.
    pub fn n_tasks_ever(&self) -> usize {
        let list = |status: &str| {
            let mut n = 0;
            let mut input = json!({ "cluster": self.name, "desiredStatus": status });
            loop {
                let mut page = self.wire.ecs("ListTasks", &input);
                n += page["taskArns"].as_array().map_or(0, Vec::len);
                let next = page["nextToken"].take();
                if next.is_null() {
                    return n;
                }
                input["nextToken"] = next;
            }
        };
        list("RUNNING") + list("STOPPED")
    }

    /// Waits until no machine is left.
    pub fn until_all_is_given_back(&self) {
        wait_until("every machine given back", SOON, || {
            self.running_instances().is_empty().then_some(())
        });
        wait_until("a ledger without open hosts", SOON, || {
            let hosts = self.json(&["hosts", "list"]);
            hosts["hosts"].as_array().is_some_and(Vec::is_empty).then_some(())
        });
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in ["serve.log", "agent.log"] {
                let text = fs::read_to_string(self.file(name)).unwrap_or_default();
                let lines: Vec<&str> = text.lines().collect();
                let tail = &lines[lines.len().saturating_sub(60)..];
                // The test harness shows it beside the failure.
                eprint_lines(&format!("--- {name} of {}", self.name), tail);
            }
        }
    }
}

#[expect(clippy::print_stderr, reason = "what a failed test has to say")]
fn eprint_lines(title: &str, lines: &[&str]) {
    eprintln!("{title}\n{}", lines.join("\n"));
}

/// Everything a command said, for a failure.
pub fn said(output: &Output) -> String {
    format!(
        "{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// The configuration file in an installation's folder.
const CONFIG: &str = "spillway.toml";

/// How tasks run: in Docker if it answers and has the image, because tests pull nothing; else as local processes.
pub fn runner() -> &'static str {
    let mut inspect = Command::new("docker");
    inspect.args(["image", "inspect", spillway_tests::job::IMAGE]);
    let inspect = inspect.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if inspect.is_ok_and(|status| status.success()) { "docker" } else { "process" }
}

/// Distinct in one emulator: tests run in processes of their own.
fn unique_name() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let ns = since.expect("it is after 1970").subsec_nanos();
    format!("t{}-{ns:x}", std::process::id())
}

/// Creates a stack from the template that people deploy.
fn deploy(wire: &Wire, name: &str) {
    let template = fs::read_to_string(workspace().join("infra/spillway.yaml"));
    let template = template.expect("the template can be read");
    let cloudformation = |operation: &str, parameters: &[(&str, &str)]| {
        wire.query("cloudformation", "2010-05-15", operation, parameters)
    };
    let (status, answer) = cloudformation(
        "CreateStack",
        &[
            ("StackName", name),
            ("TemplateBody", &template),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
            ("Parameters.member.1.ParameterKey", "Deployment"),
            ("Parameters.member.1.ParameterValue", name),
        ],
    );
    assert!(status < 300, "{status} {answer}");
    wait_until("the stack", SOON, || {
        let (_, answer) = cloudformation("DescribeStacks", &[("StackName", name)]);
        let status = elements(&answer, "StackStatus").first().copied().unwrap_or_default();
        assert!(!status.contains("FAILED") && !status.contains("ROLLBACK"), "{answer}");
        (status == "CREATE_COMPLETE").then_some(())
    });
}

fn default_subnets(wire: &Wire) -> Vec<String> {
    let parameters = [("Filter.1.Name", "default-for-az"), ("Filter.1.Value.1", "true")];
    let (status, xml) = wire.query("ec2", "2016-11-15", "DescribeSubnets", &parameters);
    assert!(status < 300, "{status} {xml}");
    elements(&xml, "subnetId").into_iter().map(str::to_owned).collect()
}

fn names(name: &str, subnets: &[String]) -> String {
    format!(
        "deployment = {name:?}\n\
         cluster = {name:?}\n\
         job-queue-name = \"{name}-jobs\"\n\
         dead-letter-queue = \"{name}-jobs-dlq\"\n\
         event-queue = \"{name}-events\"\n\
         instance-profile = \"{name}-host\"\n\
         log-group = \"/spillway/{name}\"\n\
         subnets = {subnets:?}\n"
    )
}

fn settings(shape: Shape, name: &str) -> String {
    let ledger = if shape.shares_ledger {
        format!("dynamodb:{name}-ledger")
    } else {
        "ledger.db".to_owned()
    };
    format!(
        "ledger = {ledger:?}\n\
         ledger-copy = \"reader.db\"\n\
         idle-timeout = \"3s\"\n\
         batch-idle = \"300ms\"\n\
         batch-max = \"3s\"\n\
         observe-every = \"2s\"\n\
         {}\n\
         [offerings]\n\
         instance-types = {:?}\n",
        shape.config, shape.instance_types
    )
}

fn agent(wire: &Wire, name: &str, shape: Shape, folder: &Path) -> Process {
    let python = std::env::var_os(PYTHON)
        .map_or_else(|| workspace().join("target/localstack-venv/bin/python"), PathBuf::from);
    let log = folder.join("agent.log");
    let file = File::create(&log).expect("a log can be written");
    let mut command = Command::new(python);
    command
        .args(["-m", "spillway_localstack", "agent", "--endpoint", wire.endpoint()])
        .args(["--cluster", name, "--runner", runner(), "--docker-network", "none"])
        .args(["--boot-seconds", &shape.boot_seconds.to_string()])
        .args(["--parent", &std::process::id().to_string()])
        .stdout(file.try_clone().expect("it can be shared"))
        .stderr(file);
    Process::start(command, log)
}
