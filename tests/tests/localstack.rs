//! The `spillway` program over real HTTP, against an emulator.
