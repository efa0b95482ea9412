//! Workers: a current-thread runtime each, with everything a connection needs close at hand. Each has a thread of its
//! own, unless there is only one and the thread that starts it is to be that worker.

use super::Timers;
use super::reminder::Reminders;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::Waker;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// One worker, as its tasks see it. Clones refer to the same worker.
#[derive(Clone, Debug)]
pub struct Worker {
    core: Arc<Core>,
}

#[derive(Debug)]
struct Core {
    id: usize,
    handle: Handle,
    timers: Timers,
    reminders: Reminders,
    connections: AtomicUsize,
    stop: Notify,
}

impl Worker {
    /// A worker on the runtime that calls this; for embedders with a runtime of their own, and for tests.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn current() -> Self {
        let worker = Self::on(0, Handle::current());
        worker.core.handle.spawn(worker.core.timers.clone().drive());
        worker.core.handle.spawn(worker.core.reminders.clone().drive());
        worker
    }

    fn on(id: usize, handle: Handle) -> Self {
        let core = Core {
            id,
            handle,
            timers: Timers::new(),
            reminders: Reminders::default(),
            connections: AtomicUsize::new(0),
            stop: Notify::new(),
        };
        Self { core: Arc::new(core) }
    }

    /// Runs `task` on this worker.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
        self.core.handle.spawn(task)
    }

    /// This worker's number, from 0.
    pub fn id(&self) -> usize {
        self.core.id
    }

    /// The timers of this worker.
    pub fn timers(&self) -> &Timers {
        &self.core.timers
    }

    /// Wakes a task in 10 to 20 ms, for a second look at what nobody tells it.
    pub fn remind(&self, waker: &Waker) {
        self.core.reminders.add(waker);
    }

    /// Connections this worker has taken and not yet finished.
    pub fn connections(&self) -> usize {
        self.core.connections.load(Relaxed)
    }

    /// Tasks this worker has begun and not yet finished.
    pub fn tasks(&self) -> usize {
        self.core.handle.metrics().num_alive_tasks()
    }

    /// Enters the runtime, for making sockets of this worker outside its tasks.
    pub fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.core.handle.enter()
    }

    pub(crate) fn count(&self, by: isize) {
        if by > 0 {
            self.core.connections.fetch_add(by.unsigned_abs(), Relaxed);
        } else {
            self.core.connections.fetch_sub(by.unsigned_abs(), Relaxed);
        }
    }
}

/// The threads of a server.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` worker threads.
    ///
    /// # Errors
    /// When a thread or its runtime cannot be made; those already started are stopped.
    pub fn start(count: usize) -> io::Result<Self> {
        let mut all = Self { workers: Vec::new(), threads: Vec::new() };
        for id in 0..count.max(1) {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().event_interval(61).build()?;
            let worker = Worker::on(id, runtime.handle().clone());
            let own = worker.clone();
            let thread = std::thread::Builder::new().name(format!("lb-worker-{id}")).spawn(move || {
                runtime.block_on(async {
                    tokio::spawn(own.core.timers.clone().drive());
                    tokio::spawn(own.core.reminders.clone().drive());
                    own.core.stop.notified().await;
                });
                // Dropping the runtime ends what its tasks still do, without waiting for blocking calls.
                runtime.shutdown_background();
            })?;
            all.workers.push(worker);
            all.threads.push(thread);
        }
        Ok(all)
    }

    /// One worker on the runtime that calls this. A process with a single thread makes cheaper system calls: its table
    /// of descriptors is shared with nobody.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn here() -> Self {
        Self { workers: vec![Worker::current()], threads: Vec::new() }
    }

    /// The workers.
    pub fn all(&self) -> &[Worker] {
        &self.workers
    }

    /// The worker with the fewest connections.
    pub fn least_loaded(&self) -> &Worker {
        self.workers.iter().min_by_key(|w| w.connections()).expect("there is at least one worker")
    }

    /// Stops all workers and waits for their threads; tasks still running are dropped.
    pub fn stop(mut self) {
        self.halt();
    }

    fn halt(&mut self) {
        for worker in &self.workers {
            worker.core.stop.notify_one();
        }
        for thread in self.threads.drain(..) {
            // A panic in a worker was printed when it happened; there is nothing to add.
            let _ = thread.join();
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.halt();
    }
}

/// Carries `work` out on a runtime of this thread, which may be the worker of a server (`ServerOptions::in_place`). Threads for what
/// blocks are rare in such a process and soon end, so that it has one again.
///
/// # Errors
/// When there is no runtime to be had.
pub fn block_on<T>(work: impl Future<Output = T>) -> io::Result<T> {
    let idle = Duration::from_millis(10);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().thread_keep_alive(idle).build()?;
    // On the heap: the stack would hold it once for each call inside.
    Ok(runtime.block_on(Box::pin(work)))
}

/// How many processors this process may use.
pub fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_that_asks_may_be_the_worker() {
        let own = std::thread::current().id();
        let ran = block_on(async {
            let workers = Workers::here();
            let (tx, rx) = tokio::sync::oneshot::channel();
            workers.all()[0].spawn(async move {
                let _ = tx.send(std::thread::current().id());
            });
            rx.await
        });
        assert_eq!(ran.unwrap(), Ok(own));
    }

    #[test]
    fn tasks_run_on_the_worker_they_were_given_to() {
        let workers = Workers::start(2).unwrap();
        let (tx, rx) = std::sync::mpsc::channel();
        for worker in workers.all() {
            let tx = tx.clone();
            worker.spawn(async move {
                let _ = tx.send(std::thread::current().name().map(str::to_owned));
            });
        }
        let mut names: Vec<_> = rx.iter().take(2).flatten().collect();
        names.sort();
        assert_eq!(names, ["lb-worker-0", "lb-worker-1"]);
        workers.stop();
    }
}
