//! Trackers and their use.

use super::{Command, Config, Reading, User};
use crate::codes;
use crate::suggest;
use crate::tree::{Statement, ValueLine};
use crate::value::{self, Values};
use crate::word::Word;
use lb_core::diag::{Span, Spanned};
use std::time::Duration;

/// What a tracker does to the priority; 0 makes its failure a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Weight {
    /// The number added or subtracted.
    pub value: i32,
    /// `reverse`: failure and success change places.
    pub reverse: bool,
}

impl Weight {
    /// A plain weight.
    pub fn new(value: i32) -> Self {
        Self { value, reverse: false }
    }
}

/// `vrrp_script`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords of the block")]
pub struct Script {
    pub name: Spanned<String>,
    #[cfg_attr(feature = "serde", serde(skip))]
    pub span: Span,
    pub command: Command,
    pub interval: Option<Spanned<Duration>>,
    pub timeout: Option<Spanned<Duration>>,
    pub weight: Option<Spanned<Weight>>,
    pub rise: Option<Spanned<u32>>,
    pub fall: Option<Spanned<u32>>,
    pub user: Option<User>,
    pub init_fail: Option<Spanned<bool>>,
}

impl Script {
    pub(super) fn read(
        name: Option<Spanned<String>>,
        statement: &Statement,
        cx: &mut Reading<'_>,
    ) -> Option<Self> {
        let name = name?;
        let mut command = None;
        let mut script = ScriptFields::default();
        for (inner, values) in cx.each(statement.statements(), &name.value) {
            match inner.name() {
                // A line without a command leaves the one before.
                "script" => command = Command::read(&values, cx).or(command),
                "interval" => script.interval = positive(&values, "interval", &name.value, cx),
                "timeout" => script.timeout = positive(&values, "timeout", &name.value, cx),
                "weight" => script.weight = weight(&values),
                "rise" => script.rise = values.number(),
                "fall" => script.fall = values.number(),
                "user" => script.user = User::read(&values, 0),
                "init_fail" => script.init_fail = values.flag(),
                _ => {}
            }
        }
        let Some(command) = command else {
            let message = format!("`{}` has no `script`; it is dropped", name.value);
            let compat = format!("No script set for vrrp_script {} - removing", name.value);
            cx.warn(codes::NOT_SET, name.span, message, compat);
            return None;
        };
        if cx.lacks_user(script.user.as_ref(), command.line.span) {
            let (span, compat) = match &script.user {
                Some(user) => {
                    (user.user.span, format!("Unable to set uid/gid for script {}", command.quoted()))
                }
                None => {
                    let name = &name.value;
                    (
                        command.line.span,
                        format!("Unable to set default user for vrrp script {name} - removing"),
                    )
                }
            };
            let message = format!("`{}` has nobody to run it; it is dropped", name.value);
            cx.warn(codes::BAD_SCRIPT, span, message, compat);
            return None;
        }
        let ScriptFields { interval, timeout, weight, rise, fall, user, init_fail } = script;
        let span = statement.span;
        Some(Self { name, span, command, interval, timeout, weight, rise, fall, user, init_fail })
    }
}

#[derive(Default)]
struct ScriptFields {
    interval: Option<Spanned<Duration>>,
    timeout: Option<Spanned<Duration>>,
    weight: Option<Spanned<Weight>>,
    rise: Option<Spanned<u32>>,
    fall: Option<Spanned<u32>>,
    user: Option<User>,
    init_fail: Option<Spanned<bool>>,
}

/// A duration that must not be 0, which becomes one second.
fn positive(values: &Values, what: &str, name: &str, cx: &mut Reading<'_>) -> Option<Spanned<Duration>> {
    let duration = values.duration()?;
    if !duration.value.is_zero() {
        return Some(duration);
    }
    let compat = format!("({name}): vrrp script {what} must be greater than 0, setting to 1");
    cx.warn(
        codes::ADJUSTED,
        duration.span,
        format!("`{what}` must be more than 0; 1 second is taken"),
        compat,
    );
    Some(Spanned::new(Duration::from_secs(1), duration.span))
}

