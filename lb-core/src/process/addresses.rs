//! The addresses of this machine, as the kernel lists them under `/proc/net`.

use std::collections::HashSet;
use std::net::IpAddr;

/// The addresses of this machine's interfaces, as the kernel lists them.
pub fn local_addresses() -> HashSet<IpAddr> {
    let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    addresses_in(&text("/proc/net/fib_trie"), &text("/proc/net/if_inet6"))
}

/// `fib_trie` has a line with the address above the one that says it is local; `if_inet6` starts with 32 digits.
fn addresses_in(fib_trie: &str, if_inet6: &str) -> HashSet<IpAddr> {
    let lines: Vec<&str> = fib_trie.lines().map(str::trim).collect();
    let v4 = lines.windows(2).filter(|pair| pair[1] == "/32 host LOCAL");
    let v4 = v4.filter_map(|pair| pair[0].strip_prefix("|-- ")?.parse().ok());
    let v6 = if_inet6.lines().filter_map(|line| u128::from_str_radix(line.split(' ').next()?, 16).ok());
    v4.chain(v6.map(|bits| IpAddr::V6(bits.into()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_are_those_the_kernel_calls_so() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 192.0.2.7\n        \
                    /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n";
        let inet6 = "20010db8000000000000000000000001 02 40 00 80     eth0\n";
        let found = addresses_in(trie, inet6);
        let expected: HashSet<IpAddr> =
            ["192.0.2.7", "2001:db8::1"].iter().map(|a| a.parse().unwrap()).collect();
        assert_eq!(found, expected);
        assert!(addresses_in("", "nonsense").is_empty());
    }
}
