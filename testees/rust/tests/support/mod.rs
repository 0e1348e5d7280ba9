//! Conversations with a testee, written as PROTOCOL.md writes them: `> ` is what the harness says, `< ` the answer.
#![allow(dead_code)] // each test file uses its part

use std::env;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use assay_testee::Testee;
use serde_json::Value;

/// The lines that begin with this.
pub fn lines<'a>(conversation: &'a str, prefix: &str) -> Vec<&'a str> {
    conversation.lines().filter_map(|line| line.trim_start().strip_prefix(prefix)).collect()
}

pub fn joined(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// What the testee answers to these lines, and whether it went well to the end.
pub fn answers_of(testee: &Testee, asked: &str) -> (String, bool) {
    let mut answers = Vec::new();
    let well = testee.serve(asked.as_bytes(), &mut answers).expect("a buffer takes everything");
    (String::from_utf8(answers).expect("answers are text"), well)
}

fn parsed(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Compares answer by answer, as JSON.
pub fn expect_same(conversation: &str, answers: &str) {
    let asked = lines(conversation, "> ");
    let expected = lines(conversation, "< ");
    let got: Vec<&str> = answers.lines().collect();
    for (i, wanted) in expected.iter().enumerate() {
        let answer = got.get(i).unwrap_or_else(|| panic!("no answer to {}", asked[i]));
        assert_eq!(parsed(answer), parsed(wanted), "the answer to {}", asked[i]);
    }
    assert_eq!(got.len(), expected.len(), "as many answers as expected");
}

/// Holds this conversation, whose every line must be as written.
pub fn converse(testee: &Testee, conversation: &str) {
    let (answers, well) = answers_of(testee, &joined(&lines(conversation, "> ")));
    expect_same(conversation, &answers);
    assert!(well, "a conversation without a mistake ends well");
}

/// Holds a conversation at whose last line the testee finds a mistake; what it says of it.
pub fn converse_until_mistake(testee: &Testee, asked: &str) -> String {
    let (answers, well) = answers_of(testee, asked);
    assert!(!well, "the testee gives up: {answers}");
    let last = answers.lines().last().map(parsed).expect("an answer");
    last["error"].as_str().unwrap_or_else(|| panic!("no error: {last}")).to_string()
}

/// Runs a program with this input.
pub fn run(program: &PathBuf, input: &str) -> Output {
    let mut child = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The testee itself.
pub fn testee() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_testee"))
}

/// An example, which cargo builds beside the tests.
pub fn example(name: &str) -> PathBuf {
    testee().with_file_name("examples").join(name)
}