/// `weight N [reverse|noreverse]` of a tracker's own block.
pub(super) fn weight(values: &Values) -> Option<Spanned<Weight>> {
    let number = values.number::<i32>()?;
    let reverse = values.word_at(1).is_some_and(|w| w.value == "reverse");
    Some(number.map(|value| Weight { value, reverse }))
}

/// `track_file`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords of the block")]
pub struct TrackFile {
    pub name: Spanned<String>,
    pub file: Spanned<String>,
    pub weight: Option<Spanned<Weight>>,
    /// `init_file`: the value to write, and whether to overwrite.
    pub init_file: Option<Spanned<(i32, bool)>>,
}

impl TrackFile {
    /// The weight where whoever follows it names none.
    pub(crate) fn own_weight(&self) -> Weight {
        self.weight.map_or(Weight { value: 1, reverse: false }, |weight| weight.value)
    }

    pub(super) fn read(
        name: Option<Spanned<String>>,
        statement: &Statement,
        cx: &mut Reading<'_>,
    ) -> Option<Self> {
        let name = name?;
        let (mut file, mut own_weight, mut init_file) = (None, None, None);
        for (inner, values) in cx.each(statement.statements(), &name.value) {
            match inner.name() {
                "file" => file = values.word(),
                "weight" => own_weight = weight(&values),
                "init_file" => init_file = Some(init(inner, &name.value, cx)),
                _ => {}
            }
        }
        let Some(file) = file else {
            let message = format!("`{}` has no `file`; it is dropped", name.value);
            cx.warn(
                codes::NOT_SET,
                name.span,
                message,
                format!("No file set for track_file {} - ignoring", name.value),
            );
            return None;
        };
        Some(Self { name, file, weight: own_weight, init_file })
    }
}

fn init(statement: &Statement, name: &str, cx: &mut Reading<'_>) -> Spanned<(i32, bool)> {
    let (mut value, mut overwrite) = (0, false);
    for word in statement.args() {
        if word.text == "overwrite" {
            overwrite = true;
        } else if let Ok(n) = word.text.parse::<i32>() {
            value = n;
        } else {
            let message = format!("`{}` is neither a number nor `overwrite`", word.text);
            cx.warn(
                codes::BAD_WORD,
                word.span,
                message,
                format!("Unknown track file init option {}", word.text),
            )
            .note(format!("in `track_file {name}`; it is ignored"));
        }
    }
    Spanned::new((value, overwrite), statement.head_span())
}

/// `vrrp_track_process`
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[expect(missing_docs, reason = "the fields are the keywords of the block")]
pub struct TrackProcess {
    pub name: Spanned<String>,
    /// Program and arguments.
    pub process: Spanned<Vec<String>>,
    pub param_match: Option<Spanned<String>>,
    pub weight: Option<Spanned<Weight>>,
    pub quorum: Option<Spanned<u32>>,
    pub quorum_max: Option<Spanned<u32>>,
    pub fork_delay: Option<Spanned<Duration>>,
    pub terminate_delay: Option<Spanned<Duration>>,
    pub full_command: Option<Spanned<bool>>,
}

impl TrackProcess {
    pub(super) fn read(
        name: Option<Spanned<String>>,
        statement: &Statement,
        cx: &mut Reading<'_>,
    ) -> Option<Self> {
        let name = name?;
        let empty = Spanned::new(Vec::new(), name.span);
        let mut it = Self {
            name,
            process: empty,
            param_match: None,
            weight: None,
            quorum: None,
            quorum_max: None,
            fork_delay: None,
            terminate_delay: None,
            full_command: None,
        };
        let owner = it.name.value.clone();
        for (inner, values) in cx.each(statement.statements(), &owner) {
            match inner.name() {
                "process" => {
                    let argv = (0..).map_while(|n| values.word_at(n)).map(|w| w.value).collect();
                    it.process = Spanned::new(argv, inner.head_span());
                }
                "param_match" => it.param_match = values.word(),
                "weight" => it.weight = weight(&values),
                "quorum" => it.quorum = values.number(),
                "quorum_max" => it.quorum_max = values.number(),
                "delay" => {
                    it.fork_delay = values.duration();
                    it.terminate_delay = values.duration();
                }
                "fork_delay" => it.fork_delay = values.duration(),
                "terminate_delay" => it.terminate_delay = values.duration(),
                "full_command" => it.full_command = values.flag(),
                _ => {}
            }
        }
        if it.process.value.is_empty() {
            let message = format!("`{owner}` has no `process`; it is dropped");
            cx.warn(
                codes::NOT_SET,
                it.name.span,
                message,
                format!("track process '{owner}' process name not specified"),
            );
            return None;
        }
        it.check_quorum(cx);
        Some(it)
    }

