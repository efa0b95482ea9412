//! `log-profile` sections and `log-steps`.

use super::Lowerer;
use crate::codes;
use crate::config::{LogProfile as Section, ProfileLine};
use crate::tree::Word;
use lb_core::log::{Origin, Steps};
use lb_core::spec::{LogProfile, ProfileStep};
use std::sync::Arc;

/// The steps of a stream as they are named.
const STEPS: [(&str, Origin); 5] = [
    ("accept", Origin::Accept),
    ("request", Origin::Request),
    ("connect", Origin::Connect),
    ("response", Origin::Response),
    ("close", Origin::Close),
];

/// The step, or the action, of that name.
fn step(name: &str) -> Option<Origin> {
    let own = STEPS.iter().find(|(own, _)| *own == name).map(|(_, origin)| *origin);
    own.or_else(|| Origin::ACTIONS.into_iter().find(|origin| origin.name() == name))
}

impl<'t> Lowerer<'_, 't, '_, '_> {
    /// All profiles of the configuration, by name.
    pub(super) fn log_profiles(&mut self) {
        let config = self.config;
        for section in &config.log_profiles {
            let profile = self.log_profile_of(section);
            self.profiles.insert(section.name.text, Arc::new(profile));
        }
    }

    /// The profile of that name. One that does not exist was told when the names were checked.
    pub(super) fn log_profile(&self, name: Option<Word<'t>>) -> Option<Arc<LogProfile>> {
        self.profiles.get(name?.text).cloned()
    }

    fn log_profile_of(&mut self, section: &Section<'t>) -> LogProfile {
        let mut profile = LogProfile::default();
        profile.tag = section.tag.map(Arc::from);
        for line in &section.steps {
            let made = self.profile_step(line);
            let slot = match line.step.text {
                "error" => profile.error.get_or_insert_default(),
                "any" => profile.any.get_or_insert_default(),
                name => {
                    let Some(origin) = step(name) else {
                        self.unknown_step(line.step);
                        continue;
                    };
                    let at = profile.steps.iter().position(|(own, _)| *own == origin);
                    let at = at.unwrap_or_else(|| {
                        profile.steps.push((origin, ProfileStep::default()));
                        profile.steps.len() - 1
                    });
                    &mut profile.steps[at].1
                }
            };
            // What a step was given before stays unless it is given anew.
            slot.drop = made.drop || (slot.drop && made.format.is_none() && made.structured.is_none());
            slot.format = made.format.or_else(|| slot.format.take());
            slot.structured = made.structured.or_else(|| slot.structured.take());
        }
        profile
    }

    fn profile_step(&mut self, line: &ProfileLine<'t>) -> ProfileStep {
        let mut format = |word: Option<Word<'t>>| self.log_text(word?, "log-profile").map(Arc::new);
        ProfileStep { drop: line.drop, format: format(line.format), structured: format(line.structured) }
    }

    /// `accept,close` or `all`.
    pub(super) fn log_steps(&mut self, word: Word<'t>) -> Option<Steps> {
        if word.text == "all" {
            return Some(Steps::ALL);
        }
        let mut steps = Steps::default();
        for name in word.text.split(',') {
            match step(name) {
                Some(origin) => steps = steps.with(Steps::of(origin)),
                None => self.unknown_step(word),
            }
        }
        Some(steps)
    }

    fn unknown_step(&mut self, word: Word<'t>) {
        let actions = Origin::ACTIONS.map(Origin::name).join(", ");
        let expected = format!("accept, request, connect, response, close, {actions}");
        self.error(
            codes::WORD,
            word.span,
            format!("`{}` names no step; known are {expected}", word.text),
            format!("invalid log step name ({}). Expected values are: {expected}", word.text),
        );
    }
}
