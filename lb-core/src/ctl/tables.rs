//! Commands about stick tables: `show table`, `set table`, `clear table`.

use super::catalogue::Exec;
use super::parse::Request;
use super::reply::Reply;
use crate::expr::Sample;
use crate::stick::{DataType, EntryView, Key, KeyType, SharedTable};
use std::fmt::Write;
use std::sync::Arc;

/// Most conditions of one command.
const MAX_CONDITIONS: usize = 4;

const NO_POINTER: &str = "No entry can be found matching ptr.";
/// What the commands on entries say of themselves.
struct Verb {
    usage: &'static str,
    /// What cannot be done to a table whose keys are bytes.
    doing: &'static str,
}

const SET: Verb = Verb {
    usage: "Required arguments: <table> key <key> [data.<store_data_type> <value>]* or <table> ptr <ptr> \
            [data.<store_data_type> <value>]*",
    doing: "Inserting keys into",
};
const CLEAR: Verb = Verb {
    usage: "Required arguments: <table> \"data.<store_data_type>\" <operator> <value> or <table> key <key> or <table> \
            ptr <ptr>",
    doing: "Removing keys from",
};
const SHOW: Verb = Verb {
    usage: "Optional argument only supports \"data.<store_data_type>\" <operator> <value> or key <key> or ptr <ptr>",
    doing: "Showing keys from",
};

/// Which entries a command is about.
enum Selection {
    All,
    Key(Key),
    Pointer(u64),
    Conditions(Vec<Condition>),
}

struct Condition {
    data: DataType,
    element: u8,
    accepts: fn(&u64, &u64) -> bool,
    value: u64,
}

impl Selection {
    fn parse(table: &SharedTable, words: &[String], verb: &Verb) -> Result<Self, Reply> {
        let word = |index: usize| words.get(index).map_or("", String::as_str);
        match word(0) {
            "" => Ok(Self::All),
            "key" => key(table, word(1), verb).map(Self::Key),
            "ptr" => pointer(word(1)).map(Self::Pointer),
            first if first.starts_with("data.") => conditions(table, words).map(Self::Conditions),
            _ => Err(Reply::error(verb.usage)),
        }
    }

    fn accepts(&self, entry: &EntryView) -> bool {
        match self {
            Self::All => true,
            Self::Key(key) => entry.key == *key,
            Self::Pointer(wanted) => identity(&entry.key) == *wanted,
            Self::Conditions(conditions) => conditions.iter().all(|condition| {
                let mut values = entry.values.iter();
                let value = values
                    .find(|(data, element, _)| *data == condition.data && *element == condition.element);
                value.is_some_and(|(_, _, value)| (condition.accepts)(value, &condition.value))
            }),
        }
    }
}

pub(super) fn show(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let mut out = String::new();
    if request.words.at(2).is_empty() {
        for table in exec.control.tables() {
            table.settle(exec.now);
            head(&mut out, &table);
        }
        return Ok(Reply::dump(out));
    }
    let table = find(exec, request.words.at(2))?;
    let selection = Selection::parse(&table, request.words.from(3), &SHOW)?;
    table.settle(exec.now);
    let mut entries = table.entries(exec.now);
    entries.retain(|entry| selection.accepts(entry));
    match selection {
        // A key that is not there is answered with nothing at all.
        Selection::Key(_) if entries.is_empty() => return Ok(Reply::empty()),
        Selection::Pointer(_) if entries.is_empty() => return Err(Reply::error(NO_POINTER)),
        _ => {}
    }
    head(&mut out, &table);
    entries.iter().for_each(|entry| line(&mut out, &table, entry));
    Ok(Reply::dump(out))
}

pub(super) fn clear(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    if request.words.at(2).is_empty() {
        return Err(Reply::error(CLEAR.usage));
    }
    let table = find(exec, request.words.at(2))?;
    match Selection::parse(&table, request.words.from(3), &CLEAR)? {
        Selection::Key(key) => {
            table.remove(&key, exec.now);
        }
        selection => {
            let removed = table.remove_where(exec.now, |entry| selection.accepts(entry));
            if removed == 0 && matches!(selection, Selection::Pointer(_)) {
                return Err(Reply::error(NO_POINTER));
            }
        }
    }
    Ok(Reply::empty())
}

