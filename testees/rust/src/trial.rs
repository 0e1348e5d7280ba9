use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use serde_json::{json, Value};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use crate::env::Ledger;
use crate::subject::message_of;
use crate::{Answer, Args, Env, Fault, Offer, Outcome, Subject};

/// Polls of tasks within one instant; who needs more does not come to rest.
const POLLS_MAX: u64 = 1_000_000;

/// One trial: a runtime of its own, and what the harness has made and called in it.
pub(crate) struct Trial {
    pub(crate) number: u64,
    now: u64,
    ledger: Arc<Ledger>,
    subjects: BTreeMap<u64, Box<dyn Subject>>,
    /// By subject: the queries that are looked at after every instant.
    looks: BTreeMap<u64, Vec<String>>,
    operations: BTreeMap<u64, Operation>,
    /// How often the runtime had nothing to run.
    parks: Arc<AtomicU64>,
    // Last, so that what is above is dropped while it still lives.
    runtime: Runtime,
}

type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What was called. Its future lies where a cancel can reach it.
struct Operation {
    method: String,
    work: Arc<Mutex<Option<Work>>>,
}

impl Operation {
    /// Takes the future out; none if the operation has ended.
    fn take(&self) -> Option<Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn has_ended(&self) -> bool {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}

/// The task that drives an operation.
struct Drive {
    id: u64,
    work: Arc<Mutex<Option<Work>>>,
    ledger: Arc<Ledger>,
}

impl Future for Drive {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut place = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let work = match place.as_mut() {
            Some(work) => work,
            None => return Poll::Ready(()), // cancelled
        };
        let outcome = match panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(outcome)) => outcome,
            Err(payload) => panicked(payload),
        };
        // What the operation owned is gone when its end is told.
        let ended = place.take();
        drop(place);
        let outcome = give_up(ended, outcome);
        self.ledger.record(done(self.id, &outcome));
        Poll::Ready(())
    }
}

fn done(id: u64, outcome: &Outcome) -> Value {
    json!({"done": id, "outcome": outcome.to_json()})
}

fn panicked(payload: Box<dyn std::any::Any + Send>) -> Outcome {
    Outcome::Error(format!("panic: {}", message_of(payload)))
}

/// Drops a future, or what is left of it. The outcome is `otherwise`, unless that panics.
fn give_up(work: Option<Work>, otherwise: Outcome) -> Outcome {
    match panic::catch_unwind(AssertUnwindSafe(|| drop(work))) {
        Ok(()) => otherwise,
        Err(payload) => panicked(payload),
    }
}

impl Trial {
    pub(crate) fn new(number: u64) -> Self {
        let parks = Arc::new(AtomicU64::new(0));
        let counted = parks.clone();
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            // After each poll of a task tokio looks at its timers and at us: see `Run`.
            .event_interval(1)
            .on_thread_park(move || {
                counted.fetch_add(1, Ordering::Relaxed);
            })
            .build()
            .expect("a runtime without I/O needs nothing that could be missing");
        let start = runtime.block_on(async { Instant::now() });
        let ledger = Arc::new(Ledger::new(start));
        Trial {
            number,
            now: 0,
            ledger,
            subjects: BTreeMap::new(),
            looks: BTreeMap::new(),
            operations: BTreeMap::new(),
            parks,
            runtime,
        }
    }

    /// Does `commands` at `now`; with `run`, lets everything happen that can. An error is a mistake, which ends the
    /// testee.
    pub(crate) fn instant(
        &mut self,
        now: u64,
        run: bool,
        commands: &[Value],
        offers: &[Offer],
    ) -> Result<Value, String> {
        let forward =
            now.checked_sub(self.now).ok_or_else(|| format!("time goes back from {} to {now}", self.now))?;
        self.now = now;
        let mut waiting = VecDeque::new();
        for command in commands {
            waiting.push_back((command["after"].as_u64().unwrap_or(0), command));
        }
        // Stable: equals keep their order.
        waiting.make_contiguous().sort_by_key(|(after, _)| *after);
        self.enter(forward, run, waiting, offers)?;
        let deadline = self.ledger.earliest_timer();
        let looked_at = self.look();
        match deadline {
            Some(due) if run && due <= now => {
                Err(format!("a timer that was due at {due} has not fired at {now}"))
            }
            _ => {
                let mut answer = json!({"events": self.ledger.take_events(), "deadline": deadline});
                let later = self.ledger.later_timers();
                if !later.is_empty() {
                    answer["later"] = json!(later);
                }
                if !self.looks.is_empty() {
                    answer["looked_at"] = looked_at;
                }
                Ok(answer)
            }
        }
    }

    /// What the queries say that are looked at, by subject. One that cannot say is left out: whoever calls it hears of
    /// that.
    fn look(&mut self) -> Value {
        let _inside = self.runtime.enter();
        let mut all = json!({});
        for (object, queries) in &self.looks {
            let mut said = json!({});
            for query in queries {
                let subject = self.subjects.get_mut(object).expect("what is looked at is there");
                let nothing = json!({});
                let answer =
                    panic::catch_unwind(AssertUnwindSafe(|| subject.call(query, &Args::new(&nothing))));
                if let Ok(Ok(Answer::Now(Outcome::Value(value)))) = answer {
                    said[query.as_str()] = value;
                }
            }
            all[object.to_string()] = said;
        }
        all
    }

