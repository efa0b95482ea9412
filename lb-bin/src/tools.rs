//! `lb migrate`, `lb explain`, `lb dump`: what people ask about an haproxy.cfg.

use crate::args::{CheckArgs, MigrateArgs};
use crate::world::{ProcessEnv, World};
use crate::{load, registry, report};
use cfg_haproxy::migrate::{MigratedFile, Migration};
use cfg_haproxy::{Facts, Host, Source, keyword};
use std::path::Path;

/// Prints the migrated file, or writes it over the old one; answers the exit status.
pub(crate) fn migrate(args: &MigrateArgs) -> Result<u8, String> {
    let world = World::tested(None);
    enter(args.run.directory.as_deref())?;
    let texts = load::texts(&args.run.haproxy, &world)?;
    if texts.len() > 1 && !args.in_place {
        return Err("several files can only be migrated in place: add `-i`".to_owned());
    }
    let sources: Vec<_> = texts.iter().map(|(name, text)| Source::new(name, text)).collect();
    let host = Host { files: &world, names: &world };
    let done =
        cfg_haproxy::migrate::migrate(&sources, &ProcessEnv, &Facts::default(), host, &registry::registry());
    for (file, (_, old)) in done.files.iter().zip(&texts) {
        match args.in_place {
            true => overwrite(file, old)?,
            false => report::say(&file.text),
        }
    }
    Ok(tell(&done, args))
}

/// Says what was changed, and what stands in the way of HAProxy 3.4 still.
fn tell(done: &Migration, args: &MigrateArgs) -> u8 {
    done.files.iter().for_each(|file| report::error(&file.changes_text()));
    let left = done.left();
    report::error(&cfg_haproxy::render(&done.tree, &left, report::style(args.run.format)));
    u8::from(!left.is_empty())
}

fn overwrite(file: &MigratedFile, old: &str) -> Result<(), String> {
    if file.text == old {
        return Ok(());
    }
    let kept = format!("{}.orig", file.name);
    std::fs::copy(&file.name, &kept).map_err(|e| format!("cannot write {kept}: {e}"))?;
    std::fs::write(&file.name, &file.text).map_err(|e| format!("cannot write {}: {e}", file.name))
}

/// Goes to the directory that `-C` names.
pub(crate) fn enter(directory: Option<&Path>) -> Result<(), String> {
    let Some(directory) = directory else { return Ok(()) };
    std::env::set_current_dir(directory)
        .map_err(|e| format!("cannot change to directory {}: {e}", directory.display()))
}

/// Says what a word means; answers 1 if nobody knows it.
pub(crate) fn explain(words: &str) -> u8 {
    match keyword::explain::answer(words, &registry::registry()) {
        Ok(text) => {
            report::say(&text);
            0
        }
        Err(unknown) => {
            report::error(&format!("lb: {unknown}\n"));
            1
        }
    }
}

/// Prints the effective configuration; answers the exit status.
pub(crate) fn dump(args: &CheckArgs) -> Result<u8, String> {
    enter(args.run.directory.as_deref())?;
    let world = World::tested(None);
    let (loaded, text) = load::understood(&args.run, &world)?;
    report::error(&text);
    if loaded.diagnostics.has_errors() {
        return Ok(1);
    }
    report::say(&cfg_haproxy::dump::json(&loaded, Host { files: &world, names: &world }));
    Ok(0)
}