    fn check_quorum(&mut self, cx: &mut Reading<'_>) {
        let (Some(least), Some(most)) = (self.quorum, self.quorum_max) else { return };
        if most.value > 0 && least.value > most.value {
            let message = "`quorum_max` is less than `quorum`; it is ignored";
            cx.warn(codes::CONFLICT, most.span, message, "quorum_max is less than quorum - ignoring")
                .label(least.span, "the quorum");
            self.quorum_max = None;
        }
    }
}

/// Everything an instance or a group watches.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Track {
    /// `track_interface`
    pub interfaces: Vec<TrackedInterface>,
    /// `track_script`
    pub scripts: Vec<Tracked>,
    /// `track_file`
    pub files: Vec<Tracked>,
    /// `track_process`
    pub processes: Vec<Tracked>,
    /// `track_bfd`
    pub bfds: Vec<Tracked>,
    /// `track_backend`
    pub backends: Vec<Backend>,
}

/// An interface that is watched.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TrackedInterface {
    /// The interface.
    pub interface: Spanned<String>,
    /// Its weight here.
    pub weight: Option<Spanned<Weight>>,
}

/// A named tracker that is watched.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Tracked {
    /// The tracker.
    pub name: Spanned<String>,
    /// Its weight here; its own if absent.
    pub weight: Option<Spanned<Weight>>,
}

/// A pool of the balancer that is watched.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Backend {
    /// The pool.
    pub name: Spanned<String>,
    /// `min-up`: how many servers must be up; 1 if absent.
    pub min_up: Option<Spanned<u32>>,
    /// Its weight; 0 if absent, so that its failure is a fault.
    pub weight: Option<Spanned<Weight>>,
}

/// What a tracked name refers to.
struct Target<'a> {
    /// The word of the original's messages.
    what: &'static str,
    /// The names declared so far, and whether their own weight is reversed.
    names: Vec<(&'a str, bool)>,
    low: i64,
    high: i64,
}

impl Track {
    /// Takes the statement if it is about tracking. `config` holds what was declared above it.
    pub(super) fn take(
        &mut self,
        statement: &Statement,
        owner: &str,
        config: &Config,
        cx: &mut Reading<'_>,
    ) -> bool {
        match statement.name() {
            "track_interface" => self.interfaces(statement.values(), owner, cx),
            "track_script" => {
                let names = config.scripts.iter().map(|s| (s.name.value.as_str(), reversed(s.weight)));
                let target = Target { what: "script", names: names.collect(), low: -254, high: 254 };
                read_named(&mut self.scripts, statement.values(), owner, &target, cx);
            }
            "track_file" => {
                let names = config.track_files.iter().map(|f| (f.name.value.as_str(), reversed(f.weight)));
                let target = Target { what: "file", names: names.collect(), low: -254, high: 254 };
                read_named(&mut self.files, statement.values(), owner, &target, cx);
            }
            "track_process" => {
                let names =
                    config.track_processes.iter().map(|p| (p.name.value.as_str(), reversed(p.weight)));
                let target = Target { what: "process", names: names.collect(), low: -254, high: 254 };
                read_named(&mut self.processes, statement.values(), owner, &target, cx);
            }
            "track_bfd" => {
                let sessions = config.bfds.iter().filter(|b| b.for_vrrp());
                let names = sessions.map(|b| (b.name.value.as_str(), reversed(b.weight)));
                let target = Target { what: "bfd", names: names.collect(), low: -253, high: 253 };
                read_named(&mut self.bfds, statement.values(), owner, &target, cx);
            }
            "track_backend" => self.backends.extend(Backend::read(statement, cx)),
            _ => return false,
        }
        true
    }

