//! AWS Batch's stock clients, boto3 and the aws CLI, over `spillway batch-api`: their jobs run on the emulator.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use spillway_wire_tests::deployment::{Deployment, PYTHON, Shape, said};

/// What the clients do; it stands beside LocalStack's plugin, whose environment has them.
const SCRIPT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../localstack/tests/stock_clients.py");

/// A `batch-api` that ends with its owner.
struct BatchApi(Child);

impl Drop for BatchApi {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn boto3_and_the_aws_cli_submit_list_describe_and_terminate_unchanged() {
    let Some(here) = Deployment::new(Shape::default()) else { return };
    let _dispatcher = here.serve();
    here.until_the_ledger_is_there();
    let mut command = here.command(&["batch-api", "--port", "0"]);
    let mut api = BatchApi(command.stdout(Stdio::piped()).spawn().expect("it can be started"));
    let stdout = api.0.stdout.take().expect("its output is read");
    let mut endpoint = String::new();
    BufReader::new(stdout).read_line(&mut endpoint).expect("it says where it answers");

    let python = env::var(PYTHON).expect("the emulator's Python is known");
    let script = Path::new(SCRIPT);
    // Nothing of the emulator's address: what the clients ask, they ask of `batch-api`.
    let clients = Command::new(python)
        .args([script.as_os_str(), endpoint.trim().as_ref()])
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOME", here.file("home"))
        .output()
        .expect("Python can be started");

    assert!(clients.status.success(), "{}", said(&clients));
    here.until_all_is_given_back();
}
