//! The order in which the entries of a table are listed.
//!
//! HAProxy spreads keys over 64 buckets and lists one bucket after the other, each in the order of
//! its keys' bytes. Scripts that compare dumps line by line count on that order.

use twox_hash::XxHash64;

use super::spec::Key;
use crate::balance::hash::function::xxh32;

const BUCKETS: u32 = 64;

/// Where a key stands among the keys of one table.
pub(super) type Place = (u32, Box<[u8]>);

/// Computes places for the table of a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    seed: u32,
}

impl Order {
    pub(super) fn of_table(name: &str) -> Self {
        // The lower half is what reaches the 32-bit hash.
        Self { seed: XxHash64::oneshot(0, name.as_bytes()) as u32 }
    }

    pub(super) fn place(self, key: &Key) -> Place {
        let bytes: Box<[u8]> = match key {
            Key::Ip(addr) => addr.to_be_bytes().into(),
            Key::Ipv6(addr) => addr.to_be_bytes().into(),
            // Integers lie in a table as they lie in the memory of the usual machine.
            Key::Integer(number) => number.to_le_bytes().into(),
            Key::Bytes(bytes) => bytes.clone(),
        };
        (xxh32(&bytes, self.seed) % BUCKETS, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As HAProxy 3.4 lists a table `be1` holding these three.
    #[test]
    fn keys_come_in_the_order_of_buckets_and_then_of_bytes() {
        let order = Order::of_table("be1");
        let v6 = |text: &str| Key::Ipv6(text.parse::<std::net::Ipv6Addr>().expect("an address").into());
        let keys = ["::ffff:192.168.1.101", "::ffff:192.168.1.0", "2001:db8:c001:c01a::"].map(v6);
        let places = keys.map(|key| order.place(&key));
        assert!(places.is_sorted(), "{places:?}");
    }

    #[test]
    fn integers_of_one_bucket_are_ordered_by_their_lowest_byte_first() {
        let (bucket, bytes) = Order::of_table("t").place(&Key::Integer(0x0102));
        assert!(bucket < BUCKETS);
        assert_eq!(&*bytes, [2, 1, 0, 0]);
    }
}
