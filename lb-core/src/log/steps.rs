//! When lines are due: at the steps a proxy names (`log-steps`), or as soon as everything its format prints is known.

use super::{Origin, Template};

/// A set of steps, as `log-steps` names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Steps(u32);

impl Steps {
    /// Every step.
    pub const ALL: Self = Self(u32::MAX);

    /// One step.
    pub const fn of(step: Origin) -> Self {
        Self(1 << step as u32)
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a step is in the set.
    pub const fn has(self, step: Origin) -> bool {
        self.0 & Self::of(step).0 != 0
    }
}

/// What a format has to wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Awaits {
    /// The request line.
    pub(super) request: bool,
    /// The totals of the end.
    pub(super) totals: bool,
    /// Something in between.
    pub(super) more: bool,
}

impl Awaits {
    pub(super) const REQUEST: Self = Self { request: true, totals: false, more: false };
    pub(super) const TOTALS: Self = Self { request: false, totals: true, more: false };
    pub(super) const MORE: Self = Self { request: false, totals: false, more: true };
    pub(super) const NOTHING: Self = Self { request: false, totals: false, more: false };

    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            request: self.request || other.request,
            totals: self.totals || other.totals,
            more: self.more || other.more,
        }
    }
}

/// When the lines of one proxy are written.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    steps: Option<Steps>,
    /// Without a format there is only the line about the accept.
    formatted: bool,
    awaits: Awaits,
    http: bool,
}

impl Schedule {
    /// For lines in a format, or of the default one, with `structured` data. Without totals (`asap`) the format waits for
    /// less; with `captures` it waits for more than the request.
    pub fn new(
        format: Option<&Template>,
        structured: Option<&Template>,
        steps: Option<Steps>,
        http: bool,
        asap: bool,
        captures: bool,
    ) -> Self {
        let all = [format, structured].into_iter().flatten();
        let mut awaits = all.fold(Awaits::default(), |awaits, template| awaits.and(template.awaits()));
        awaits.more |= captures;
        awaits.totals &= !asap;
        Self { steps, formatted: format.is_some(), awaits, http }
    }

    /// Whether a line is due, if one was or was not `written` before. Lines that rules ask for are always due.
    pub fn is_due(&self, step: Origin, written: bool) -> bool {
        if !step.is_step() {
            return true;
        }
        if let Some(steps) = self.steps {
            return steps.has(step);
        }
        if !self.formatted {
            return step == Origin::Accept;
        }
        match step {
            Origin::Request => self.awaits.request && !self.awaits.totals && !self.awaits.more && !written,
            Origin::Connect => !self.http && !self.awaits.totals,
            Origin::Response => self.http && !self.awaits.totals,
            Origin::Close => !written,
            _ => false,
        }
    }

    /// Whether totals are told before they are known: they get a `+` then.
    pub fn is_early(&self) -> bool {
        self.steps.is_none() && !self.awaits.totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::{NoBuild, Phases, Registry};
    use crate::log::{HTTP_LOG, Style, TCP_LOG};

    const STEPS: [Origin; 5] =
        [Origin::Accept, Origin::Request, Origin::Connect, Origin::Response, Origin::Close];

    fn template(format: &str) -> Template {
        Template::parse(format, Style::Log, Phases::LOG, &Registry::builtin(), &mut NoBuild).unwrap()
    }

    /// The first letters of the steps at which a line is due.
    fn due(schedule: Schedule) -> String {
        let mut written = false;
        let mut all = String::new();
        for step in STEPS {
            if schedule.is_due(step, written) {
                written = true;
                all.push_str(&step.name()["txn_".len()..][..3]);
            }
        }
        all
    }

    fn http(format: &str) -> Schedule {
        Schedule::new(Some(&template(format)), None, None, true, false, false)
    }

    #[test]
    fn a_line_is_due_when_its_format_waits_for_nothing_more() {
        assert_eq!(due(http(HTTP_LOG)), "clo");
        assert_eq!(due(http("%f %ST")), "res");
        // The request is all there is to wait for, and what was waited for before the response is not asked again.
        assert_eq!(due(http("%f %r")), "reqres");
        assert_eq!(due(http("%r %[src]")), "res");
        assert_eq!(due(Schedule::new(Some(&template("%r")), None, None, true, false, true)), "res");
        let tcp = |format: &str, asap| Schedule::new(Some(&template(format)), None, None, false, asap, false);
        assert_eq!(
            [due(tcp(TCP_LOG, false)), due(tcp(TCP_LOG, true)), due(tcp("%ci", false))],
            ["clo", "con", "con"]
        );
    }

    #[test]
    fn without_a_format_only_the_accept_is_told() {
        assert_eq!(due(Schedule::new(None, None, None, true, false, false)), "acc");
    }

    #[test]
    fn named_steps_decide_alone() {
        let format = template(HTTP_LOG);
        let with = |steps| Schedule::new(Some(&format), None, Some(steps), true, true, false);
        assert_eq!(due(with(Steps::ALL)), "accreqconresclo");
        assert_eq!(due(with(Steps::of(Origin::Accept).with(Steps::of(Origin::Close)))), "accclo");
        assert!(!with(Steps::ALL).is_early());
    }

    #[test]
    fn totals_that_are_not_waited_for_are_marked() {
        let early = |asap| Schedule::new(Some(&template(HTTP_LOG)), None, None, true, asap, false).is_early();
        assert!(early(true) && !early(false));
    }

    #[test]
    fn lines_wait_for_what_their_structured_data_tells() {
        let (path, bytes) = (template("%HP"), template("[a@1 bytes=\"%B\"]"));
        let early = |structured| Schedule::new(Some(&path), structured, None, true, false, false).is_early();
        assert!(early(None) && !early(Some(&bytes)));
    }
}