    fn interfaces(&mut self, lines: &[ValueLine], owner: &str, cx: &mut Reading<'_>) {
        for line in lines {
            let name = &line.words[0];
            if cx.lacks_interface(&name.text) {
                let message = format!("the tracked interface `{}` does not exist", name.text);
                let compat = format!("({owner}) tracked interface {} doesn't exist", name.text);
                cx.warn(codes::MISSING_INTERFACE, name.span, message, compat);
                continue;
            }
            if let Some(first) = self.interfaces.iter().find(|t| t.interface.value == name.text) {
                let first = first.interface.span;
                let compat = format!("({owner}) duplicate track_interface {} - ignoring", name.text);
                cx.warn(codes::DUPLICATE, name.span, format!("`{}` is tracked twice", name.text), compat)
                    .label(first, "tracked here");
                continue;
            }
            let Some(weight) = line_weight(line, owner, "interface", (-254, 254, false), cx) else {
                continue;
            };
            self.interfaces.push(TrackedInterface { interface: spanned(name), weight });
        }
    }
}

fn reversed(weight: Option<Spanned<Weight>>) -> bool {
    weight.is_some_and(|w| w.value.reverse)
}

pub(super) fn spanned(word: &Word) -> Spanned<String> {
    Spanned::new(word.text.clone(), word.span)
}

fn read_named(
    to: &mut Vec<Tracked>,
    lines: &[ValueLine],
    owner: &str,
    target: &Target<'_>,
    cx: &mut Reading<'_>,
) {
    for line in lines {
        let name = &line.words[0];
        let what = target.what;
        let Some(&(_, own_reverse)) = target.names.iter().find(|(n, _)| *n == name.text) else {
            let message = format!("there is no {what} `{}` above this", name.text);
            let compat = format!("({owner}) track {what} {} not found, ignoring...", name.text);
            let near = suggest::nearest(&name.text, target.names.iter().map(|(n, _)| *n));
            let warning = cx
                .warn(codes::UNKNOWN_REFERENCE, name.span, message, compat)
                .note("a tracker must be declared above the block that uses it; this use is ignored");
            if let Some(better) = near {
                drop(warning.suggest(name.span, better, format!("did you mean `{better}`?")));
            }
            continue;
        };
        if let Some(first) = to.iter().find(|t| t.name.value == name.text) {
            let first = first.name.span;
            let compat = format!("({owner}) duplicate track_{what} {} - ignoring", name.text);
            cx.warn(codes::DUPLICATE, name.span, format!("`{}` is tracked twice", name.text), compat)
                .label(first, "tracked here");
            continue;
        }
        let Some(weight) = line_weight(line, owner, what, (target.low, target.high, own_reverse), cx) else {
            continue;
        };
        to.push(Tracked { name: spanned(name), weight });
    }
}

