//! A second look, soon: for tasks that wait for something else and want to know now and then what nobody tells them.
//!
//! Nearly all of them are done before the reminder comes, which then costs nothing but a look at a finished task.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;
use tokio::sync::Notify;

/// Tasks are woken after one to two of these.
const TICK: Duration = Duration::from_millis(10);

/// The reminders of one worker. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reminders {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    lists: Mutex<Lists>,
    wanted: Notify,
}

#[derive(Debug, Default)]
struct Lists {
    /// Since the last tick.
    fresh: Vec<Waker>,
    /// For the next tick.
    due: Vec<Waker>,
}

impl Reminders {
    /// Wakes a task in one to two ticks.
    pub(crate) fn add(&self, waker: &Waker) {
        let mut lists = self.lists();
        let first = lists.fresh.is_empty() && lists.due.is_empty();
        lists.fresh.push(waker.clone());
        drop(lists);
        if first {
            // Nobody was left, so the driver rests.
            self.shared.wanted.notify_one();
        }
    }

    /// Wakes tasks as their time comes. Run it as a task of the worker; it never ends by itself.
    pub(crate) async fn drive(self) {
        let mut spare = Vec::new();
        loop {
            self.shared.wanted.notified().await;
            loop {
                tokio::time::sleep(TICK).await;
                if self.tick(&mut spare) {
                    break;
                }
            }
        }
    }

    /// Wakes those who are due; true when nobody is left. `spare` is an empty list, before and after.
    fn tick(&self, spare: &mut Vec<Waker>) -> bool {
        let mut lists = self.lists();
        let Lists { fresh, due } = &mut *lists;
        std::mem::swap(due, spare);
        std::mem::swap(fresh, due);
        let over = due.is_empty();
        drop(lists);
        // Waking may run code of others: not under the lock.
        spare.drain(..).for_each(Waker::wake);
        over
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.shared.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicU32);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn a_task_is_woken_once_by_the_second_tick() {
        let reminders = Reminders::default();
        let count = Arc::new(Count::default());
        let mut spare = Vec::new();
        reminders.add(&Arc::clone(&count).into());
        assert!(!reminders.tick(&mut spare), "one is left");
        assert_eq!(count.0.load(Relaxed), 0, "a whole tick at least");
        assert!(reminders.tick(&mut spare));
        assert_eq!(count.0.load(Relaxed), 1);
        assert!(reminders.tick(&mut spare));
        assert_eq!(count.0.load(Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_driver_sleeps_and_comes_back() {
        let reminders = Reminders::default();
        tokio::spawn(reminders.clone().drive());
        for _ in 0..3 {
            let mut asked = false;
            std::future::poll_fn(|cx| {
                if std::mem::replace(&mut asked, true) {
                    return std::task::Poll::Ready(());
                }
                reminders.add(cx.waker());
                std::task::Poll::Pending
            })
            .await;
            tokio::time::sleep(TICK * 5).await;
        }
    }
}