pub(super) fn set(exec: &mut Exec<'_>, request: &Request) -> Result<Reply, Reply> {
    let words = &request.words;
    if words.at(2).is_empty() {
        return Err(Reply::error(SET.usage));
    }
    let table = find(exec, words.at(2))?;
    let key = match words.at(3) {
        "key" => key(&table, words.at(4), &SET)?,
        "ptr" => {
            let wanted = pointer(words.at(4))?;
            let entries = table.entries(exec.now).into_iter();
            let found = entries.map(|entry| entry.key).find(|key| identity(key) == wanted);
            found.ok_or_else(|| Reply::error(NO_POINTER))?
        }
        _ => return Err(Reply::error(SET.usage)),
    };
    // Everything is read before anything is written, so that a mistake changes nothing.
    let changes: Vec<_> =
        words.from(5).chunks(2).map(|pair| change(&table, pair)).collect::<Result<_, _>>()?;
    let done = table.update(&key, exec.now, |table, entry, now| {
        for (data, element, value) in changes {
            table.set(entry, data, element, value, now);
        }
    });
    done.map(|()| Reply::empty()).ok_or_else(|| Reply::error("Unable to allocate a new entry"))
}

fn change(table: &SharedTable, pair: &[String]) -> Result<(DataType, u8, u64), Reply> {
    let name = pair[0]
        .strip_prefix("data.")
        .ok_or_else(|| Reply::error("\"data.<type>\" followed by a value expected"))?;
    let (data, element) = data(table, name).map_err(Reply::error)?;
    if !table.stores(data, element) {
        return Err(Reply::error("index out of range in this data array"));
    }
    let value = pair.get(1).and_then(|value| value.parse().ok());
    Ok((data, element, value.ok_or_else(|| Reply::error("Require a valid integer value to store"))?))
}

fn find(exec: &Exec<'_>, name: &str) -> Result<Arc<SharedTable>, Reply> {
    let mut tables = exec.control.tables().into_iter();
    tables.find(|table| table.name() == name).ok_or_else(|| Reply::error("No such table"))
}

/// The key that a word stands for.
fn key(table: &SharedTable, word: &str, verb: &Verb) -> Result<Key, Reply> {
    if word.is_empty() {
        return Err(Reply::error("Key value expected"));
    }
    let text = Sample::Str(word.as_bytes());
    let sample = match table.spec().key {
        // An address is read as what it is and then made into one of the table's family.
        KeyType::Ip | KeyType::Ipv6 => text.to_addr(),
        KeyType::Binary(_) => {
            let rest = "tables of type other than ip, ipv6, string and integer is not supported";
            return Err(Reply::error(format!("{} {rest}", verb.doing)));
        }
        KeyType::Integer | KeyType::String(_) => Some(text),
    };
    sample.and_then(|sample| table.key(&sample)).ok_or_else(|| Reply::error("Invalid key"))
}

fn pointer(word: &str) -> Result<u64, Reply> {
    super::process::session_id(word).ok_or_else(|| Reply::error("Pointer expected (0xffff notation)"))
}

