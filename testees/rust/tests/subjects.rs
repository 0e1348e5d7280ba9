//! The testee `rust` as a process, and each of its subjects: what its library's documentation promises, in short.
mod support;

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{example, expect_same, joined, lines, run, testee};

/// Holds a conversation with a process, which ends well.
fn converse(conversation: &str) {
    let output = run(&testee(), &joined(&lines(conversation, "> ")));
    expect_same(conversation, &String::from_utf8(output.stdout).unwrap());
    assert_eq!(output.status.code(), Some(0));
}

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One trial with one object of this subject. Each instant has its time, whether to run, its commands; and the events and
/// the deadline that are expected.
fn trial(subject: &str, config: &str, made: &str, instants: &[[&str; 5]]) {
    let mut text = format!(
        r#"
    > {{"begin":{{"trial":1,"seed":0}}}}
    < {{"begun":{{"trial":1}}}}
    > {{"instant":{{"trial":1,"number":0,"now":0,"run":false,"commands":[{{"make":1,"subject":"{subject}","config":{config}}}]}}}}
    < {{"instant":{{"trial":1,"number":0,"events":[{{"done":1,"outcome":{made}}}],"deadline":null}}}}
"#
    );
    for (i, [now, run, commands, events, deadline]) in instants.iter().enumerate() {
        let number = i + 1;
        text += &format!(
            r#"
    > {{"instant":{{"trial":1,"number":{number},"now":{now},"run":{run},"commands":[{commands}]}}}}
    < {{"instant":{{"trial":1,"number":{number},"events":[{events}],"deadline":{deadline}}}}}
"#
        );
    }
    converse(&text);
}

const WELL: &str = r#"{"kind":"value","value":null}"#;
const QUEUES: [&str; 3] = ["async_channel", "flume", "tokio_mpsc"];

// ---- the process

#[test]
fn the_protocol_s_own_example_holds() {
    let protocol = file("../../harness/testee/PROTOCOL.md");
    let example = protocol.split("## A worked example").nth(1).expect("the protocol has an example");
    // Their hello is theirs; and `value` may be left out where it is null, which we do not.
    let conversation: Vec<String> = example
        .lines()
        .filter(|line| !line.contains("\"hello\""))
        .map(|line| {
            line.replace("\"Queue\"", "\"async_channel\"")
                .replace(r#"{"kind":"value"}"#, r#"{"kind":"value","value":null}"#)
        })
        .collect();
    assert!(conversation.iter().any(|line| line.contains("\"async_channel\"")), "the example makes a queue");
    converse(&conversation.join("\n"));
}

#[test]
fn hello_speaks_the_newest_version_that_both_know() {
    for (newest, spoken) in [(1, 1), (2, 2), (7, 2)] {
        let asked = format!("{{\"hello\":{{\"protocol\":1,\"newest\":{newest},\"harness\":\"x\"}}}}\n");
        let output = run(&testee(), &asked);
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["hello"]["protocol"], spoken);
        assert_eq!(answer["hello"]["looks"], true);
        assert_eq!(answer["hello"]["checkpoint"], false);
        assert_eq!(answer["hello"]["late"], true);
    }
}

#[test]
fn a_query_that_cannot_say_anything_is_left_out_of_a_look() {
    converse(
        r#"
    > {"begin":{"trial":1,"seed":0}}
    < {"begun":{"trial":1}}
    > {"instant":{"trial":1,"number":1,"now":0,"run":false,"commands":[{"make":1,"subject":"flume","config":{"capacity":1},"look":["size","no_such","pop"]}]}}
    < {"instant":{"trial":1,"number":1,"events":[{"done":1,"outcome":{"kind":"value","value":null}}],"deadline":null,"looked_at":{"1":{"size":0}}}}
    > {"instant":{"trial":1,"number":2,"now":0,"run":false,"commands":[{"destroy":1}]}}
    < {"instant":{"trial":1,"number":2,"events":[],"deadline":null}}
"#,
    );
}

