//! The binary from outside: what it prints, how it ends, what it leaves behind.
//!
//! One program for all of it, so that it is linked once.

#![allow(clippy::expect_used, reason = "a test ends where it cannot go on")]

mod absent;
mod beside;
mod broken;
mod clone;
mod copy;
mod dry;
mod endpoints;
mod full;
mod gap;
mod guide;
mod harness;
mod help;
mod interop;
mod interrupt;
mod kubernetes;
mod lacking;
mod login;
mod look;
mod media;
mod messages;
mod mirror;
mod mirror_guide;
mod odd;
mod pacing;
mod platforms;
mod proxy;
mod proxy_examples;
mod saved;
mod serve;
mod shards;
mod sources;
mod tls;
mod toolkit;
mod truth;
mod unopened;
mod watching;