fn conditions(table: &SharedTable, words: &[String]) -> Result<Vec<Condition>, Reply> {
    let mut conditions = Vec::new();
    for (index, parts) in words.chunks(3).enumerate() {
        let problem = |text: &str| Reply::error(format!("Filter entry #{}: {text}", index + 1));
        if index == MAX_CONDITIONS {
            return Err(problem("Too many conditions"));
        }
        let name = parts[0].strip_prefix("data.").ok_or_else(|| problem("Data type name expected"))?;
        let (data, element) = data(table, name).map_err(problem)?;
        let accepts: fn(&u64, &u64) -> bool = match parts.get(1).map(String::as_str) {
            Some("eq") => u64::eq,
            Some("ne") => u64::ne,
            Some("le") => u64::le,
            Some("ge") => u64::ge,
            Some("lt") => u64::lt,
            Some("gt") => u64::gt,
            _ => {
                return Err(problem(r#"Require and operator among "eq", "ne", "le", "ge", "lt", "gt""#));
            }
        };
        let value = parts.get(2).and_then(|value| value.parse().ok());
        let value = value.ok_or_else(|| problem("Require a valid integer value to compare against"))?;
        conditions.push(Condition { data, element, accepts, value });
    }
    Ok(conditions)
}

/// Reads `gpc0`, `gpc[3]` or `conn_cnt`, if it is stored; the element of a single value is 0, that of an array may lie beyond
/// its end.
fn data(table: &SharedTable, name: &str) -> Result<(DataType, u8), &'static str> {
    let (name, element) = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((name, element)) => (name, element.parse().map_err(|_| "Unknown data type")?),
        None => (name, 0),
    };
    let data = DataType::by_name(name).ok_or("Unknown data type")?;
    if table.stores(data, 0) { Ok((data, element)) } else { Err("Data type not stored in this table") }
}

fn head(out: &mut String, table: &SharedTable) {
    let spec = table.spec();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "# table: {}, type: {}, size:{}, used:{}",
        spec.name,
        spec.key.name(),
        spec.size,
        table.len()
    );
}

fn line(out: &mut String, table: &SharedTable, entry: &EntryView) {
    let _ = write!(out, "{:#x}: key=", identity(&entry.key));
    key_text(out, &entry.key, table.spec().key);
    let _ = write!(out, " use={} exp={} shard=0", entry.users, entry.expires_in.unwrap_or(0));
    let mut values = entry.values.clone();
    values.sort_by_key(|(data, element, _)| (data.number(), *element));
    for (data, element, value) in values {
        out.push(' ');
        match data.name().split_once('_') {
            _ if !data.is_array() => out.push_str(data.name()),
            // The number of an element stands before what follows the array's name: gpc1_rate.
            Some((name, rest)) => {
                let _ = write!(out, "{name}{element}_{rest}");
            }
            None => {
                let _ = write!(out, "{}{element}", data.name());
            }
        }
        if data.is_rate() {
            let period = table.spec().store(data).map_or(0, |store| store.period.as_millis());
            let _ = write!(out, "({period})");
        }
        if data == DataType::ServerKey {
            let _ = write!(out, "={}", entry.server.as_deref().unwrap_or("-"));
        } else {
            let _ = write!(out, "={value}");
        }
    }
    out.push('\n');
}

fn key_text(out: &mut String, key: &Key, key_type: KeyType) {
    match key {
        Key::Ip(addr) => {
            let _ = write!(out, "{}", std::net::Ipv4Addr::from(*addr));
        }
        Key::Ipv6(addr) => {
            let _ = write!(out, "{}", std::net::Ipv6Addr::from(*addr));
        }
        Key::Integer(number) => {
            let _ = write!(out, "{number}");
        }
        Key::Bytes(bytes) if matches!(key_type, KeyType::Binary(_)) => {
            for byte in bytes {
                let _ = write!(out, "{byte:02X}");
            }
        }
        Key::Bytes(bytes) => {
            for byte in bytes {
                match byte {
                    b' ' | b'\\' => {
                        out.push('\\');
                        out.push(char::from(*byte));
                    }
                    b'!'..=b'~' => out.push(char::from(*byte)),
                    byte => {
                        let _ = write!(out, "\\x{byte:02X}");
                    }
                }
            }
        }
    }
}

/// A number for `ptr`, the same as long as the key is: FNV-1a over the key.
fn identity(key: &Key) -> u64 {
    let fold = |bytes: &[u8]| {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        })
    };
    match key {
        Key::Ip(number) | Key::Integer(number) => fold(&number.to_be_bytes()),
        Key::Ipv6(number) => fold(&number.to_be_bytes()),
        Key::Bytes(bytes) => fold(bytes),
    }
}
