//! Timers that a request does not touch.
//!
//! A connection moves its deadline with every message, nearly always to a later instant. So a [`Timer`] is one word that
//! is overwritten; the queue shared by the timers of one worker holds, per timer, an entry at or before its deadline. When
//! an entry comes up and the deadline has moved on, the entry is put back: the queue is touched once per timeout period
//! and not once per message. What a dropped timer leaves behind, its entry in the queue included, serves the next timer, so
//! that short connections do not touch the queue either; what nobody needs is swept when it outnumbers the living.

use atomic_waker::AtomicWaker;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// No deadline, or nothing queued.
const NEVER: u64 = u64::MAX;
/// Dead entries are not worth a sweep below this many.
const SWEEP_FROM: usize = 1024;
/// Most cells that are kept for timers to come.
const SPARE: usize = 1024;

/// The timer queue of one worker. Clones share it. Deadlines are to be set on the thread that runs [`Timers::drive`]: one
/// that another thread moves in the moment in which it passes may be taken for the new one.
#[derive(Clone, Debug)]
pub struct Timers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    epoch: Instant,
    queue: Mutex<Queue>,
    /// Earliest entry the driver sleeps for.
    armed: AtomicU64,
    /// About how many entries belong to dropped timers.
    dead: AtomicUsize,
    rearm: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    /// Cells of timers that were dropped, without a deadline and without a waker. Most have an entry in the heap, before
    /// which no deadline of the next timer is likely to be.
    spare: Vec<Arc<Cell>>,
}

#[derive(Debug)]
struct Entry {
    at: u64,
    cell: Arc<Cell>,
}

#[derive(Debug)]
struct Cell {
    deadline: AtomicU64,
    /// The earliest entry of this cell in the heap.
    queued: AtomicU64,
    fired: AtomicBool,
    /// The timer is gone; a timer whose deadline was moved ahead can leave several entries behind.
    dropped: AtomicBool,
    waker: AtomicWaker,
    /// What the waker refers to, as long as it is there: a timer belongs to one task, which asks with every message, and
    /// storing the same waker again is two locked instructions. Null says nothing. It is written before the waker is put
    /// there and cleared after it was taken: while it names a waker, that is there, or whoever took it is about to wake.
    stored: AtomicPtr<()>,
}

