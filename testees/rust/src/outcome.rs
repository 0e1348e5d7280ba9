use serde_json::{json, Value};

/// How an operation or a callback ended: the words of every contract, into which an adapter translates its library's.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It ended well, with this value.
    Value(Value),
    /// An ordinary failure. The label of a callback's failure goes back as it came.
    Error(String),
    /// It was asked to stop, and did not happen.
    Cancelled,
    /// What it was asked of is closed.
    Closed,
    /// Its own deadline has passed.
    TimedOut,
    /// Refused without an effect: full, too late, an impossible argument.
    Rejected(String),
    /// What it stood on is broken.
    Broken(String),
    /// Several failures, each with the name of the task that it came from.
    Aggregate(Vec<(String, Outcome)>),
    /// A wish to end the process.
    Exit(i64),
}

impl Outcome {
    /// It ended well, and there is nothing to tell.
    pub fn done() -> Self {
        Outcome::Value(Value::Null)
    }

    /// It ended well, with `value`.
    pub fn value(value: impl Into<Value>) -> Self {
        Outcome::Value(value.into())
    }

    /// As the protocol writes it.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Outcome::Value(value) => json!({"kind": "value", "value": value}),
            Outcome::Error(label) => json!({"kind": "error", "label": label}),
            Outcome::Cancelled => json!({"kind": "cancelled"}),
            Outcome::Closed => json!({"kind": "closed"}),
            Outcome::TimedOut => json!({"kind": "timed_out"}),
            Outcome::Rejected(label) => json!({"kind": "rejected", "label": label}),
            Outcome::Broken(label) => json!({"kind": "broken", "label": label}),
            Outcome::Aggregate(members) => {
                let members: Vec<Value> = members
                    .iter()
                    .map(|(task, what)| json!({"task": task, "what": what.to_json()}))
                    .collect();
                json!({"kind": "aggregate", "members": members})
            }
            Outcome::Exit(status) => json!({"kind": "exit", "status": status}),
        }
    }

    /// What the harness wrote; an error says what is wrong with it.
    pub(crate) fn from_json(written: &Value) -> Result<Self, String> {
        let label = || written["label"].as_str().unwrap_or("").to_string();
        match written["kind"].as_str() {
            Some("value") => Ok(Outcome::Value(written["value"].clone())),
            Some("error") => Ok(Outcome::Error(label())),
            Some("cancelled") => Ok(Outcome::Cancelled),
            Some("closed") => Ok(Outcome::Closed),
            Some("timed_out") => Ok(Outcome::TimedOut),
            Some("rejected") => Ok(Outcome::Rejected(label())),
            Some("broken") => Ok(Outcome::Broken(label())),
            Some("exit") => {
                let status = written["status"].as_i64().ok_or("an exit without a status")?;
                Ok(Outcome::Exit(status))
            }
            Some("aggregate") => {
                let members = written["members"].as_array().ok_or("an aggregate without members")?;
                let mut read = Vec::with_capacity(members.len());
                for member in members {
                    let task = member["task"].as_str().unwrap_or("").to_string();
                    read.push((task, Outcome::from_json(&member["what"])?));
                }
                Ok(Outcome::Aggregate(read))
            }
            _ => Err(format!("no outcome: {written}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_comes_back_as_it_went() {
        let members = vec![
            ("a".to_string(), Outcome::Error("a fails".into())),
            ("b".to_string(), Outcome::Aggregate(vec![("c".to_string(), Outcome::Exit(3))])),
        ];
        let all = [
            Outcome::done(),
            Outcome::value(7),
            Outcome::Error("no".into()),
            Outcome::Cancelled,
            Outcome::Closed,
            Outcome::TimedOut,
            Outcome::Rejected("full".into()),
            Outcome::Broken("gone".into()),
            Outcome::Aggregate(members),
            Outcome::Exit(70),
        ];
        for one in all {
            assert_eq!(Outcome::from_json(&one.to_json()), Ok(one));
        }
    }

    #[test]
    fn a_value_may_be_left_out() {
        assert_eq!(Outcome::from_json(&json!({"kind": "value"})), Ok(Outcome::done()));
    }

    #[test]
    fn what_is_no_outcome_is_told() {
        assert!(Outcome::from_json(&json!({"kind": "maybe"})).is_err());
        assert!(Outcome::from_json(&json!({"kind": "exit"})).is_err());
        assert!(Outcome::from_json(&json!(3)).is_err());
    }
}
