//! Commands: written by the client, read by the server. RFC 5321 §4.1.

use std::fmt;

use thiserror::Error;

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Command {
    /// Introduces the client.
    Helo(String),
    /// Introduces a client that understands extensions.
    Ehlo(String),
    /// Starts a mail: sender (empty for a bounce) and parameters.
    Mail(String, String),
    /// Adds a recipient: address and parameters.
    Rcpt(String, String),
    /// The mail follows.
    Data,
    /// Forgets the mail begun.
    Rset,
    /// Nothing.
    Noop,
    /// Ends the session.
    Quit,
    /// Wants TLS.
    StartTls,
    /// Asks whether an address exists.
    Vrfy(String),
    /// Asks for help.
    Help,
}

/// Why a line is not a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The first word is not known.
    #[error("unknown command")]
    Unknown,
    /// The rest of the line does not fit the command.
    #[error("wrong argument")]
    Argument,
}

impl Command {
    /// Reads a line, without its line end.
    pub fn parse(line: &[u8]) -> Result<Self, CommandError> {
        let line = std::str::from_utf8(line).map_err(|_| CommandError::Argument)?;
        if line.contains(|c: char| c.is_control() && c != '\t') {
            return Err(CommandError::Argument);
        }
        let line = line.trim_end();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim_start();
        let bare = |command| if rest.is_empty() { Ok(command) } else { Err(CommandError::Argument) };
        match &*word.to_ascii_uppercase() {
            "HELO" if !rest.is_empty() => Ok(Self::Helo(rest.to_owned())),
            "EHLO" if !rest.is_empty() => Ok(Self::Ehlo(rest.to_owned())),
            "HELO" | "EHLO" => Err(CommandError::Argument),
            "MAIL" => path(rest, "FROM:").map(|(path, parameters)| Self::Mail(path, parameters)),
            "RCPT" => match path(rest, "TO:")? {
                (path, _) if path.is_empty() => Err(CommandError::Argument),
                (path, parameters) => Ok(Self::Rcpt(path, parameters)),
            },
            "DATA" => bare(Self::Data),
            "RSET" => bare(Self::Rset),
            "NOOP" => Ok(Self::Noop),
            "QUIT" => bare(Self::Quit),
            "STARTTLS" => bare(Self::StartTls),
            "VRFY" => Ok(Self::Vrfy(rest.to_owned())),
            "HELP" => Ok(Self::Help),
            _ => Err(CommandError::Unknown),
        }
    }
}

/// Reads `FROM:<a@b> parameters`; a blank after the colon and a missing pair of brackets are accepted.
fn path(rest: &str, keyword: &str) -> Result<(String, String), CommandError> {
    let start = rest.get(..keyword.len()).filter(|start| start.eq_ignore_ascii_case(keyword));
    let rest = rest[start.ok_or(CommandError::Argument)?.len()..].trim_start();
    let (path, parameters) = match rest.strip_prefix('<') {
        Some(rest) => rest.split_once('>').ok_or(CommandError::Argument)?,
        None => rest.split_once(' ').unwrap_or((rest, "")),
    };
    let unbracketed = !rest.starts_with('<');
    if path.contains(['<', '>']) || (unbracketed && path.is_empty()) || path.contains(' ') {
        return Err(CommandError::Argument);
    }
    Ok((path.to_owned(), parameters.trim().to_owned()))
}

/// The line of the command, without its line end. Line ends inside an argument are left out, so that no argument can
/// become a command of its own.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clean = |text: &str| text.replace(['\r', '\n'], "");
        let path = |f: &mut fmt::Formatter<'_>, verb: &str, path: &str, parameters: &str| {
            write!(f, "{verb}<{}>", clean(path).replace(['<', '>'], ""))?;
            if parameters.is_empty() { Ok(()) } else { write!(f, " {}", clean(parameters)) }
        };
        match self {
            Self::Helo(name) => write!(f, "HELO {}", clean(name)),
            Self::Ehlo(name) => write!(f, "EHLO {}", clean(name)),
            Self::Mail(from, parameters) => path(f, "MAIL FROM:", from, parameters),
            Self::Rcpt(to, parameters) => path(f, "RCPT TO:", to, parameters),
            Self::Data => f.write_str("DATA"),
            Self::Rset => f.write_str("RSET"),
            Self::Noop => f.write_str("NOOP"),
            Self::Quit => f.write_str("QUIT"),
            Self::StartTls => f.write_str("STARTTLS"),
            Self::Vrfy(what) => write!(f, "VRFY {}", clean(what)),
            Self::Help => f.write_str("HELP"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_read_back_as_they_are_written() {
        for command in [
            Command::Helo("a".into()),
            Command::Ehlo("[10.0.0.1]".into()),
            Command::Mail(String::new(), String::new()),
            Command::Mail("a@b".into(), "SIZE=10 BODY=8BITMIME".into()),
            Command::Rcpt("c@d".into(), String::new()),
            Command::Data,
            Command::Rset,
            Command::Noop,
            Command::Quit,
            Command::StartTls,
            Command::Help,
        ] {
            assert_eq!(Command::parse(command.to_string().as_bytes()), Ok(command));
        }
    }

    #[test]
    fn the_ways_real_clients_write_are_accepted() {
        assert_eq!(Command::parse(b"mail from: <a@b> "), Ok(Command::Mail("a@b".into(), String::new())));
        assert_eq!(Command::parse(b"RCPT TO:a@b"), Ok(Command::Rcpt("a@b".into(), String::new())));
        assert_eq!(Command::parse(b"NOOP x y"), Ok(Command::Noop));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for line in [
            "HELO",
            "MAIL",
            "MAIL FROM:",
            "MAIL TO:<a>",
            "RCPT TO:<>",
            "RCPT TO:<a",
            "DATA x",
            "QUIT x",
            "MAIL FROM:<a b>",
        ] {
            assert_eq!(Command::parse(line.as_bytes()), Err(CommandError::Argument), "{line}");
        }
        assert_eq!(Command::parse(b"HELO \xff"), Err(CommandError::Argument));
        assert_eq!(Command::parse(b"HELO a\rb"), Err(CommandError::Argument));
        assert_eq!(Command::parse(b"XYZ"), Err(CommandError::Unknown));
        assert_eq!(Command::parse(b""), Err(CommandError::Unknown));
    }

    #[test]
    fn no_argument_becomes_a_command_of_its_own() {
        let command = Command::Rcpt("a>\r\nDATA\r\n.\r\nMAIL FROM:<x".into(), "\r\nQUIT".into());
        assert!(!command.to_string().contains(['\r', '\n']));
        assert_eq!(command.to_string().matches('<').count(), 1);
    }
}
