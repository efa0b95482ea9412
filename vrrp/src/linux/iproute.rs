//! The lists in which iproute2 keeps names for numbers.

use std::fs;
use std::sync::OnceLock;

/// Where the lists are: those of this machine before those of its distribution.
const DIRECTORIES: [&str; 2] = ["/etc/iproute2", "/usr/share/iproute2"];
/// The lists.
const LISTS: [&str; 6] = ["rt_tables", "rt_realms", "rt_protos", "rt_scopes", "rt_dsfield", "group"];

/// The lists of this machine. Each is read when it is asked for first and remembered.
#[derive(Debug, Clone, Default)]
pub struct Iproute {
    lists: [OnceLock<Vec<(String, u32)>>; LISTS.len()],
}

impl Iproute {
    /// The number that a list (`rt_tables`, `rt_realms` and their like) has for a name.
    #[must_use]
    pub fn number(&self, list: &str, name: &str) -> Option<u32> {
        let at = LISTS.iter().position(|known| *known == list)?;
        let names = self.lists[at].get_or_init(|| read(&DIRECTORIES, list));
        names.iter().find_map(|(own, number)| (own == name).then_some(*number))
    }
}

fn read(directories: &[&str], list: &str) -> Vec<(String, u32)> {
    let text = |directory: &&str| fs::read_to_string(format!("{directory}/{list}")).ok();
    directories.iter().filter_map(text).flat_map(|text| names(&text)).collect()
}

fn names(text: &str) -> Vec<(String, u32)> {
    let named = |line: &str| {
        let mut words = line.split_whitespace();
        let (number, name) = (words.next()?, words.next().filter(|name| !name.starts_with('#'))?);
        let number = match number.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        words.next().is_none().then(|| (name.to_owned(), number))
    };
    text.lines().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_on_its_line_and_in_no_comment() {
        let text =
            "# reserved values\n255\tlocal\n#7 red\n0x28\tAF11\nx blue\n8 green # grass\n9 green\n7 #\n\n";
        let expected = [("local", 255), ("AF11", 0x28), ("green", 9)];
        assert_eq!(names(text), expected.map(|(name, number)| (name.to_owned(), number)));
    }

    #[test]
    fn a_list_is_read_once_and_what_this_machine_says_comes_first() {
        let directory = |name: &str, text: &str| {
            let path = std::env::temp_dir().join(format!("vrrp-iproute-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            fs::write(path.join("rt_tables"), text).unwrap();
            path
        };
        let (own, standard) = (directory("own", "7 red\n"), directory("standard", "8 red\n9 blue\n"));
        let both = [own.to_str().unwrap(), standard.to_str().unwrap()];
        let iproute = Iproute::default();
        let _ = iproute.lists[0].set(read(&both, "rt_tables"));
        [&own, &standard].iter().for_each(|path| fs::remove_dir_all(path).unwrap());
        let number = |name: &str| iproute.number("rt_tables", name);
        assert_eq!(["red", "blue", "green"].map(number), [Some(7), Some(9), None]);
        assert_eq!(iproute.number("no such list", "red"), None);
    }
}
