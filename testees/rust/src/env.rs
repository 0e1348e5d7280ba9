use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use serde_json::{json, Value};
use tokio::time::error::Elapsed;
use tokio::time::Instant;

use crate::Outcome;

/// What a subject may use of the trial that it lives in: callbacks, time, tasks. Cheap to clone.
#[derive(Clone)]
pub struct Env {
    trial: Arc<Ledger>,
    object: u64,
}

/// What a trial keeps account of.
pub(crate) struct Ledger {
    /// What the clock read when the trial began. Tokio counts its milliseconds from here.
    pub(crate) start: Instant,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    events: Vec<Value>,
    callbacks: BTreeMap<u64, Asked>,
    callbacks_asked: u64,
    timers: BTreeMap<u64, u64>,
    tasks: BTreeMap<u64, String>,
    entries: u64,
}

/// A callback that the harness has been asked for.
enum Asked {
    /// There is no reply yet.
    Waiting(Option<Waker>),
    /// Its reply has come; who asked has not looked yet.
    Replied(Outcome),
    /// Who asked is gone. The reply still comes.
    Abandoned,
}

impl Ledger {
    pub(crate) fn new(start: Instant) -> Self {
        Ledger { start, books: Mutex::default() }
    }

    /// A panic elsewhere leaves the books as they were: none of their changes is done by halves.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn record(&self, event: Value) {
        self.books().events.push(event);
    }

    pub(crate) fn take_events(&self) -> Vec<Value> {
        mem::take(&mut self.books().events)
    }

    pub(crate) fn earliest_timer(&self) -> Option<u64> {
        self.books().timers.values().min().copied()
    }

    /// The next times for which timers are set behind the earliest.
    pub(crate) fn later_timers(&self) -> Vec<u64> {
        let times: BTreeSet<u64> = self.books().timers.values().copied().collect();
        times.into_iter().skip(1).take(3).collect()
    }

    /// The tasks and timers that there still are.
    pub(crate) fn left(&self) -> Vec<String> {
        let books = self.books();
        let tasks = books.tasks.values().map(|name| format!("the task '{name}'"));
        let timers = books.timers.values().map(|due| format!("a timer that is due at {due} ns"));
        tasks.chain(timers).collect()
    }

    /// The reply to a callback. An error says why it is none.
    pub(crate) fn reply(&self, callback: u64, outcome: Outcome) -> Result<(), String> {
        let waker = {
            let mut books = self.books();
            match books.callbacks.remove(&callback) {
                Some(Asked::Waiting(waker)) => {
                    books.callbacks.insert(callback, Asked::Replied(outcome));
                    waker
                }
                Some(Asked::Abandoned) => None,
                Some(Asked::Replied(_)) | None => {
                    return Err(format!("nobody waits for a reply to callback {callback}"))
                }
            }
        };
        // Not under the lock: a waker may own a task, and a task what looks into the books when it goes.
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }
}

impl Env {
    pub(crate) fn new(trial: Arc<Ledger>, object: u64) -> Self {
        Env { trial, object }
    }

    /// Asks the harness to do what the contract has connected the subject to, once the future is polled.
    ///
    /// *Outcomes*: whatever the harness replies.
    /// *Cancellation*: dropping the future asks the harness to stop. The reply still comes, and goes nowhere.
    pub fn callback(&self, name: &str, args: Value) -> Callback {
        Callback { env: self.clone(), state: Asking::Not(name.to_string(), args) }
    }

    /// Tells the harness something to which there is no reply.
    pub fn tell(&self, name: &str, args: Value) {
        self.trial.record(json!({"tell": name, "on": self.object, "args": args}));
    }

    /// Reports a failure that reached nobody, where the library has a hook for such.
    pub fn unhandled(&self, failure: &Outcome) {
        self.trial.record(json!({"unhandled": failure.to_json()}));
    }

    /// Virtual time since the trial began.
    pub fn now(&self) -> Duration {
        Instant::now() - self.trial.start
    }

    /// Has `future` accounted for as a task with this name: what is not dropped by the end of the trial is left over.
    /// For tasks that the library or the adapter spawns; operations are accounted for without it.
    pub fn task<F: Future>(&self, name: &str, future: F) -> Task<F> {
        let entry = {
            let mut books = self.trial.books();
            books.entries += 1;
            let entry = books.entries;
            books.tasks.insert(entry, name.to_string());
            entry
        };
        Task { _entry: Entry { trial: self.trial.clone(), number: entry }, future: Box::pin(future) }
    }

