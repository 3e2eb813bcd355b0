//! The port contract over the AWS adapters, against an emulator.
