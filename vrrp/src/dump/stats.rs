//! `/tmp/keepalived.stats`

use std::fmt::Write as _;

use crate::advert::AdvertReject;
use crate::stats::{Snapshot, Stats};

/// The counters of all instances in the layout of keepalived's statistics file.
#[must_use]
pub fn stats(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    for instance in &snapshot.instances {
        let errors = Errors::of(&instance.stats);
        let stats = &instance.stats;
        let _ = write!(
            out,
            "VRRP Instance: {}\n  Advertisements:\n    Received: {}\n    Sent: {}\n  Became master: {}\n  \
             Released master: {}\n  Packet Errors:\n    Length: {}\n    TTL: {}\n    Invalid Type: {}\n    \
             Advertisement Interval: {}\n    Address List: {}\n  Authentication Errors:\n    Invalid Type: {}\n    \
             Type Mismatch: {}\n    Failure: {}\n  Priority Zero:\n    Received: {}\n    Sent: {}\n",
            instance.name,
            stats.adverts_received,
            stats.adverts_sent,
            stats.became_master,
            stats.released_master,
            errors.length,
            errors.ttl,
            errors.kind,
            errors.interval,
            errors.addresses,
            errors.auth_type,
            errors.auth_mismatch,
            errors.auth_failure,
            stats.priority_zero_received,
            stats.priority_zero_sent,
        );
    }
    out
}

/// Our reasons under keepalived's headings.
pub(super) struct Errors {
    pub(super) length: u64,
    pub(super) ttl: u64,
    pub(super) kind: u64,
    pub(super) interval: u64,
    pub(super) addresses: u64,
    pub(super) auth_type: u64,
    pub(super) auth_mismatch: u64,
    pub(super) auth_failure: u64,
}

impl Errors {
    pub(super) fn of(stats: &Stats) -> Self {
        let sum = |reasons: &[AdvertReject]| reasons.iter().map(|reason| stats.rejected(*reason)).sum();
        Self {
            length: sum(&[
                AdvertReject::Truncated,
                AdvertReject::WrongLength,
                AdvertReject::IpLengthMismatch,
                AdvertReject::BadChecksum,
            ]),
            ttl: sum(&[AdvertReject::TtlNot255, AdvertReject::TtlOutOfRange]),
            kind: sum(&[AdvertReject::NotAdvertisement, AdvertReject::WrongVersion]),
            interval: sum(&[AdvertReject::IntervalMismatch, AdvertReject::IntervalZero]),
            addresses: stats.address_list_mismatches + stats.rejected(AdvertReject::AddressListMismatch),
            auth_type: stats.rejected(AdvertReject::UnknownAuthType),
            auth_mismatch: sum(&[
                AdvertReject::WrongAuthType,
                AdvertReject::AuthHeaderMissing,
                AdvertReject::AuthHeaderUnexpected,
            ]),
            auth_failure: sum(&[
                AdvertReject::WrongPassword,
                AdvertReject::BadAuthHeader,
                AdvertReject::ReplayedAuthHeader,
            ]),
        }
    }
}
