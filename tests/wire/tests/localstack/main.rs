//! The `spillway` program over real HTTP, against LocalStack with our plugin and agent. Each test has an installation of its own.
//!
//! `cargo xtask test --only localstack` builds the program, starts the emulator and runs these. Without `SPILLWAY_TEST_ENDPOINT` they
//! have nothing to run against, and pass.
#![expect(clippy::expect_used, reason = "a test may panic")]

mod wire;
