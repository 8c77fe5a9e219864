//! Tests of the public face of the crate.
#![allow(clippy::unwrap_used, reason = "what fails is the test")]

mod encode;
mod half;
mod ids;
mod noise;
mod tiles;
mod unpack;
mod vectors;