impl Cell {
    const fn new() -> Self {
        Self {
            deadline: AtomicU64::new(NEVER),
            queued: AtomicU64::new(NEVER),
            fired: AtomicBool::new(false),
            dropped: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            stored: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// Takes the waker of a cell that fired.
    fn take_waker(&self) -> Option<Waker> {
        let waker = self.waker.take();
        self.stored.swap(std::ptr::null_mut(), AcqRel);
        waker
    }
}

impl Timers {
    /// An empty queue; [`Timers::drive`] must run for its timers to fire.
    #[expect(clippy::new_without_default, reason = "making a queue reads the clock")]
    pub fn new() -> Self {
        Self {
            shared: Arc::new(Shared {
                epoch: Instant::now(),
                queue: Mutex::default(),
                armed: AtomicU64::new(NEVER),
                dead: AtomicUsize::new(0),
                rearm: Notify::new(),
            }),
        }
    }

    /// Fires timers as they come due. Run it as a task of the worker; it never ends by itself.
    pub async fn drive(self) {
        loop {
            let now = self.shared.millis(Instant::now());
            let next = self.shared.fire(now);
            let rearmed = self.shared.rearm.notified();
            match next {
                Some(at) => {
                    let until = self.shared.epoch + Duration::from_millis(at);
                    tokio::select! {
                        () = tokio::time::sleep_until(until.into()) => {}
                        () = rearmed => {}
                    }
                }
                None => rearmed.await,
            }
        }
    }

    /// A timer without a deadline.
    pub fn timer(&self) -> Timer {
        self.timer_since(self.shared.epoch)
    }

    /// A timer without a deadline, for deadlines that are told from `base`.
    pub fn timer_since(&self, base: Instant) -> Timer {
        let spare = self.shared.queue().spare.pop();
        Timer {
            shared: Arc::clone(&self.shared),
            cell: Some(spare.unwrap_or_else(|| Arc::new(Cell::new()))),
            base: nanos(base.saturating_duration_since(self.shared.epoch)),
        }
    }
}

/// Nanoseconds of a duration, which are enough for centuries.
fn nanos(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(time.subsec_nanos()))
}

/// Milliseconds, rounded up so that no timer fires early.
const fn millis(nanos: u64) -> u64 {
    nanos.div_ceil(1_000_000)
}

impl Shared {
    /// Milliseconds since the epoch, rounded up so that no timer fires early.
    fn millis(&self, at: Instant) -> u64 {
        millis(nanos(at.saturating_duration_since(self.epoch)))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes what is due at `now`; says when the next entry comes up.
    fn fire(&self, now: u64) -> Option<u64> {
        let Queue { heap, .. } = &mut *self.queue();
        let next = loop {
            let Some(Reverse(first)) = heap.peek() else { break None };
            if first.at > now {
                break Some(first.at);
            }
            let Some(Reverse(mut entry)) = heap.pop() else { break None };
            let deadline = entry.cell.deadline.load(Acquire);
            if entry.cell.dropped.load(Acquire) {
                let left = self.dead.load(Relaxed).saturating_sub(1);
                self.dead.store(left, Relaxed);
            } else if deadline <= now {
                entry.cell.queued.store(NEVER, Release);
                entry.cell.fired.store(true, Release);
                if let Some(waker) = entry.cell.take_waker() {
                    waker.wake();
                }
            } else if entry.cell.queued.load(Acquire) < entry.at || deadline == NEVER {
                // Another entry of the cell serves, or it waits for nothing: setting a deadline queues it again.
                if deadline == NEVER {
                    entry.cell.queued.store(NEVER, Release);
                }
            } else {
                entry.at = deadline;
                entry.cell.queued.store(deadline, Release);
                heap.push(Reverse(entry));
            }
        };
        self.armed.store(next.unwrap_or(NEVER), Release);
        next
    }

    fn enqueue(&self, at: u64, cell: &Arc<Cell>) {
        let mut queue = self.queue();
        let heap = &mut queue.heap;
        heap.push(Reverse(Entry { at, cell: Arc::clone(cell) }));
        let dead = self.dead.load(Relaxed);
        if dead > SWEEP_FROM && dead > heap.len() / 2 {
            heap.retain(|Reverse(e)| !e.cell.dropped.load(Acquire));
            self.dead.store(0, Relaxed);
        }
        drop(queue);
        if at < self.armed.load(Acquire) {
            self.rearm.notify_one();
        }
    }

    /// Takes what a timer leaves behind. The lock keeps those away who fire timers.
    fn retire(&self, cell: Arc<Cell>) {
        let waker = {
            let mut queue = self.queue();
            // Whoever else holds the cell is an entry of the queue.
            let entries = Arc::strong_count(&cell) - 1;
            let waker = cell.take_waker();
            if entries > 1 || queue.spare.len() >= SPARE {
                cell.dropped.store(true, Release);
                self.dead.fetch_add(entries, AcqRel);
            } else {
                cell.deadline.store(NEVER, Release);
                cell.fired.store(false, Release);
                queue.spare.push(cell);
            }
            waker
        };
        // The last that is left of a task may go with it, and may have timers of its own.
        drop(waker);
    }
}

/// One timer of one task.
#[derive(Debug)]
pub struct Timer {
    shared: Arc<Shared>,
    /// There until the timer is dropped.
    cell: Option<Arc<Cell>>,
    /// What deadlines are told from by [`Timer::set_since`]: nanoseconds since the epoch.
    base: u64,
}

impl Timer {
    fn cell(&self) -> &Arc<Cell> {
        self.cell.as_ref().expect("the cell leaves only when the timer is dropped")
    }

    /// Sets the deadline, in place of the last one; `None` waits for ever.
    pub fn set(&self, deadline: Option<Instant>) {
        self.set_millis(deadline.map_or(NEVER, |at| self.shared.millis(at)));
    }

    /// Sets the deadline to so long after the base of the timer; `None` waits for ever. Costs less than [`set`](Self::set),
    /// because no two instants have to be compared.
    pub fn set_since(&self, after: Option<Duration>) {
        self.set_millis(after.map_or(NEVER, |after| millis(self.base.saturating_add(nanos(after)))));
    }

    fn set_millis(&self, at: u64) {
        let cell = self.cell();
        if cell.fired.load(Relaxed) {
            cell.fired.store(false, Relaxed);
        }
        cell.deadline.store(at, Release);
        if at < cell.queued.load(Acquire) {
            cell.queued.store(at, Release);
            self.shared.enqueue(at, cell);
        }
    }

    /// Sets the deadline to `after` from now; `None` waits for ever.
    pub fn set_after(&self, after: Option<Duration>) {
        self.set(after.map(|after| Instant::now() + after));
    }