    /// What is left over once nothing more can happen.
    pub(crate) fn end(&mut self) -> Result<Vec<String>, String> {
        self.enter(0, true, VecDeque::new(), &[])?;
        let mut left = Vec::new();
        for (id, operation) in &self.operations {
            if !operation.has_ended() {
                left.push(format!("the operation {id} ({})", operation.method));
            }
        }
        left.extend(self.ledger.left());
        Ok(left)
    }

    fn enter(
        &mut self,
        forward: u64,
        run: bool,
        waiting: VecDeque<(u64, &Value)>,
        offers: &[Offer],
    ) -> Result<(), String> {
        let parks = self.parks.clone();
        let desk = Desk {
            ledger: &self.ledger,
            subjects: &mut self.subjects,
            looks: &mut self.looks,
            operations: &mut self.operations,
            offers,
        };
        let forward = Duration::from_nanos(forward);
        let rounds =
            Run { desk, forward, run, waiting, parks, parks_seen: 0, idle: 0, polls: 0, turn: 0, mark: None };
        self.runtime.block_on(rounds)
    }
}

/// Who does the commands.
struct Desk<'a> {
    ledger: &'a Arc<Ledger>,
    subjects: &'a mut BTreeMap<u64, Box<dyn Subject>>,
    looks: &'a mut BTreeMap<u64, Vec<String>>,
    operations: &'a mut BTreeMap<u64, Operation>,
    offers: &'a [Offer],
}

fn number(command: &Value, member: &str) -> Result<u64, String> {
    command[member].as_u64().ok_or_else(|| format!("'{member}' is no number in {command}"))
}

fn text<'a>(command: &'a Value, member: &str) -> Result<&'a str, String> {
    command[member].as_str().ok_or_else(|| format!("'{member}' is no text in {command}"))
}

impl Desk<'_> {
    fn dispatch(&mut self, command: &Value) -> Result<(), String> {
        if command.get("make").is_some() {
            return self.make(command);
        }
        if command.get("call").is_some() {
            return self.call(command);
        }
        if command.get("cancel").is_some() {
            return self.cancel(number(command, "cancel")?);
        }
        if command.get("reply").is_some() {
            let outcome = Outcome::from_json(&command["outcome"])?;
            return self.ledger.reply(number(command, "reply")?, outcome);
        }
        if command.get("destroy").is_some() {
            let object = number(command, "destroy")?;
            self.looks.remove(&object);
            let subject =
                self.subjects.remove(&object).ok_or_else(|| format!("there is no object {object}"))?;
            if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(|| drop(subject))) {
                self.ledger.record(json!({"unhandled": panicked(payload).to_json()}));
            }
            return Ok(());
        }
        Err(format!("no such command: {command}"))
    }

    fn make(&mut self, command: &Value) -> Result<(), String> {
        let object = number(command, "make")?;
        let name = text(command, "subject")?;
        let offer = self
            .offers
            .iter()
            .find(|offer| offer.name == name)
            .ok_or_else(|| format!("there is no subject {name}"))?;
        let env = Env::new(self.ledger.clone(), object);
        let made =
            panic::catch_unwind(AssertUnwindSafe(|| (offer.make)(&env, &Args::new(&command["config"]))));
        let outcome = match made {
            Ok(Ok(subject)) => {
                self.subjects.insert(object, subject);
                if let Some(look) = command["look"].as_array() {
                    let queries = look.iter().filter_map(|query| query.as_str().map(str::to_string));
                    self.looks.insert(object, queries.collect());
                }
                Outcome::done()
            }
            Ok(Err(Fault::Outcome(outcome))) => outcome,
            Ok(Err(Fault::Mistake(text))) => return Err(format!("making {name}: {text}")),
            Err(payload) => panicked(payload),
        };
        self.ledger.record(done(object, &outcome));
        Ok(())
    }

    fn call(&mut self, command: &Value) -> Result<(), String> {
        let id = number(command, "call")?;
        let method = text(command, "method")?;
        let object = number(command, "on")?;
        let subject = self.subjects.get_mut(&object).ok_or_else(|| format!("there is no object {object}"))?;
        let args = Args::new(&command["args"]);
        let answer = panic::catch_unwind(AssertUnwindSafe(|| subject.call(method, &args)));
        match answer {
            Ok(Ok(Answer::Now(outcome))) | Ok(Err(Fault::Outcome(outcome))) => {
                self.ledger.record(done(id, &outcome))
            }
            Ok(Ok(Answer::Refused(why))) => self.ledger.record(json!({"refused": id, "why": why})),
            Ok(Ok(Answer::Later(work))) => self.start(id, method, work),
            Ok(Err(Fault::Mistake(text))) => return Err(format!("calling {method}: {text}")),
            Err(payload) => self.ledger.record(done(id, &panicked(payload))),
        }
        Ok(())
    }

    fn start(&mut self, id: u64, method: &str, work: Work) {
        let work = Arc::new(Mutex::new(Some(work)));
        tokio::spawn(Drive { id, work: work.clone(), ledger: self.ledger.clone() });
        self.operations.insert(id, Operation { method: method.to_string(), work });
    }

    /// Cancels as Rust does: drops the future, here and now. What has ended already is left alone.
    fn cancel(&mut self, id: u64) -> Result<(), String> {
        let work = self.operations.get(&id).and_then(Operation::take);
        if work.is_some() {
            let outcome = give_up(work, Outcome::Cancelled);
            self.ledger.record(done(id, &outcome));
        }
        Ok(())
    }
}

