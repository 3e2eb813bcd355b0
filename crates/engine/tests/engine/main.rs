//! The control loop, driven by hand: each test says what the world answers and reads what the loop wants.

mod ends;
mod faults;
mod intake;
mod rig;
mod way_of_one_job;