    /// Ready once the deadline has passed; the task is woken then.
    pub fn poll_expired(&self, cx: &Context<'_>) -> Poll<()> {
        let cell = self.cell();
        if cell.fired.load(Acquire) {
            return Poll::Ready(());
        }
        let wanted = cx.waker().data().cast_mut();
        if !wanted.is_null() && cell.stored.load(Relaxed) == wanted {
            return Poll::Pending;
        }
        cell.stored.swap(wanted, AcqRel);
        cell.waker.register(cx.waker());
        // The driver may have fired between the two lines above.
        if cell.fired.load(Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits for the deadline. Cancel safe.
    pub async fn expired(&self) {
        std::future::poll_fn(|cx| self.poll_expired(cx)).await;
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(cell) = self.cell.take() {
            self.shared.retire(cell);
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_told_from_a_base_are_those_told_by_the_clock() {
        let timers = Timers::new();
        let base = timers.shared.epoch + Duration::from_nanos(1_234_567_891);
        let timer = timers.timer_since(base);
        for nanos in [0, 1, 432_109, 432_110, 999_999_999, 86_400_000_000_000] {
            let after = Duration::from_nanos(nanos);
            timer.set(Some(base + after));
            let told = timer.cell().deadline.load(Relaxed);
            timer.set_since(Some(after));
            assert_eq!(timer.cell().deadline.load(Relaxed), told, "{after:?}");
        }
        timer.set_since(Some(Duration::MAX));
        assert!(timer.cell().deadline.load(Relaxed) > millis(nanos(Duration::from_secs(1 << 30))));
        timer.set_since(None);
        assert_eq!(timer.cell().deadline.load(Relaxed), NEVER);
    }

    fn entries(timers: &Timers) -> usize {
        timers.shared.queue().heap.len()
    }

    #[test]
    fn moving_a_deadline_back_does_not_touch_the_queue() {
        let timers = Timers::new();
        let timer = timers.timer();
        let start = timers.shared.epoch;
        for i in 1..1000 {
            timer.set(Some(start + Duration::from_millis(100 + i)));
        }
        assert_eq!(entries(&timers), 1);
        assert_eq!(timers.shared.fire(101), Some(1099), "the entry moves to the deadline");
        assert!(!timer.cell().fired.load(Acquire));
        assert_eq!(timers.shared.fire(1099), None);
        assert!(timer.cell().fired.load(Acquire));
    }

    #[test]
    fn a_timer_wakes_its_task_each_time_it_fires() {
        struct Count(AtomicUsize);
        impl std::task::Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Relaxed);
            }
        }
        let timers = Timers::new();
        let timer = timers.timer();
        let count = Arc::new(Count(AtomicUsize::new(0)));
        let waker = Arc::clone(&count).into();
        let cx = Context::from_waker(&waker);
        for round in 1..4 {
            let at = round * 100;
            timer.set(Some(timers.shared.epoch + Duration::from_millis(at)));
            assert!(timer.poll_expired(&cx).is_pending() && timer.poll_expired(&cx).is_pending());
            timers.shared.fire(at);
            assert_eq!(count.0.load(Relaxed) as u64, round);
            // A task that was woken by something else may not even look.
            assert!(round == 2 || timer.poll_expired(&cx).is_ready());
        }
    }

    #[test]
    fn a_waker_that_was_left_while_the_timer_fired_is_not_taken_for_one_that_is_there() {
        let timers = Timers::new();
        let timer = timers.timer();
        struct Nothing;
        impl std::task::Wake for Nothing {
            fn wake(self: Arc<Self>) {}
        }
        let waker = Arc::new(Nothing).into();
        let cx = Context::from_waker(&waker);
        timer.cell().fired.store(true, Release);
        // The task is awake on another thread.
        timer.set(None);
        assert!(timer.poll_expired(&cx).is_pending());
        assert!(timer.cell().take_waker().is_some());
        assert!(timer.poll_expired(&cx).is_pending());
        assert!(timer.cell().take_waker().is_some(), "it was stored again");
    }

    #[test]
    fn entries_left_behind_by_a_timer_are_counted_and_forgotten() {
        let timers = Timers::new();
        let timer = timers.timer();
        let start = timers.shared.epoch;
        timer.set(Some(start + Duration::from_secs(300)));
        timer.set(Some(start + Duration::from_secs(30)));
        drop(timer);
        assert_eq!((entries(&timers), timers.shared.dead.load(Relaxed)), (2, 2));
        timers.shared.fire(30_000);
        assert_eq!((entries(&timers), timers.shared.dead.load(Relaxed)), (1, 1));
        timers.shared.fire(300_000);
        assert_eq!((entries(&timers), timers.shared.dead.load(Relaxed)), (0, 0));
    }

    #[test]
    fn what_a_timer_leaves_behind_serves_the_next_one() {
        let timers = Timers::new();
        let at = |secs| Some(timers.shared.epoch + Duration::from_secs(secs));
        for _ in 0..100 {
            timers.timer().set(at(30));
        }
        assert_eq!((entries(&timers), timers.shared.dead.load(Relaxed)), (1, 0));
        // Nobody waits when it comes up.
        assert_eq!(timers.shared.fire(30_000), None);
        let timer = timers.timer();
        assert!(!timer.cell().fired.load(Acquire));
        timer.set(at(60));
        assert_eq!(timers.shared.fire(30_000), Some(60_000));
        timers.shared.fire(60_000);
        assert!(timer.cell().fired.load(Acquire));
        // One that fired leaves a cell that did not.
        drop(timer);
        let next = timers.timer();
        assert!(!next.cell().fired.load(Acquire));
        next.set(at(40));
        assert_eq!(
            timers.shared.fire(39_000),
            Some(40_000),
            "it is told of an earlier deadline as any other"
        );
    }

    #[test]
    fn what_timers_leave_behind_holds_no_task() {
        struct Nothing;
        impl std::task::Wake for Nothing {
            fn wake(self: Arc<Self>) {}
        }
        let timers = Timers::new();
        let task = Arc::new(Nothing);
        let waker = Arc::clone(&task).into();
        let kept = timers.timer();
        kept.set(Some(timers.shared.epoch + Duration::from_secs(30)));
        let left = timers.timer();
        left.set(Some(timers.shared.epoch + Duration::from_secs(60)));
        left.set(Some(timers.shared.epoch + Duration::from_secs(30)));
        for timer in [&kept, &left] {
            assert!(timer.poll_expired(&Context::from_waker(&waker)).is_pending());
        }
        drop((kept, left, waker));
        assert_eq!(Arc::strong_count(&task), 1);
    }

    #[test]
    fn an_earlier_deadline_fires_at_its_time() {
        let timers = Timers::new();
        let timer = timers.timer();
        let start = timers.shared.epoch;
        timer.set(Some(start + Duration::from_secs(300)));
        timer.set(Some(start + Duration::from_secs(30)));
        assert_eq!(timers.shared.fire(0), Some(30_000));
        timers.shared.fire(30_000);
        assert!(timer.cell().fired.load(Acquire));
    }

    #[test]
    fn a_later_deadline_after_an_earlier_one_leaves_bounded_entries() {
        let timers = Timers::new();
        let timer = timers.timer();
        let mut now = 0;
        for _ in 0..100 {
            let at = |ms| Some(timers.shared.epoch + Duration::from_millis(ms));
            timer.set(at(now + 300_000));
            timer.set(at(now + 30_000));
            now += 10_000;
            timers.shared.fire(now);
        }
        assert!(entries(&timers) < 20, "{}", entries(&timers));
        assert!(!timer.cell().fired.load(Acquire));
    }

    #[test]
    fn a_timer_without_a_deadline_can_be_armed_again() {
        let timers = Timers::new();
        let timer = timers.timer();
        let at = |ms| Some(timers.shared.epoch + Duration::from_millis(ms));
        timer.set(at(10));
        timer.set(None);
        timers.shared.fire(20);
        assert!(!timer.cell().fired.load(Acquire));
        timer.set(at(30));
        timers.shared.fire(30);
        assert!(timer.cell().fired.load(Acquire));
    }

    #[test]
    fn dropped_timers_are_swept() {
        let timers = Timers::new();
        let deadline = Some(timers.shared.epoch + Duration::from_secs(300));
        let many: Vec<_> = (0..10 * SWEEP_FROM).map(|_| timers.timer()).collect();
        many.iter().for_each(|timer| timer.set(deadline));
        drop(many);
        assert_eq!(timers.shared.queue().spare.len(), SPARE, "so many are kept");
        // The next one that needs an entry of its own sweeps.
        let more: Vec<_> = (0..=SPARE).map(|_| timers.timer()).collect();
        more.iter().for_each(|timer| timer.set(deadline));
        assert_eq!(entries(&timers), SPARE + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiting_task_is_woken() {
        let timers = Timers::new();
        tokio::spawn(timers.clone().drive());
        let timer = timers.timer();
        // The paused clock of the runtime moves; the timers read the real one, which is later than their epoch.
        timer.set(Some(timers.shared.epoch));
        timer.expired().await;
    }
}
