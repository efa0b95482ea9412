//! `FILE_CHECK`: a number in a file.

use super::weigh::Scale;
use lb_core::health::{Dialog, OneShot, ProbeSpec, Status, Target, Verdict};
use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Patience with the file system.
const PATIENCE: Duration = Duration::from_secs(5);

/// The number in a file and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileNumber {
    pub(crate) path: Arc<str>,
    /// What a unit weighs; 0 makes every number but 0 a failure, or 0 itself with `reverse`.
    pub(crate) weight: i32,
    pub(crate) reverse: bool,
    pub(crate) scale: Scale,
}

impl FileNumber {
    fn judge(&self, content: &[u8]) -> Verdict {
        let number = number(content);
        let failed = Verdict::new(Status::L7Status).with_info(format!("the file says {number}"));
        if self.weight == 0 {
            return if (number == 0) == self.reverse { failed } else { Verdict::new(Status::L7Ok) };
        }
        let sign = if self.reverse { -1 } else { 1 };
        let by = number.saturating_mul(i64::from(self.weight)) * sign;
        if by <= i64::from(i32::MIN) {
            return failed;
        }
        Verdict::new(Status::L7Ok).with_weight(self.scale.moved(by))
    }
}

/// The number a file begins with; 0 if it begins with none.
fn number(content: &[u8]) -> i64 {
    let text = String::from_utf8_lossy(content);
    let text = text.trim_start();
    let end = text.char_indices().find(|&(at, c)| !(c.is_ascii_digit() || at == 0 && matches!(c, '-' | '+')));
    let digits = &text[..end.map_or(text.len(), |(at, _)| at)];
    let limit = if digits.starts_with('-') { i64::from(i32::MIN) } else { i64::from(i32::MAX) };
    match digits.parse::<i64>() {
        Ok(number) => number.clamp(i64::from(i32::MIN), i64::from(i32::MAX)),
        Err(e) => match e.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => limit,
            _ => 0,
        },
    }
}

impl ProbeSpec for FileNumber {
    fn start(&self, _target: &Target, now: Instant) -> Box<dyn Dialog> {
        let spec = self.clone();
        Box::new(OneShot::read(Arc::clone(&self.path), now + PATIENCE, move |content| spec.judge(content)))
    }

    fn same_as(&self, other: &dyn ProbeSpec) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