#[test]
fn hello_tells_what_is_linked() {
    let output = run(&testee(), "{\"hello\":{\"protocol\":1,\"harness\":\"assay 0.1.0\"}}\n");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let hello = &answer["hello"];
    assert_eq!(hello["protocol"], 1);
    assert_eq!(hello["name"], "rust");
    assert_eq!(hello["turns"], true);
    assert_eq!(hello["seeded"], false);
    assert!(hello["language"].as_str().unwrap().starts_with("Rust 1."), "{hello}");
    for (library, version) in hello["libraries"].as_object().unwrap() {
        let pin = format!("{library} = {{ version = \"={}\"", version.as_str().unwrap());
        assert!(file("Cargo.toml").contains(&pin), "{pin}");
        let cited = format!("{library} {}", version.as_str().unwrap());
        assert!(hello["subjects"].to_string().contains(&cited), "{cited}");
    }
    let subjects = hello["subjects"].as_array().unwrap();
    let names: HashSet<&str> = subjects.iter().map(|subject| subject["name"].as_str().unwrap()).collect();
    assert!(!names.is_empty());
    assert_eq!(names.len(), subjects.len(), "no name is given twice");
}

#[test]
fn the_end_of_input_is_the_end_and_a_mistake_is_a_failure() {
    assert_eq!(run(&testee(), "").status.code(), Some(0));
    let output = run(&testee(), "{\"begin\":{\"trial\":1}}\nwell\n{\"end\":{\"trial\":1}}\n");
    assert_eq!(output.status.code(), Some(1));
    let answers = String::from_utf8(output.stdout).unwrap();
    assert_eq!(answers.lines().count(), 2, "nothing follows a mistake: {answers}");
    assert!(answers.lines().last().unwrap().starts_with("{\"error\":\"a line that is not JSON"), "{answers}");
}

#[test]
fn what_is_printed_goes_to_standard_error() {
    let conversation = r#"
    > {"begin":{"trial":1,"seed":0}}
    < {"begun":{"trial":1}}
    > {"instant":{"trial":1,"number":1,"now":0,"run":false,"commands":[{"make":1,"subject":"probe","config":{"how":"well"}},{"call":2,"on":1,"method":"print","args":{"text":"a word"}}]}}
    < {"instant":{"trial":1,"number":1,"events":[{"done":1,"outcome":{"kind":"value","value":null}},{"done":2,"outcome":{"kind":"value","value":null}}],"deadline":null}}
"#;
    let output = run(&example("probe"), &joined(&lines(conversation, "> ")));
    expect_same(conversation, &String::from_utf8(output.stdout).unwrap());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "a word\n");
}

/// All that a subject does, twice, in two processes: byte by byte the same.
#[test]
fn what_is_asked_twice_is_answered_twice_the_same() {
    let mut asked = String::from("{\"hello\":{\"protocol\":1}}\n");
    for (trial, subject) in QUEUES.iter().enumerate() {
        asked += &format!("{{\"begin\":{{\"trial\":{trial},\"seed\":0}}}}\n");
        asked += &instant(
            trial,
            0,
            0,
            &format!(r#"{{"make":1,"subject":"{subject}","config":{{"capacity":2}}}}"#),
        );
        let mut id = 1;
        for number in 1..40 {
            let mut commands = Vec::new();
            for i in 0..4 {
                id += 1;
                let (method, args) = match (number + i) % 3 {
                    0 => ("push", format!("{{\"item\":{id}}}")),
                    1 => ("pop_for", format!("{{\"patience\":{}}}", i * 1_000_000)),
                    _ => ("push_for", format!("{{\"item\":{id},\"patience\":2000000}}")),
                };
                let after = (number * i) % 4;
                commands.push(format!(
                    r#"{{"call":{id},"on":1,"method":"{method}","args":{args},"after":{after}}}"#
                ));
                commands.push(format!(r#"{{"cancel":{},"after":{}}}"#, id - i, (after + 1) % 4));
            }
            asked += &instant(trial, number, number * 1_000_000, &commands.join(","));
        }
        asked += &format!("{{\"end\":{{\"trial\":{trial}}}}}\n");
    }
    let first = run(&testee(), &asked);
    let second = run(&testee(), &asked);
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stdout));
    assert_eq!(String::from_utf8(first.stdout).unwrap(), String::from_utf8(second.stdout).unwrap());
}

fn instant(trial: usize, number: usize, now: usize, commands: &str) -> String {
    format!(
        "{{\"instant\":{{\"trial\":{trial},\"number\":{number},\"now\":{now},\"run\":true,\"commands\":[{commands}]}}}}\n"
    )
}

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let example = file("examples/shelf.rs");
    let shown = example
        .split("// README: from here\n")
        .nth(1)
        .and_then(|rest| rest.split("// README: to here").next());
    assert!(
        file("README.md").contains(shown.expect("the example says what is shown")),
        "the README is up to date"
    );
}

