//! `tokio::task::JoinSet`, used as its documentation has it: spawn, `join_next` until there is none, `abort_all` and go
//! on joining at the first failure.
//!
//! What it does not promise is what Rust's cancellation is: an aborted task's future is dropped at its next
//! suspension, so it cannot clean up, wait, or fail any more; and dropping the set, which is how `run` is cancelled,
//! aborts the tasks and waits for none.
use assay_testee::{Answer, Args, Env, Fault, Made, Offer, Outcome, Subject};
use serde_json::json;
use tokio::task::JoinSet;

pub const OFFER: Offer = Offer {
    name: "tokio_join_set",
    contract: "task_group",
    features: &[],
    cites: "tokio 1.24.2, docs.rs/tokio/1.24.2: task::JoinSet (\"When the JoinSet is dropped, all tasks in the JoinSet \
            are immediately aborted\"), join_next (\"Waits until one of the tasks in the set completes and returns its \
            output\"), abort_all (\"To wait for the tasks to complete cancellation, you should call join_next in a loop \
            until the JoinSet is empty\")",
    make,
};

struct Group {
    env: Env,
    collect: bool,
}

fn make(env: &Env, config: &Args) -> Made {
    Ok(Box::new(Group { env: env.clone(), collect: config.bool("collect")? }))
}

impl Subject for Group {
    fn call(&mut self, method: &str, args: &Args) -> Result<Answer, Fault> {
        match method {
            "run" => {
                let mut children = Vec::new();
                for child in args.list("children")? {
                    children.push((child.int("id")?, child.text("name")?.to_string()));
                }
                Ok(Answer::later(run(self.env.clone(), children, self.collect)))
            }
            _ => Ok(Answer::unknown(method)),
        }
    }
}

async fn run(env: Env, children: Vec<(i64, String)>, collect: bool) -> Outcome {
    let mut set = JoinSet::new();
    for (id, name) in children {
        let child = env.callback("child", json!({ "id": id }));
        let task = env.task(&name, child);
        set.spawn(async move { (name, task.await) });
    }
    let mut failures = Vec::new();
    while let Some(joined) = set.join_next().await {
        match joined {
            Ok((_, Outcome::Value(_) | Outcome::Cancelled)) => continue,
            Ok((name, failure)) => failures.push((name, failure)),
            Err(error) if error.is_cancelled() => continue,
            Err(error) => failures.push(("a child".to_string(), Outcome::Error(error.to_string()))),
        }
        if !collect {
            set.abort_all();
        }
    }
    match failures.len() {
        0 => Outcome::done(),
        _ => Outcome::Aggregate(failures),
    }
}
