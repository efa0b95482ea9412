//! What years of use have taught keepalived and its users, one test each.

#[path = "../common/mod.rs"]
mod common;

mod election;
mod farewells;
mod groups;
mod holding;
mod receiving;
mod reload;
mod rivals;
mod sending;
mod tracking;