// ---- queues

#[test]
fn impossible_capacities_are_rejected() {
    let said = |text: &str| format!(r#"{{"kind":"rejected","label":"{text}"}}"#);
    for subject in QUEUES {
        trial(subject, r#"{"capacity":-1}"#, &said("a negative capacity"), &[]);
    }
    trial("async_channel", r#"{"capacity":0}"#, &said("capacity cannot be zero"), &[]);
    trial("tokio_mpsc", r#"{"capacity":0}"#, &said("mpsc bounded channel requires buffer > 0"), &[]);
}

#[test]
fn a_rendezvous_waits_for_who_takes() {
    trial(
        "flume",
        r#"{"capacity":0}"#,
        WELL,
        &[
            ["0", "true", r#"{"call":2,"on":1,"method":"push","args":{"item":7}}"#, "", "null"],
            [
                "0",
                "true",
                r#"{"call":3,"on":1,"method":"pop","args":{}}"#,
                r#"{"done":3,"outcome":{"kind":"value","value":7}},{"done":2,"outcome":{"kind":"value","value":null}}"#,
                "null",
            ],
        ],
    );
}

#[test]
fn a_full_queue_makes_pushes_wait_and_an_empty_one_pops() {
    for subject in QUEUES {
        trial(
            subject,
            r#"{"capacity":1}"#,
            WELL,
            &[
                [
                    "0",
                    "true",
                    r#"{"call":2,"on":1,"method":"push","args":{"item":7}},{"call":3,"on":1,"method":"push","args":{"item":8}}"#,
                    r#"{"done":2,"outcome":{"kind":"value","value":null}}"#,
                    "null",
                ],
                [
                    "0",
                    "false",
                    r#"{"call":4,"on":1,"method":"size","args":{}}"#,
                    r#"{"done":4,"outcome":{"kind":"value","value":1}}"#,
                    "null",
                ],
                [
                    "0",
                    "false",
                    r#"{"call":5,"on":1,"method":"try_push","args":{"item":9}}"#,
                    r#"{"done":5,"outcome":{"kind":"value","value":false}}"#,
                    "null",
                ],
                [
                    "0",
                    "true",
                    r#"{"call":6,"on":1,"method":"pop","args":{}}"#,
                    r#"{"done":6,"outcome":{"kind":"value","value":7}},{"done":3,"outcome":{"kind":"value","value":null}}"#,
                    "null",
                ],
                [
                    "0",
                    "false",
                    r#"{"call":7,"on":1,"method":"try_pop","args":{}}"#,
                    r#"{"done":7,"outcome":{"kind":"value","value":8}}"#,
                    "null",
                ],
                [
                    "0",
                    "false",
                    r#"{"call":8,"on":1,"method":"try_pop","args":{}}"#,
                    r#"{"done":8,"outcome":{"kind":"value","value":null}}"#,
                    "null",
                ],
                [
                    "0",
                    "false",
                    r#"{"call":9,"on":1,"method":"try_push","args":{"item":9}}"#,
                    r#"{"done":9,"outcome":{"kind":"value","value":true}}"#,
                    "null",
                ],
                [
                    "0",
                    "false",
                    r#"{"call":10,"on":1,"method":"hand_back","args":{"item":9}}"#,
                    r#"{"refused":10,"why":"there is no hand_back"}"#,
                    "null",
                ],
            ],
        );
    }
}

#[test]
fn patience_ends_where_it_was_said() {
    for subject in QUEUES {
        trial(
            subject,
            r#"{"capacity":1}"#,
            WELL,
            &[
                [
                    "0",
                    "true",
                    r#"{"call":2,"on":1,"method":"pop_for","args":{"patience":5000000}}"#,
                    "",
                    "5000000",
                ],
                ["4000000", "true", "", "", "5000000"],
                ["5000000", "true", "", r#"{"done":2,"outcome":{"kind":"timed_out"}}"#, "null"],
                [
                    "5000000",
                    "true",
                    r#"{"call":3,"on":1,"method":"push","args":{"item":7}},{"call":4,"on":1,"method":"push_for","args":{"item":8,"patience":2000000}}"#,
                    r#"{"done":3,"outcome":{"kind":"value","value":null}}"#,
                    "7000000",
                ],
                ["7000000", "true", "", r#"{"done":4,"outcome":{"kind":"timed_out"}}"#, "null"],
                [
                    "7000000",
                    "true",
                    r#"{"call":5,"on":1,"method":"pop_for","args":{"patience":0}}"#,
                    r#"{"done":5,"outcome":{"kind":"value","value":7}}"#,
                    "null",
                ],
            ],
        );
    }
}

const TWO_PUSHES: [&str; 5] = [
    "0",
    "true",
    r#"{"call":2,"on":1,"method":"push","args":{"item":7}},{"call":3,"on":1,"method":"push","args":{"item":8}}"#,
    r#"{"done":2,"outcome":{"kind":"value","value":null}}"#,
    "null",
];
const CLOSE: [&str; 5] = [
    "0",
    "false",
    r#"{"call":4,"on":1,"method":"close","args":{}},{"call":5,"on":1,"method":"close","args":{}},{"call":6,"on":1,"method":"try_push","args":{"item":9}},{"call":7,"on":1,"method":"size","args":{}}"#,
    r#"{"done":4,"outcome":{"kind":"value","value":null}},{"done":5,"outcome":{"kind":"value","value":null}},{"done":6,"outcome":{"kind":"closed"}},{"done":7,"outcome":{"kind":"value","value":1}}"#,
    "null",
];
const POP: &str = r#"{"call":8,"on":1,"method":"pop","args":{}}"#;
const POP_ANOTHER: &str = r#"{"call":9,"on":1,"method":"pop","args":{}}"#;
const CLOSED: [&str; 5] = [
    "0",
    "true",
    r#"{"call":10,"on":1,"method":"try_pop","args":{}},{"call":11,"on":1,"method":"pop","args":{}},{"call":12,"on":1,"method":"push","args":{"item":9}}"#,
    r#"{"done":10,"outcome":{"kind":"closed"}},{"done":11,"outcome":{"kind":"closed"}},{"done":12,"outcome":{"kind":"closed"}}"#,
    "null",
];

#[test]
fn close_wakes_pushers_and_lets_out_what_is_inside() {
    let parked = r#"{"done":3,"outcome":{"kind":"closed"}}"#;
    let popped = r#"{"done":8,"outcome":{"kind":"value","value":7}}"#;
    let rest = [["0", "true", "", parked, "null"], ["0", "true", POP, popped, "null"]];
    let instants = [TWO_PUSHES, CLOSE, rest[0], rest[1], CLOSED];
    trial("async_channel", r#"{"capacity":1}"#, WELL, &instants);
}

/// A push that waits has a sender of its own: only with that one the channel is closed.
#[test]
fn close_by_dropping_senders_lets_pushers_go_on() {
    // Who was refused a sender is told at once, so before the two pops.
    let mut closed = CLOSED;
    closed[3] = r#"{"done":10,"outcome":{"kind":"closed"}},{"done":12,"outcome":{"kind":"closed"}},{"done":11,"outcome":{"kind":"closed"}}"#;
    let first = r#"{"done":8,"outcome":{"kind":"value","value":7}},{"done":3,"outcome":{"kind":"value","value":null}}"#;
    let second = r#"{"done":9,"outcome":{"kind":"value","value":8}}"#;
    let rest = [["0", "true", POP, first, "null"], ["0", "true", POP_ANOTHER, second, "null"]];
    for subject in ["flume", "tokio_mpsc"] {
        trial(subject, r#"{"capacity":1}"#, WELL, &[TWO_PUSHES, CLOSE, rest[0], rest[1], closed]);
    }
}

#[test]
fn close_wakes_poppers() {
    let closed =
        r#"{"done":3,"outcome":{"kind":"value","value":null}},{"done":2,"outcome":{"kind":"closed"}}"#;
    for subject in QUEUES {
        trial(
            subject,
            r#"{"capacity":1}"#,
            WELL,
            &[
                ["0", "true", r#"{"call":2,"on":1,"method":"pop","args":{}}"#, "", "null"],
                ["0", "true", r#"{"call":3,"on":1,"method":"close","args":{}}"#, closed, "null"],
            ],
        );
    }
}

// ---- the barrier

#[test]
fn a_barrier_lets_all_pass_with_the_last() {
    let begin = r#"{"call":2,"on":1,"method":"wait","args":{}}"#;
    let last = r#"{"call":3,"on":1,"method":"wait_for","args":{"patience":5000000}}"#;
    let passed =
        r#"{"done":3,"outcome":{"kind":"value","value":0}},{"done":2,"outcome":{"kind":"value","value":1}}"#;
    let late = r#"{"call":4,"on":1,"method":"wait_for","args":{"patience":5000000}}"#;
    trial(
        "tokio_barrier",
        r#"{"parties":2,"on_cancel":"breaks"}"#,
        WELL,
        &[
            ["0", "true", begin, "", "null"],
            ["0", "true", last, passed, "null"],
            ["0", "true", late, "", "5000000"],
            ["5000000", "true", "", r#"{"done":4,"outcome":{"kind":"timed_out"}}"#, "null"],
        ],
    );
}

// ---- the task group

const RUN: &str = r#"{"call":2,"on":1,"method":"run","args":{"children":[{"id":7,"name":"a"},{"id":8,"name":"b"},{"id":9,"name":"c"}]}}"#;
const ASKED: &str = r#"{"callback":1,"on":1,"name":"child","args":{"id":7}},{"callback":2,"on":1,"name":"child","args":{"id":8}},{"callback":3,"on":1,"name":"child","args":{"id":9}}"#;

#[test]
fn a_join_set_aborts_the_others_at_the_first_failure() {
    trial(
        "tokio_join_set",
        r#"{"collect":false}"#,
        WELL,
        &[
            ["0", "true", RUN, ASKED, "null"],
            ["0", "true", r#"{"reply":1,"outcome":{"kind":"cancelled"}}"#, "", "null"],
            [
                "0",
                "true",
                r#"{"reply":2,"outcome":{"kind":"error","label":"b fails"}}"#,
                r#"{"cancel":3},{"done":2,"outcome":{"kind":"aggregate","members":[{"task":"b","what":{"kind":"error","label":"b fails"}}]}}"#,
                "null",
            ],
            ["0", "true", r#"{"reply":3,"outcome":{"kind":"cancelled"}}"#, "", "null"],
        ],
    );
}

#[test]
fn a_join_set_that_collects_waits_for_all() {
    trial(
        "tokio_join_set",
        r#"{"collect":true}"#,
        WELL,
        &[
            ["0", "true", RUN, ASKED, "null"],
            ["0", "true", r#"{"reply":2,"outcome":{"kind":"error","label":"b fails"}}"#, "", "null"],
            [
                "0",
                "true",
                r#"{"reply":1,"outcome":{"kind":"value"}},{"reply":3,"outcome":{"kind":"error","label":"c fails"}}"#,
                r#"{"done":2,"outcome":{"kind":"aggregate","members":[{"task":"b","what":{"kind":"error","label":"b fails"}},{"task":"c","what":{"kind":"error","label":"c fails"}}]}}"#,
                "null",
            ],
        ],
    );
}

#[test]
fn a_join_set_that_is_cancelled_waits_for_nobody() {
    trial(
        "tokio_join_set",
        r#"{"collect":false}"#,
        WELL,
        &[
            ["0", "true", RUN, ASKED, "null"],
            [
                "0",
                "true",
                r#"{"cancel":2}"#,
                r#"{"done":2,"outcome":{"kind":"cancelled"}},{"cancel":1},{"cancel":2},{"cancel":3}"#,
                "null",
            ],
        ],
    );
}

#[test]
fn an_empty_join_set_ends_at_once() {
    trial(
        "tokio_join_set",
        r#"{"collect":false}"#,
        WELL,
        &[[
            "0",
            "true",
            r#"{"call":2,"on":1,"method":"run","args":{"children":[]}},{"call":3,"on":1,"method":"close","args":{}}"#,
            r#"{"refused":3,"why":"there is no close"},{"done":2,"outcome":{"kind":"value","value":null}}"#,
            "null",
        ]],
    );
}
