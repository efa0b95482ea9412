//! `vrrp_sync_group` and its members.

use super::{Resolved, warn};
use crate::codes;
use crate::config::{Config, Index, SyncGroup};
use crate::suggest;
use lb_core::diag::{Diagnostic, Diagnostics, Span};
use std::collections::BTreeMap;

pub(super) fn check(config: &Config, index: &Index<'_>, out: &mut Diagnostics) {
    let mut taken: BTreeMap<&str, Span> = BTreeMap::new();
    for group in &config.sync_groups {
        members(group, config, index, &mut taken, out);
    }
    for group in &config.track_groups {
        for member in group.members.iter().filter(|m| !index.instances.contains_key(m.value.as_str())) {
            let message = format!("there is no vrrp_instance `{}`", member.value);
            out.push(Diagnostic::warning(codes::UNKNOWN_REFERENCE, member.span, message));
        }
    }
}

fn members<'c>(
    group: &'c SyncGroup,
    config: &Config,
    index: &Index<'_>,
    taken: &mut BTreeMap<&'c str, Span>,
    out: &mut Diagnostics,
) {
    let name = &group.name.value;
    let mut owners = Vec::new();
    let mut count = 0;
    for member in &group.members {
        let Some(instance) = index.instances.get(member.value.as_str()) else {
            out.push(unknown(group, &member.value, member.span, config));
            continue;
        };
        if let Some(&first) = taken.get(member.value.as_str()) {
            let compat = format!(
                "Virtual router {} cannot exist in more than one sync group; ignoring {name}",
                member.value
            );
            let message = format!("`{}` is already member of a group", member.value);
            out.push(warn(codes::DUPLICATE, member.span, message, compat).label(first, "here"));
            continue;
        }
        taken.insert(&member.value, member.span);
        count += 1;
        owners.push(Resolved::new(instance, config).owner());
    }
    let head = group.name.span;
    match count {
        0 => {
            let compat = format!(
                "Sync group {name}, no matching virtual router found in group declaration - removing"
            );
            out.push(warn(
                codes::EMPTY_BLOCK,
                head,
                format!("no member of `{name}` exists; the group is dropped"),
                compat,
            ));
        }
        1 => {
            let compat =
                format!("Sync group {name} has only 1 virtual router(s) - this probably isn't what you want");
            out.push(warn(
                codes::EMPTY_BLOCK,
                head,
                format!("`{name}` has one member; a group keeps several together"),
                compat,
            ));
        }
        _ => {}
    }
    // The original tells it at the first member that is no owner after one that is.
    if owners.windows(2).any(|pair| pair[0] && !pair[1]) {
        let compat = format!(
            "Sync group {name} has some member(s) as address owner and some not as address owner. This won't work."
        );
        out.push(warn(
            codes::CONFLICT,
            head,
            "some members own their addresses (priority 255) and some do not",
            compat,
        ));
    }
}

fn unknown(group: &SyncGroup, member: &str, span: Span, config: &Config) -> Diagnostic {
    let compat = format!(
        "Virtual router {member} specified in sync group {} doesn't exist - ignoring",
        group.name.value
    );
    let diagnostic =
        warn(codes::UNKNOWN_REFERENCE, span, format!("there is no vrrp_instance `{member}`"), compat);
    match suggest::nearest(member, config.instances.iter().map(|i| i.name.value.as_str())) {
        Some(better) => diagnostic.suggest(span, better, format!("did you mean `{better}`?")),
        None => diagnostic,
    }
}
