//! Programs to run.

use super::Reading;
use crate::codes;
use crate::env::Env;
use crate::mapped::Mapped;
use crate::value::Values;
use crate::word;
use lb_core::diag::Spanned;

/// A program with its arguments, and as whom it runs. There is no shell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Command {
    /// The command line as written, without its outer quotes.
    pub line: Spanned<String>,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Who runs it, if the line says so.
    pub user: Option<User>,
}

/// A user, and perhaps a group.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct User {
    /// User name or number.
    pub user: Spanned<String>,
    /// Group name; a leading `:` asks for the user's supplementary groups.
    pub group: Option<Spanned<String>>,
}

impl User {
    /// The user in argument `first`, the group after it.
    pub(crate) fn read(values: &Values, first: usize) -> Option<Self> {
        let group = values.word_at(first + 1);
        values.word_at(first).map(|user| Self { user, group })
    }

    /// The group, without what may stand in front of it.
    fn group_name(&self) -> Option<&str> {
        let group = self.group.as_ref()?.value.trim_start_matches(':');
        (!group.is_empty()).then_some(group)
    }

    /// Whether the host is known not to have them.
    pub(crate) fn is_missing(&self, env: &dyn Env) -> bool {
        lacks_account(env, &self.user.value, self.group_name())
    }

    /// Both as written.
    pub(crate) fn text(&self) -> String {
        match &self.group {
            Some(group) => format!("{} {}", self.user.value, group.value),
            None => self.user.value.clone(),
        }
    }

    /// The first word that cannot be a user or group name.
    fn misplaced(&self) -> Option<&Spanned<String>> {
        let plausible = |name: &str| {
            let name = name.trim_end_matches('$');
            !name.is_empty()
                && !name.starts_with('-')
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        };
        if !plausible(&self.user.value) {
            return Some(&self.user);
        }
        // A colon before the group, or alone, asks for the user's supplementary groups.
        self.group.as_ref().filter(|g| g.value != ":" && !plausible(g.value.trim_start_matches(':')))
    }
}

/// Whether the host is known not to have a user of this name, or a group. Numbers are no names to the original.
pub(crate) fn lacks_account(env: &dyn Env, user: &str, group: Option<&str>) -> bool {
    let number = |name: &str| name.bytes().all(|b| b.is_ascii_digit());
    env.account_exists(user, group).is_some_and(|exists| !exists || number(user) || group.is_some_and(number))
}

impl Command {
    /// The command in the first argument, the user in the second, the group in the third.
    pub(crate) fn read(values: &Values, cx: &mut Reading<'_>) -> Option<Self> {
        let line = values.word()?;
        let mapped = Mapped::verbatim(&line.value, line.span);
        let argv: Vec<String> = match word::split_quoted(&mapped, true) {
            Ok(words) => words.into_iter().map(|w| w.text).collect(),
            Err(diagnostic) => {
                cx.out.push(*diagnostic);
                return None;
            }
        };
        let user = User::read(values, 1);
        if let Some(word) = user.as_ref().and_then(User::misplaced) {
            // The original only logs this.
            let message = format!("`{}` cannot be a user or group; the command is ignored", word.value);
            cx.advise(codes::BAD_SCRIPT, word.span, message)
                .note("there is no shell; the words after the command are the user and group it runs as")
                .note("put a command with arguments in double quotes");
            return None;
        }
        if argv.first().is_none_or(String::is_empty) {
            cx.advise(codes::BAD_SCRIPT, line.span, "the command is empty; it is ignored");
            return None;
        }
        Some(Self { line, argv, user })
    }

    /// A command that something which happens sets off. Without anybody to run it, it is ignored.
    pub(crate) fn read_event(values: &Values, cx: &mut Reading<'_>) -> Option<Self> {
        let command = Self::read(values, cx)?;
        let span = command.line.span;
        // Whoever is named may still be made; the host's check tells who is missing.
        if command.user.is_none() && cx.lacks_user(None, span) {
            cx.advise(codes::BAD_SCRIPT, span, "the command has nobody to run it; it is ignored");
            return None;
        }
        Some(command)
    }

    /// The words in single quotes, as the original shows commands.
    pub(crate) fn quoted(&self) -> String {
        self.argv.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
    }

    /// The program, as written.
    pub fn program(&self) -> &str {
        self.argv.first().map_or("", String::as_str)
    }

    /// True for `</path`, which only tests that the file can be opened.
    pub fn only_readable(&self) -> bool {
        self.argv.first().is_some_and(|word| word.starts_with('<'))
    }
}

/// What to run on state changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Notify {
    /// `notify_master`
    pub master: Option<Command>,
    /// `notify_backup`
    pub backup: Option<Command>,
    /// `notify_fault`
    pub fault: Option<Command>,
    /// `notify_stop`
    pub stop: Option<Command>,
    /// `notify_deleted` with a command
    pub deleted: Option<Command>,
    /// `notify_deleted` at all
    pub on_deleted: bool,
    /// `notify_master_rx_lower_pri`
    pub master_rx_lower_pri: Option<Command>,
    /// `notify`
    pub any: Option<Command>,
    /// `notify_priority_changes`
    pub priority_changes: Option<Spanned<bool>>,
    /// `smtp_alert`
    pub smtp_alert: Option<Spanned<bool>>,
}

impl Notify {
    /// Takes the statement if it is about notification.
    pub(crate) fn take(&mut self, keyword: &str, values: &Values, cx: &mut Reading<'_>) -> bool {
        let slot = match keyword {
            "notify_master" => &mut self.master,
            "notify_backup" => &mut self.backup,
            "notify_fault" => &mut self.fault,
            "notify_stop" => &mut self.stop,
            "notify_deleted" => {
                self.on_deleted = true;
                &mut self.deleted
            }
            "notify_master_rx_lower_pri" => &mut self.master_rx_lower_pri,
            "notify" => &mut self.any,
            "notify_priority_changes" => {
                self.priority_changes = values.switch();
                return true;
            }
            "smtp_alert" => {
                self.smtp_alert = values.switch();
                return true;
            }
            _ => return false,
        };
        *slot = Command::read_event(values, cx);
        true
    }

    /// All commands.
    pub fn commands(&self) -> impl Iterator<Item = &Command> {
        [
            &self.master,
            &self.backup,
            &self.fault,
            &self.stop,
            &self.deleted,
            &self.master_rx_lower_pri,
            &self.any,
        ]
        .into_iter()
        .flatten()
    }
}
