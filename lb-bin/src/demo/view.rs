//! What the demonstration shows: lines of events, and on a terminal a live table under them.

use super::lab::Lab;
use super::mails::Mails;
use crate::report;
use std::io::IsTerminal;
use std::time::Instant;

/// The view.
pub(crate) struct View {
    live: bool,
    start: Instant,
    /// Lines of the table on the screen.
    drawn: usize,
    nodes: usize,
}

impl View {
    /// A view of so many nodes; plain on request or without a terminal.
    pub(crate) fn new(plain: bool, nodes: usize) -> Self {
        Self { live: !plain && std::io::stdout().is_terminal(), start: Instant::now(), drawn: 0, nodes }
    }

    /// Tells an event.
    pub(crate) fn say(&mut self, text: &str) {
        self.erase();
        report::say(&format!("[{:7.2} s] {text}\n", self.start.elapsed().as_secs_f64()));
    }

    /// Draws the table.
    pub(crate) fn show(&mut self, lab: &Lab, mails: &Mails) {
        if !self.live {
            return;
        }
        self.erase();
        let master = lab.master();
        let mut out = format!("  {:14} {:10} {:>12}\n", "node", "", "mails stored");
        for (at, node) in lab.nodes.iter().enumerate() {
            let state = if master == Some(at) { "MASTER" } else { "backup" };
            out.push_str(&format!("  {:14} {state:10} {:>12}\n", node.name, lab.stored(at)));
        }
        out.push_str(&format!(
            "  mails: {} delivered, {} failed, {} under way\n",
            mails.delivered(),
            mails.failed(),
            mails.waiting()
        ));
        self.drawn = self.nodes + 2;
        report::say(&out);
    }

    /// The last words.
    pub(crate) fn end(&mut self, lab: &Lab, mails: &Mails, good: bool) {
        for (at, node) in lab.nodes.iter().enumerate() {
            self.say(&format!("{} stored {} mails", node.name, lab.stored(at)));
        }
        self.say(&format!("{} mails delivered, {} failed", mails.delivered(), mails.failed()));
        self.say(if good { "mail flowed again each time" } else { "mail did not flow again" });
    }

    fn erase(&mut self) {
        if self.drawn > 0 {
            report::say(&format!("\x1b[{}A\x1b[J", self.drawn));
            self.drawn = 0;
        }
    }
}
