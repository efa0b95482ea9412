//! Trackers, groups, and rate limits.

use super::arg::{Arg, COMMAND, LONGEST, SCRIPT, boolean, int, one_of, seconds_arg, word};
use super::{Keyword, Values};

/// Its absence is told at the end of the block, with what follows from it.
const OPTIONAL_COMMAND: &[Arg] = &[COMMAND.opt()];
const OPT_BOOL: &[Arg] = &[boolean().opt()];

pub(super) const SCRIPT_KEYWORDS: &[Keyword] = &[
    Keyword::new("script", OPTIONAL_COMMAND, "What to run; no shell"),
    Keyword::new("interval", &[seconds_arg(0, 4_294_000_000)], "Time between two starts")
        .complain("({name}): vrrp script interval '{value}' must be between 1 and 4294 - ignoring"),
    Keyword::new("timeout", &[seconds_arg(0, 4_294_000_000)], "How long it may run")
        .complain("({name}): vrrp script timeout '{value}' invalid - ignoring"),
    Keyword::new(
        "weight",
        &[int("WEIGHT", -253, 253), one_of(&["reverse", "noreverse"]).opt()],
        "Added to the priority; 0 makes a failure a fault",
    )
    .complain("vrrp_script {name} weight {value} must be in [-253, 253]")
    .complain_of_option("vrrp_script {name} unknown weight option {value}"),
    Keyword::new("rise", &[int("COUNT", 1, i32::MAX as i64)], "Successes until a failed check is well")
        .complain("({name}): vrrp script rise value '{value}' invalid, defaulting to 1"),
    Keyword::new("fall", &[int("COUNT", 1, i32::MAX as i64)], "Failures until a well check is failed")
        .complain("({name}): vrrp script fall value '{value}' invalid, defaulting to 1"),
    Keyword::new("user", &[word("USER"), word("GROUP").opt()], "User and group to run as"),
    Keyword::new("init_fail", &[], "Taken for failed until it has returned once"),
];

pub(super) const SYNC_GROUP: &[Keyword] = &[
    Keyword::new("group", &[], "The member instances").values(Values::Words),
    Keyword::new("track_interface", &[], "Interfaces that must be up").values(Values::TrackInterfaces),
    Keyword::new("track_script", &[], "Scripts that must succeed").values(Values::TrackScripts),
    Keyword::new("track_file", &[], "Numbers in files").values(Values::TrackFiles),
    Keyword::new("track_process", &[], "Processes that must run").values(Values::TrackProcesses),
    Keyword::new("track_bfd", &[], "BFD sessions that must be up").values(Values::TrackBfds),
    Keyword::new(
        "track_backend",
        &[word("NAME")],
        "A pool of the balancer that must have live servers: `min-up N`, `weight W`",
    )
    .optional_values(Values::TrackBackend)
    .extension(),
    Keyword::new("notify_master", SCRIPT, "Run on becoming master").first_wins(),
    Keyword::new("notify_backup", SCRIPT, "Run on becoming backup").first_wins(),
    Keyword::new("notify_fault", SCRIPT, "Run on a fault").first_wins(),
    Keyword::new("notify_stop", SCRIPT, "Run on the orderly stop").first_wins(),
    Keyword::new("notify", SCRIPT, "Run on every change, with kind, name, state and 0 appended").first_wins(),
    Keyword::new("notify_priority_changes", OPT_BOOL, "Notify changes of the priority, too")
        .complain("({name}) Invalid value '{value}' for sync group notify_priority_changes specified"),
    Keyword::new("smtp_alert", OPT_BOOL, "Mail state changes")
        .complain("Invalid vrrp_group smtp_alert parameter {value}"),
    Keyword::new("global_tracking", &[], "Trackers of one member count for all")
        .complain("({name}) global_tracking is deprecated. Use track_interface/script/file on the sync group")
        .deprecated("sync_group_tracking_weight"),
    Keyword::new("sync_group_tracking_weight", &[], "Allow weights in the group"),
];

pub(super) const FILE: &[Keyword] = &[
    Keyword::new("file", &[COMMAND], "The file").first_wins().missing("track file file name missing"),
    Keyword::new(
        "weight",
        &[int("WEIGHT", -2_147_483_647, 2_147_483_647), one_of(&["reverse", "noreverse"]).opt()],
        "Factor of the number; 0 makes any other number a fault",
    )
    .missing("No weight specified for track file {name} - ignoring")
    .complain("Weight ({value}) for track_file {name} must be between [-254..254] inclusive. Ignoring...")
    .complain_of_option("track_file {name} unknown weight option {value}")
    .first_wins(),
    Keyword::new(
        "init_file",
        &[word("VALUE|overwrite").opt().many()],
        "Write this at the start if the file is missing",
    ),
];

pub(super) const PROCESS: &[Keyword] = &[
    Keyword::new("process", &[COMMAND, word("ARGUMENT").opt().many()], "The program, and arguments to look for").first_wins(),
    Keyword::new("param_match", &[one_of(&["exact", "initial", "partial"]).opt()], "How arguments are compared")
        .complain("Invalid param_match type {value} - ignoring"),
    Keyword::new("weight", &[int("WEIGHT", -254, 254), one_of(&["reverse", "noreverse"]).opt()], "Added to the priority; 0 makes absence a fault").missing("No weight specified for track process {name} - ignoring")
        .complain("Weight ({value}) for vrrp_track_process {name} must be between [-254..254] inclusive. Ignoring...")
        .complain_of_option("vrrp_track_process {name} unknown weight option {value}")
        .first_wins(),
    Keyword::new("quorum", &[int("COUNT", 1, 65535)], "At least so many must run")
        .complain("Quorum ({value}) for vrrp_track_process {name} must be between [1..65535] inclusive. Ignoring..."),
    Keyword::new("quorum_max", &[int("COUNT", 0, 65535)], "At most so many may run")
        .complain("quorum_max ({value}) for vrrp_track_process {name} must be between [0..65535] inclusive. Ignoring..."),
    Keyword::new("delay", &[seconds_arg(1, 3_600_000_000)], "How long a change must last, both ways")
        .complain("delay ({value}) for vrrp_track_process {name} must be between [0.000001..3600] inclusive. Ignoring..."),
    Keyword::new("fork_delay", &[seconds_arg(1, 3_600_000_000)], "How long a start must last")
        .complain("fork_delay ({value}) for vrrp_track_process {name} must be between [0.000001..3600] inclusive. Ignoring..."),
    Keyword::new("terminate_delay", &[seconds_arg(1, 3_600_000_000)], "How long an end must last")
        .complain("terminate_delay ({value}) for vrrp_track_process {name} must be between [0.000001..3600] inclusive. Ignoring..."),
    Keyword::new("full_command", &[], "Compare whole command lines"),
];

pub(super) const TRACK_GROUP: &[Keyword] =
    &[Keyword::new("group", &[], "The member instances").values(Values::Words)];

pub(super) const GARP_GROUP: &[Keyword] = &[
    Keyword::new("garp_interval", &[seconds_arg(0, LONGEST)], "Time between two gratuitous ARPs")
        .complain("garp_group garp_interval '{value}' invalid"),
    Keyword::new("gna_interval", &[seconds_arg(0, LONGEST)], "Time between two neighbour advertisements")
        .complain("garp_group gna_interval '{value}' invalid"),
    Keyword::new("interface", &[word("INTERFACE")], "The interface"),
    Keyword::new("interfaces", &[], "The interfaces").values(Values::Words),
];
