//! The harness: a registry in the test's own process with faults laid over it, and what to fill it with.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "the harness runs in tests only")]

pub mod corpus;
mod drive;
mod fault;
pub mod image;
mod listener;
pub mod model;
mod random;
mod raw;
mod registry;
mod sample;
mod throttle;
mod traffic;

pub use drive::{FakeDrive, Tape, in_hand};
pub use fault::{
    Auth, Bearer, Challenge, DigestHeader, Fault, FaultPlan, Like, Quirk, USER, UploadLocation,
    When,
};
pub use random::Random;
pub use raw::{Raw, Reply};
pub use registry::TestRegistry;
pub use sample::{Sample, noise};
pub use traffic::{Counts, Exchange, Kind};
