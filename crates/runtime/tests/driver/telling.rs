//! What the log tells of jobs: their ids, and nothing that they carry.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::filter::LevelFilter;

use crate::world::{Rig, message};

/// Everything that was told.
#[derive(Debug, Clone, Default)]
struct Told(Arc<Mutex<Vec<u8>>>);

impl Told {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Told {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_that_a_job_carries_is_in_the_log() {
    let told = Told::default();
    let writer = told.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _here = tracing::subscriber::set_default(subscriber);
    let rig = Rig::new();
    let _driver = rig.start();

    let carried =
        r#""command":["login","hunter1"],"environment":[{"name":"PASSWORD","value":"hunter2"}]"#;
    let with_secrets = message("a").replace(r#""command":["true"]"#, carried);
    assert!(with_secrets.contains("hunter2"));
    rig.world.send(with_secrets);
    rig.world.send(r#"{"password": "hunter3""#.into());
    rig.until("it has ended", |rig| rig.ledger.status("a") == "SUCCEEDED").await;
    rig.until("a dead letter", |rig| !rig.world.state().made("dead-letter").is_empty()).await;

    let text = told.text();
    for event in ["job accepted", "job moved", "a message can never be a job", "launch decided"] {
        assert!(text.contains(event), "{event} was not told:\n{text}");
    }
    for secret in ["hunter1", "hunter2", "PASSWORD", "hunter3"] {
        assert!(!text.contains(secret), "{secret} was told:\n{text}");
    }
}
