//! The `lb` program: one daemon for HAProxy and Keepalived configurations.

fn main() {}