/// `NAME [weight N [reverse|noreverse]]`: the weight, or nothing if the line is to be ignored.
fn line_weight(
    line: &ValueLine,
    owner: &str,
    what: &str,
    (low, high, own_reverse): (i64, i64, bool),
    cx: &mut Reading<'_>,
) -> Option<Option<Spanned<Weight>>> {
    let name = &line.words[0].text;
    let Some(option) = line.words.get(1) else { return Some(None) };
    if option.text != "weight" {
        let compat = match what {
            "interface" => {
                format!("({owner}) unknown track_interface {name} option {} - ignoring", option.text)
            }
            "bfd" => format!("({owner}) unknown track bfd {name} option {} - ignoring", option.text),
            _ => format!("({owner}) unknown track {what} option {} - ignoring", option.text),
        };
        cx.warn(
            codes::BAD_OPTION,
            option.span,
            format!("unknown option `{}`; the line is ignored", option.text),
            compat,
        )
        .note("expected `weight N`");
        return None;
    }
    let Some(number) = line.words.get(2) else {
        let tracked = if what == "interface" { "track_interface" } else { &format!("track {what}") };
        let compat = format!("({owner}) weight without value specified for {tracked} {name} - ignoring");
        cx.warn(codes::BAD_OPTION, option.span, "`weight` without a number; the line is ignored", compat);
        return None;
    };
    let reverse = reverse(line, owner, what, own_reverse, cx);
    match value::integer(&number.text, low, high, true) {
        Ok(n) => {
            let mut value = i32::try_from(n).unwrap_or(0);
            if value.abs() == 254 && low == -254 && matches!(what, "interface" | "script") {
                let compat = format!("({owner}) weight for {name} cannot be +/-254. Setting to +/-253");
                cx.warn(codes::ADJUSTED, number.span, "a weight is at most 253", compat);
                value = 253 * value.signum();
            }
            Some(Some(Spanned::new(Weight { value, reverse }, number.span)))
        }
        Err(problem) => {
            let second = match what {
                "interface" => format!(
                    "({owner}) weight {} for {name} must be between [-253..253] inclusive. Ignoring...",
                    number.text
                ),
                "script" => format!(
                    "({owner}) track script {name}: weight must be between [-253..253] inclusive, ignoring..."
                ),
                _ => format!(
                    "({owner}) weight for track {what} {name} must be in [{low}..{high}] inclusive. Ignoring..."
                ),
            };
            let message = format!("`{}` is no weight; the tracker's own counts", number.text);
            cx.warn(codes::BAD_NUMBER, number.span, message, format!("{}\n{second}", problem.compat()))
                .note(problem.expected().to_owned());
            Some(None)
        }
    }
}

/// The fourth word of a line; the tracker's own direction if there is none.
fn reverse(line: &ValueLine, owner: &str, what: &str, own: bool, cx: &mut Reading<'_>) -> bool {
    let Some(word) = line.words.get(3) else { return own };
    match word.text.as_str() {
        "reverse" => true,
        "noreverse" => false,
        other => {
            let name = &line.words[0].text;
            // The missing letter is the original's.
            let tracked = match what {
                "interface" => "track_interace",
                "script" => "track_script",
                "process" => "track_process",
                "bfd" => "track bfd",
                _ => "track file",
            };
            let compat = format!("({owner}) unknown {tracked} {name} weight option {other} - ignoring");
            cx.warn(
                codes::BAD_OPTION,
                word.span,
                format!("`{other}` is not `reverse`; it is ignored"),
                compat,
            );
            own
        }
    }
}

impl Backend {
    fn read(statement: &Statement, cx: &mut Reading<'_>) -> Option<Self> {
        let mut words = statement.args().iter().chain(statement.values().iter().flat_map(|l| &l.words));
        let name = spanned(words.next()?);
        let mut backend = Self { name, min_up: None, weight: None };
        while let Some(word) = words.next() {
            let (low, high) = match word.text.as_str() {
                "min-up" => (1, i64::from(u32::MAX)),
                "weight" => (-253, 253),
                other => {
                    cx.advise(
                        codes::BAD_OPTION,
                        word.span,
                        format!("unknown option `{other}` of `track_backend`"),
                    )
                    .note("expected `min-up N` or `weight W`");
                    continue;
                }
            };
            let Some(number) = words.next() else {
                cx.advise(codes::BAD_OPTION, word.span, format!("`{}` lacks its number", word.text));
                break;
            };
            match value::integer(&number.text, low, high, false) {
                Ok(n) if word.text == "min-up" => {
                    backend.min_up = Some(Spanned::new(u32::try_from(n).unwrap_or(1), number.span));
                }
                Ok(n) => {
                    backend.weight =
                        Some(Spanned::new(Weight::new(i32::try_from(n).unwrap_or(0)), number.span));
                }
                Err(problem) => {
                    let message = format!("`{}` is no value for `{}`", number.text, word.text);
                    cx.advise(codes::BAD_NUMBER, number.span, message).note(problem.expected().to_owned());
                }
            }
        }
        Some(backend)
    }
}
