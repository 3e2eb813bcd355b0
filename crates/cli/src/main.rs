//! The `spillway` binary. It must never do anything but call the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    spillway_cli::main()
}
