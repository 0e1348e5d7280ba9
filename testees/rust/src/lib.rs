//! The Rust side of Assay's testee protocol (`harness/testee/PROTOCOL.md`): what an adapter for a Rust library needs.
//!
//! An adapter implements [`Subject`] and is offered by a [`Testee`], whose `main` speaks the protocol over standard
//! input and output. Each trial has a tokio runtime of its own: one thread, and a paused clock that only the harness
//! moves. How to write one, step by step, is in `testees/rust/README.md`.
#![forbid(unsafe_op_in_unsafe_fn)]
#![warn(missing_docs)]

mod env;
mod outcome;
mod subject;
mod testee;
mod trial;

pub use env::{Callback, Env, Task, Watched};
pub use outcome::Outcome;
pub use subject::{catch, Answer, Args, Fault, Made, Offer, Subject};
pub use testee::Testee;
