//! The lists in which iproute2 keeps names for numbers.

use std::fs;

/// Where the lists are: those of this machine before those of its distribution.
const DIRECTORIES: [&str; 2] = ["/etc/iproute2", "/usr/share/iproute2"];

/// The number that a list of iproute2 (`rt_tables`, `rt_realms` and their like) has for a name.
#[must_use]
pub fn iproute_number(list: &str, name: &str) -> Option<u32> {
    let texts =
        DIRECTORIES.iter().filter_map(|directory| fs::read_to_string(format!("{directory}/{list}")).ok());
    texts.into_iter().find_map(|text| number_in(&text, name))
}

fn number_in(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let number = words.next().filter(|_| words.next() == Some(name) && words.next().is_none())?;
        match number.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => number.parse().ok(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_on_its_line_and_in_no_comment() {
        let text = "# reserved values\n255\tlocal\n#7 red\n0x28\tAF11\nx blue\n8 green # grass\n9 green\n\n";
        let found = ["local", "AF11", "red", "blue", "green", "values", ""].map(|name| number_in(text, name));
        assert_eq!(found, [Some(255), Some(0x28), None, None, Some(9), None, None]);
    }
}
