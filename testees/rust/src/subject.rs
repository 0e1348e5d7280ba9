use std::any::Any;
use std::future::Future;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::time::Duration;

use serde_json::Value;

use crate::{Env, Outcome};

/// One implementation of a contract, made anew for every use. Dropping it gives it up.
pub trait Subject {
    /// Does `method` at once, or begins it.
    ///
    /// *Outcomes*: [`Answer::Now`] for what a contract calls immediate, [`Answer::Later`] for what may wait,
    /// [`Answer::Refused`] for a method that this subject does not have. Nothing of a `Later` has happened when this
    /// returns: its future is polled when the harness lets the runtime run.
    ///
    /// *Cancellation*: a `Later` is cancelled by dropping its future, which is how Rust cancels. So it owns what it
    /// uses: a clone of the sender, an `Arc`.
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault>;
}

/// What comes of a call.
pub enum Answer {
    /// It has happened.
    Now(Outcome),
    /// It has yet to happen; the future ends with its outcome.
    Later(Pin<Box<dyn Future<Output = Outcome> + Send>>),
    /// There is no such method, and why.
    Refused(String),
}

impl Answer {
    /// Done, and nothing to tell.
    pub fn done() -> Self {
        Answer::Now(Outcome::done())
    }

    /// Done, with this value.
    pub fn value(value: impl Into<Value>) -> Self {
        Answer::Now(Outcome::value(value))
    }

    /// To be done by this future.
    pub fn later(future: impl Future<Output = Outcome> + Send + 'static) -> Self {
        Answer::Later(Box::pin(future))
    }

    /// What every adapter says of methods that it does not know.
    pub fn unknown(method: &str) -> Self {
        Answer::Refused(format!("there is no {method}"))
    }
}

/// Why a call or a make has no answer, so that `?` does for both.
#[derive(Debug)]
pub enum Fault {
    /// An outcome like any other: `Err(Outcome::Closed)?`.
    Outcome(Outcome),
    /// Adapter and harness do not understand each other: a mistake of one of them. It ends the testee.
    Mistake(String),
}

impl From<Outcome> for Fault {
    fn from(outcome: Outcome) -> Self {
        Fault::Outcome(outcome)
    }
}

/// What [`Offer::make`] returns.
pub type Made = Result<Box<dyn Subject>, Fault>;

/// What a testee says of a subject that it hosts.
pub struct Offer {
    /// Letters, digits, `_` and `-`.
    pub name: &'static str,
    /// The contract that it stands behind.
    pub contract: &'static str,
    /// The optional features that it claims. What the library's documentation does not promise is not claimed.
    pub features: &'static [&'static str],
    /// The documentation behind those claims: crate, version, section.
    pub cites: &'static str,
    /// Makes one from the contract's configuration.
    pub make: fn(&Env, &Args) -> Made,
}

/// The arguments of a call, or a configuration. Each getter fails with a mistake that names what is missing.
#[derive(Clone, Copy)]
pub struct Args<'a>(&'a Value);

impl<'a> Args<'a> {
    /// Of a JSON object.
    pub fn new(object: &'a Value) -> Self {
        Args(object)
    }

    fn get<T>(&self, name: &str, kind: &str, found: Option<T>) -> Result<T, Fault> {
        found.ok_or_else(|| Fault::Mistake(format!("'{name}' should be {kind}, and is {}", self.0[name])))
    }

    /// A whole number: an item, a job, a count.
    pub fn int(&self, name: &str) -> Result<i64, Fault> {
        self.get(name, "a number", self.0[name].as_i64())
    }

    /// A truth value.
    pub fn bool(&self, name: &str) -> Result<bool, Fault> {
        self.get(name, "true or false", self.0[name].as_bool())
    }

    /// A text.
    pub fn text(&self, name: &str) -> Result<&'a str, Fault> {
        self.get(name, "a text", self.0[name].as_str())
    }

    /// Whatever it is; null if it is missing.
    pub fn value(&self, name: &str) -> Value {
        self.0[name].clone()
    }

    /// A duration; none is no limit. Rust's durations are not negative: what is below zero is zero.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>, Fault> {
        if self.0[name].is_null() {
            return Ok(None);
        }
        let nanoseconds = self.int(name)?;
        Ok(Some(Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))))
    }

    /// A list of objects.
    pub fn list(&self, name: &str) -> Result<Vec<Args<'a>>, Fault> {
        let elements = self.get(name, "a list", self.0[name].as_array())?;
        Ok(elements.iter().map(Args).collect())
    }
}

/// Runs what may panic, and returns the panic's message if it does: for libraries whose documented refusal is a panic.
pub fn catch<T>(what: impl FnOnce() -> T) -> Result<T, String> {
    panic::catch_unwind(AssertUnwindSafe(what)).map_err(message_of)
}

/// What a panic said.
pub(crate) fn message_of(payload: Box<dyn Any + Send>) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        return (*text).to_string();
    }
    payload.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".to_string())
}