    /// Has the harness know of the timer that `future` has set, `after` from now, until it has ended or is dropped.
    ///
    /// Tokio does not tell when its next timer is due, and time moves only to where the harness moves it. So each
    /// timer has to be known: this is for the library's own, [`Env::timeout`] and [`Env::sleep`] are for the adapter's.
    /// A timer that nobody knows of fires late, at the next instant that the harness has for another reason. Without a
    /// limit there is none to know of.
    pub fn watch<F: Future>(&self, after: impl Into<Option<Duration>>, future: F) -> Watched<F> {
        let timer = after.into().map(|after| self.set_timer(after));
        Watched { timer, future: Box::pin(future) }
    }

    fn set_timer(&self, after: Duration) -> Entry {
        let due = round_up(self.now().saturating_add(after));
        let mut books = self.trial.books();
        books.entries += 1;
        let number = books.entries;
        books.timers.insert(number, due);
        drop(books);
        Entry { trial: self.trial.clone(), number }
    }

    /// [`tokio::time::timeout`], of which the harness knows; none is no limit, as [`Args::duration`](crate::Args) has it.
    pub fn timeout<F: Future>(
        &self,
        after: impl Into<Option<Duration>>,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Elapsed>> {
        let after = after.into();
        self.watch(after, tokio::time::timeout(after.unwrap_or(Duration::MAX), future))
    }

    /// [`tokio::time::sleep`], of which the harness knows.
    pub fn sleep(&self, after: Duration) -> impl Future<Output = ()> {
        self.watch(after, tokio::time::sleep(after))
    }
}

/// The latest time that the protocol has, in nanoseconds. A deadline may be told too early.
const LATEST: u64 = (1 << 53) - 1;

/// Tokio's timers fire at whole milliseconds since the clock began, the first not before the deadline.
fn round_up(due: Duration) -> u64 {
    let nanoseconds = u64::try_from(due.as_nanos()).unwrap_or(u64::MAX);
    let rounded = match nanoseconds % 1_000_000 {
        0 => nanoseconds,
        over => nanoseconds.saturating_add(1_000_000 - over),
    };
    rounded.min(LATEST)
}

/// Takes a task or a timer off the books when it goes.
struct Entry {
    trial: Arc<Ledger>,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut books = self.trial.books();
        books.tasks.remove(&self.number);
        books.timers.remove(&self.number);
    }
}

/// See [`Env::task`].
pub struct Task<F> {
    // Dropped first to last: the task is off the books only when what it owned is gone.
    future: Pin<Box<F>>,
    _entry: Entry,
}

impl<F: Future> Future for Task<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        self.future.as_mut().poll(context)
    }
}

/// See [`Env::watch`].
pub struct Watched<F> {
    future: Pin<Box<F>>,
    timer: Option<Entry>,
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let ended = self.future.as_mut().poll(context);
        if ended.is_ready() {
            self.timer = None;
        }
        ended
    }
}

/// See [`Env::callback`].
pub struct Callback {
    env: Env,
    state: Asking,
}

enum Asking {
    Not(String, Value),
    For(u64),
    Over,
}

impl Future for Callback {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let env = self.env.clone();
        let mut books = env.trial.books();
        match mem::replace(&mut self.state, Asking::Over) {
            Asking::Not(name, args) => {
                books.callbacks_asked += 1;
                let number = books.callbacks_asked;
                books.events.push(json!({"callback": number, "on": env.object, "name": name, "args": args}));
                books.callbacks.insert(number, Asked::Waiting(Some(context.waker().clone())));
                self.state = Asking::For(number);
                Poll::Pending
            }
            Asking::For(number) => match books.callbacks.remove(&number) {
                Some(Asked::Replied(outcome)) => Poll::Ready(outcome),
                _ => {
                    books.callbacks.insert(number, Asked::Waiting(Some(context.waker().clone())));
                    self.state = Asking::For(number);
                    Poll::Pending
                }
            },
            Asking::Over => panic!("a callback was polled after its end"),
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        let number = match self.state {
            Asking::For(number) => number,
            Asking::Not(..) | Asking::Over => return,
        };
        let mut books = self.env.trial.books();
        if let Some(Asked::Waiting(_)) = books.callbacks.remove(&number) {
            books.callbacks.insert(number, Asked::Abandoned);
            books.events.push(json!({"cancel": number}));
        }
    }
}