/// One instant, as the future that tokio's `block_on` drives beside the tasks.
///
/// With `event_interval(1)` one iteration of tokio's loop is: poll this, poll the first task in the queue, let the
/// timers that are due wake their tasks. Where there is no task the thread parks instead, which `on_thread_park`
/// counts, and timers are looked at all the same. This future wakes itself each time. So
///
/// - it is polled between any two tasks, and nothing can happen behind its back;
/// - the thread never sleeps, and tokio's clock never advances by itself: it does only when nothing was woken;
/// - two parks in succession mean that nothing more can happen: the first found no task and let every timer fire that
///   was due, the second found that none had woken anybody.
///
/// A turn is what the protocol says, and nothing of it is guessed: the queue is first in, first out, so a mark that is
/// put at its end is polled exactly when everything that was ready at the turn's beginning has run.
struct Run<'a> {
    desk: Desk<'a>,
    forward: Duration,
    run: bool,
    waiting: VecDeque<(u64, &'a Value)>,
    parks: Arc<AtomicU64>,
    parks_seen: u64,
    idle: u32,
    polls: u64,
    turn: u64,
    mark: Option<Mark>,
}

/// The end of a turn.
struct Mark {
    passed: Arc<AtomicBool>,
    polls: u64,
}

/// `Run` moves nowhere while it is polled, and has nothing that points into itself.
impl Unpin for Run<'_> {}

impl Future for Run<'_> {
    type Output = Result<(), String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Err(mistake) = this.step(context) {
            return Poll::Ready(Err(mistake));
        }
        if !this.run || (this.idle > 1 && this.waiting.is_empty()) {
            return Poll::Ready(Ok(()));
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Run<'_> {
    fn step(&mut self, context: &mut Context<'_>) -> Result<(), String> {
        if self.polls == 0 {
            advance(self.forward, context);
            self.parks_seen = self.parks.load(Ordering::Relaxed);
            if self.run {
                self.do_due()?;
            } else {
                self.do_all()?;
            }
        } else {
            self.look()?;
        }
        self.polls += 1;
        if self.polls > POLLS_MAX {
            return Err(format!("no rest after {POLLS_MAX} polls at one instant"));
        }
        Ok(())
    }

    /// Looks at what has happened since the last time.
    fn look(&mut self) -> Result<(), String> {
        let parks = self.parks.load(Ordering::Relaxed);
        let parked = parks != self.parks_seen;
        self.parks_seen = parks;
        let mark = match &self.mark {
            None => {
                self.idle = if parked { self.idle + 1 } else { 0 };
                return Ok(());
            }
            Some(mark) => mark,
        };
        if !mark.passed.load(Ordering::Relaxed) {
            return Ok(());
        }
        // The mark was the first that was polled since it was put there: nothing else was ready.
        let empty = mark.polls + 1 == self.polls;
        self.idle = if empty { self.idle + 1 } else { 0 };
        self.turn += 1;
        if self.idle > 1 {
            // Nothing is left to be run, so the next in line need not wait for their turn.
            self.turn = self.waiting.front().map_or(self.turn, |(after, _)| self.turn.max(*after));
        }
        self.do_due()
    }

    /// Does the commands whose turn it is; a mark says when the next turn is over, if anybody waits for that.
    fn do_due(&mut self) -> Result<(), String> {
        while let Some((after, command)) = self.waiting.front().copied() {
            if after > self.turn {
                break;
            }
            self.waiting.pop_front();
            self.desk.dispatch(command)?;
            self.idle = 0;
        }
        self.mark = None;
        if !self.waiting.is_empty() {
            let passed = Arc::new(AtomicBool::new(false));
            let end = passed.clone();
            tokio::spawn(async move { end.store(true, Ordering::Relaxed) });
            self.mark = Some(Mark { passed, polls: self.polls });
        }
        Ok(())
    }

    fn do_all(&mut self) -> Result<(), String> {
        while let Some((_, command)) = self.waiting.pop_front() {
            self.desk.dispatch(command)?;
        }
        Ok(())
    }
}

/// Moves the clock, and leaves the timers for later: commands come before anything that is due.
///
/// `advance` does the first when it is polled for the first time; it waits only so that others run.
fn advance(forward: Duration, context: &mut Context<'_>) {
    if !forward.is_zero() {
        let mut moving = Box::pin(tokio::time::advance(forward));
        let _ = moving.as_mut().poll(context);
    }
}
