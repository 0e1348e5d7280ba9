//! All outcomes of several operations: `tokio::task::JoinSet`, joined until there is none left, and
//! `futures::future::join_all`.
//!
//! A call that is cancelled drops what it began: a task of the set is aborted, a future that was joined is gone at once. Neither
//! cleans up, so neither owns its operations.
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use assay_testee::{Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use futures_util::future::join_all;
use serde_json::{json, Value};
use tokio::task::JoinSet;

pub const JOIN_SET: Offer = Offer {
    name: "tokio_join_set_outcomes",
    contract: "gather",
    features: &["own_cancellation"],
    cites: "tokio 1.24.2, docs.rs/tokio/1.24.2: task::JoinSet (\"A collection of tasks spawned on a Tokio runtime\"; \"When the \
            JoinSet is dropped, all tasks in the JoinSet are immediately aborted\"), join_next (\"Waits until one of the tasks in \
            the set completes and returns its output. Returns None if the set is empty\")",
    make: make_join_set,
};

pub const JOIN_ALL: Offer = Offer {
    name: "futures_join_all",
    contract: "gather",
    features: &["own_cancellation"],
    cites: "futures-util 0.3.21, docs.rs/futures-util/0.3.21: future::join_all (\"Creates a future which represents a collection of \
            the outputs of the futures given\"; \"the returned future will drive execution for all of its underlying futures, \
            collecting the results into a destination Vec<T> in the same order as they were provided\")",
    make: make_join_all,
};

/// Values, by operation: the harness hands one in before its operation ends.
type Values = Arc<Mutex<BTreeMap<i64, Value>>>;

struct Gather {
    env: Env,
    values: Values,
    joins: bool,
}

fn make_join_set(env: &Env, _config: &Args) -> Made {
    Ok(Box::new(Gather { env: env.clone(), values: Values::default(), joins: false }))
}

fn make_join_all(env: &Env, _config: &Args) -> Made {
    Ok(Box::new(Gather { env: env.clone(), values: Values::default(), joins: true }))
}

impl Subject for Gather {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        match method {
            "all" => {
                let mut operations = Vec::new();
                for one in args.list("operations")? {
                    operations.push((one.text("name")?.to_string(), self.slot_of(one.int("id")?)));
                }
                Ok(match self.joins {
                    true => Answer::later(all_joined(operations.into_iter().map(|(_, one)| one).collect())),
                    false => Answer::later(all_in_a_set(self.env.clone(), operations)),
                })
            }
            "gave" => {
                let value = args.value("value");
                let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
                values.insert(args.int("id")?, value);
                Ok(Answer::done())
            }
            _ => Ok(Answer::unknown(method)),
        }
    }
}

impl Gather {
    fn slot_of(&self, id: i64) -> impl Future<Output = Value> + Send + 'static {
        let running = self.env.callback("operation", json!({ "id": id }));
        let values = self.values.clone();
        async move {
            match running.await {
                Outcome::Value(_) => {
                    let given = values.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                    json!({ "how": "value", "value": given, "cause": "" })
                }
                Outcome::Cancelled => json!({ "how": "cancelled", "value": null, "cause": "" }),
                Outcome::Error(label) => json!({ "how": "failed", "value": null, "cause": label }),
                other => json!({ "how": "failed", "value": null, "cause": format!("{other:?}") }),
            }
        }
    }
}

async fn all_joined(operations: Vec<impl Future<Output = Value>>) -> Outcome {
    Outcome::value(join_all(operations).await)
}

async fn all_in_a_set<F>(env: Env, operations: Vec<(String, F)>) -> Outcome
where
    F: Future<Output = Value> + Send + 'static,
{
    let mut slots = vec![Value::Null; operations.len()];
    let mut set = JoinSet::new();
    for (index, (name, one)) in operations.into_iter().enumerate() {
        let task = env.task(&name, one);
        set.spawn(async move { (index, task.await) });
    }
    while let Some(joined) = set.join_next().await {
        match joined {
            Ok((index, slot)) => slots[index] = slot,
            Err(error) => return Outcome::Error(error.to_string()),
        }
    }
    Outcome::value(slots)
}
