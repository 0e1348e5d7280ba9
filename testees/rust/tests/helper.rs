//! The helper alone, through its probe.
#[path = "support/probe.rs"]
mod probe;
mod support;

use assay_testee::Testee;
use support::{answers_of, converse, converse_until_mistake};

fn testee() -> Testee {
    Testee::new("probe").subject(probe::OFFER)
}

/// What every conversation here begins with: object 1 is a probe.
const BEGIN: &str = r#"
    > {"begin":{"trial":1,"seed":0}}
    < {"begun":{"trial":1}}
    > {"instant":{"trial":1,"number":1,"now":0,"run":false,"commands":[{"make":1,"subject":"probe","config":{"how":"well"}}]}}
    < {"instant":{"trial":1,"number":1,"events":[{"done":1,"outcome":{"kind":"value","value":null}}],"deadline":null}}
"#;

fn expect(conversation: &str) {
    converse(&testee(), &format!("{BEGIN}{conversation}"));
}

fn mistake(asked: &str) -> String {
    let begin = support::joined(&support::lines(BEGIN, "> "));
    converse_until_mistake(&testee(), &format!("{begin}{}", support::joined(&support::lines(asked, "> "))))
}

// ---- time

#[test]
fn time_moves_only_when_the_harness_moves_it() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"sleep","args":{"for":5000000}}]}}
    < {"instant":{"trial":1,"number":2,"events":[],"deadline":5000000}}
    > {"instant":{"trial":1,"number":3,"now":0,"run":true,"commands":[]}}
    < {"instant":{"trial":1,"number":3,"events":[],"deadline":5000000}}
    > {"instant":{"trial":1,"number":4,"now":4999999,"run":true,"commands":[{"call":3,"on":1,"method":"now","args":{}}]}}
    < {"instant":{"trial":1,"number":4,"events":[{"done":3,"outcome":{"kind":"value","value":4999999}}],"deadline":5000000}}
    > {"instant":{"trial":1,"number":5,"now":5000000,"run":true,"commands":[]}}
    < {"instant":{"trial":1,"number":5,"events":[{"done":2,"outcome":{"kind":"value","value":null}}],"deadline":null}}
"#,
    );
}

#[test]
fn the_deadline_is_the_earliest_and_what_ended_has_none() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"sleep","args":{"for":9000000}},{"call":3,"on":1,"method":"time_out","args":{"for":7000000}}]}}
    < {"instant":{"trial":1,"number":2,"events":[],"deadline":7000000,"later":[9000000]}}
    > {"instant":{"trial":1,"number":3,"now":7000000,"run":true,"commands":[]}}
    < {"instant":{"trial":1,"number":3,"events":[{"done":3,"outcome":{"kind":"timed_out"}}],"deadline":9000000}}
    > {"instant":{"trial":1,"number":4,"now":8000000,"run":false,"commands":[{"cancel":2}]}}
    < {"instant":{"trial":1,"number":4,"events":[{"done":2,"outcome":{"kind":"cancelled"}}],"deadline":null}}
"#,
    );
}

/// Tokio's timers are of a millisecond's resolution, rounded up; the deadline that is told is when they fire.
#[test]
fn a_deadline_between_milliseconds_is_told_as_the_next_one() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":500000,"run":true,"commands":[{"call":2,"on":1,"method":"sleep","args":{"for":1000001}}]}}
    < {"instant":{"trial":1,"number":2,"events":[],"deadline":2000000}}
    > {"instant":{"trial":1,"number":3,"now":1999999,"run":true,"commands":[]}}
    < {"instant":{"trial":1,"number":3,"events":[],"deadline":2000000}}
    > {"instant":{"trial":1,"number":4,"now":2000000,"run":true,"commands":[]}}
    < {"instant":{"trial":1,"number":4,"events":[{"done":2,"outcome":{"kind":"value","value":null}}],"deadline":null}}
"#,
    );
}

#[test]
fn no_time_at_all_is_over_at_once_also_when_it_is_negative() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":3000000,"run":true,"commands":[{"call":2,"on":1,"method":"time_out","args":{"for":0}}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"done":2,"outcome":{"kind":"timed_out"}}],"deadline":null}}
    > {"instant":{"trial":1,"number":3,"now":3000000,"run":true,"commands":[{"call":3,"on":1,"method":"time_out","args":{"for":-5000000}}]}}
    < {"instant":{"trial":1,"number":3,"events":[{"done":3,"outcome":{"kind":"timed_out"}}],"deadline":null}}
"#,
    );
}

/// No limit is no deadline, and what is longer than the protocol's time is told as its end.
#[test]
fn a_timeout_without_limit_is_none_and_the_longest_is_within_the_protocol() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"time_out","args":{"for":null}}]}}
    < {"instant":{"trial":1,"number":2,"events":[],"deadline":null}}
    > {"instant":{"trial":1,"number":3,"now":3000000,"run":true,"commands":[{"call":3,"on":1,"method":"time_out","args":{"for":9007199254740991}}]}}
    < {"instant":{"trial":1,"number":3,"events":[],"deadline":9007199254740991}}
    > {"instant":{"trial":1,"number":4,"now":9000000000000000,"run":true,"commands":[{"cancel":2},{"cancel":3}]}}
    < {"instant":{"trial":1,"number":4,"events":[{"done":2,"outcome":{"kind":"cancelled"}},{"done":3,"outcome":{"kind":"cancelled"}}],"deadline":null}}
"#,
    );
}

#[test]
fn commands_come_before_what_is_due() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"sleep","args":{"for":5000000}}]}}
    < {"instant":{"trial":1,"number":2,"events":[],"deadline":5000000}}
    > {"instant":{"trial":1,"number":3,"now":5000000,"run":true,"commands":[{"call":3,"on":1,"method":"steps","args":{"name":"a","count":1}},{"call":4,"on":1,"method":"echo","args":{"text":"b"}}]}}
    < {"instant":{"trial":1,"number":3,"events":[{"done":4,"outcome":{"kind":"value","value":"b"}},{"tell":"step","on":1,"args":{"of":"a","left":1}},{"done":3,"outcome":{"kind":"value","value":null}},{"done":2,"outcome":{"kind":"value","value":null}}],"deadline":null}}
"#,
    );
}

/// As tokio's driver has it when it was kept from looking: all that is due fires, in order of deadlines.
#[test]
fn a_late_loop_fires_all_that_is_due() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"sleep","args":{"for":9000000}},{"call":3,"on":1,"method":"time_out","args":{"for":5000000}},{"call":4,"on":1,"method":"sleep","args":{"for":30000000}},{"call":5,"on":1,"method":"sleep","args":{"for":7000000}}]}}
    < {"instant":{"trial":1,"number":2,"events":[],"deadline":5000000,"later":[7000000,9000000,30000000]}}
    > {"instant":{"trial":1,"number":3,"now":20000000,"run":true,"commands":[{"call":6,"on":1,"method":"now","args":{}}]}}
    < {"instant":{"trial":1,"number":3,"events":[{"done":6,"outcome":{"kind":"value","value":20000000}},{"done":3,"outcome":{"kind":"timed_out"}},{"done":5,"outcome":{"kind":"value","value":null}},{"done":2,"outcome":{"kind":"value","value":null}}],"deadline":30000000}}
"#,
    );
}

#[test]
fn a_timer_that_is_due_can_be_cancelled_before_it_fires() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"sleep","args":{"for":5000000}}]}}
    < {"instant":{"trial":1,"number":2,"events":[],"deadline":5000000}}
    > {"instant":{"trial":1,"number":3,"now":5000000,"run":true,"commands":[{"cancel":2}]}}
    < {"instant":{"trial":1,"number":3,"events":[{"done":2,"outcome":{"kind":"cancelled"}}],"deadline":null}}
"#,
    );
}

#[test]
fn without_run_nothing_runs() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"sleep","args":{"for":5000000}}]}}
    < {"instant":{"trial":1,"number":2,"events":[],"deadline":5000000}}
    > {"instant":{"trial":1,"number":3,"now":5000000,"run":false,"commands":[{"call":3,"on":1,"method":"steps","args":{"name":"a","count":1}},{"call":4,"on":1,"method":"now","args":{}}]}}
    < {"instant":{"trial":1,"number":3,"events":[{"done":4,"outcome":{"kind":"value","value":5000000}}],"deadline":5000000}}
    > {"instant":{"trial":1,"number":4,"now":5000000,"run":true,"commands":[]}}
    < {"instant":{"trial":1,"number":4,"events":[{"tell":"step","on":1,"args":{"of":"a","left":1}},{"done":3,"outcome":{"kind":"value","value":null}},{"done":2,"outcome":{"kind":"value","value":null}}],"deadline":null}}
"#,
    );
}

/// The clock was moved by an instant that runs nothing, and there is nothing else to run.
#[test]
fn what_has_become_due_without_run_happens_in_the_next_run() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"sleep","args":{"for":5000000}}]}}
    < {"instant":{"trial":1,"number":2,"events":[],"deadline":5000000}}
    > {"instant":{"trial":1,"number":3,"now":5000000,"run":false,"commands":[]}}
    < {"instant":{"trial":1,"number":3,"events":[],"deadline":5000000}}
    > {"instant":{"trial":1,"number":4,"now":5000000,"run":true,"commands":[]}}
    < {"instant":{"trial":1,"number":4,"events":[{"done":2,"outcome":{"kind":"value","value":null}}],"deadline":null}}
"#,
    );
}

#[test]
fn a_watched_timer_that_does_not_fire_is_a_mistake() {
    let told = mistake(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"watch_nothing","args":{}}]}}
    > {"instant":{"trial":1,"number":3,"now":1000000,"run":true,"commands":[]}}
"#,
    );
    assert_eq!(told, "a timer that was due at 1000000 has not fired at 1000000");
}

// ---- cancelling

#[test]
fn a_cancel_drops_the_future_and_comes_too_late_for_what_has_ended() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"wait","args":{}},{"call":3,"on":1,"method":"steps","args":{"name":"a","count":0}}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"done":3,"outcome":{"kind":"value","value":null}}],"deadline":null}}
    > {"instant":{"trial":1,"number":3,"now":0,"run":true,"commands":[{"cancel":2},{"cancel":2},{"cancel":3},{"cancel":1}]}}
    < {"instant":{"trial":1,"number":3,"events":[{"done":2,"outcome":{"kind":"cancelled"}}],"deadline":null}}
    > {"instant":{"trial":1,"number":4,"now":0,"run":true,"commands":[{"cancel":2}]}}
    < {"instant":{"trial":1,"number":4,"events":[],"deadline":null}}
"#,
    );
}

#[test]
fn what_is_cancelled_before_its_first_turn_never_begins() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"steps","args":{"name":"a","count":3}},{"cancel":2}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"done":2,"outcome":{"kind":"cancelled"}}],"deadline":null}}
"#,
    );
}

// ---- callbacks

#[test]
fn a_callback_ends_with_its_reply() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"ask","args":{"step":7}},{"call":3,"on":1,"method":"ask","args":{"step":8}}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"callback":1,"on":1,"name":"step","args":{"step":7}},{"callback":2,"on":1,"name":"step","args":{"step":8}}],"deadline":null}}
    > {"instant":{"trial":1,"number":3,"now":0,"run":true,"commands":[{"reply":2,"outcome":{"kind":"error","label":"a fails"}}]}}
    < {"instant":{"trial":1,"number":3,"events":[{"done":3,"outcome":{"kind":"error","label":"a fails"}}],"deadline":null}}
    > {"instant":{"trial":1,"number":4,"now":0,"run":true,"commands":[{"reply":1,"outcome":{"kind":"aggregate","members":[{"task":"a","what":{"kind":"exit","status":3}}]}}]}}
    < {"instant":{"trial":1,"number":4,"events":[{"done":2,"outcome":{"kind":"aggregate","members":[{"task":"a","what":{"kind":"exit","status":3}}]}}],"deadline":null}}
"#,
    );
}

#[test]
fn who_is_cancelled_asks_its_callback_to_stop_and_the_reply_still_comes() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"ask","args":{"step":7}}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"callback":1,"on":1,"name":"step","args":{"step":7}}],"deadline":null}}
    > {"instant":{"trial":1,"number":3,"now":0,"run":true,"commands":[{"cancel":2}]}}
    < {"instant":{"trial":1,"number":3,"events":[{"cancel":1},{"done":2,"outcome":{"kind":"cancelled"}}],"deadline":null}}
    > {"instant":{"trial":1,"number":4,"now":0,"run":true,"commands":[{"reply":1,"outcome":{"kind":"cancelled"}}]}}
    < {"instant":{"trial":1,"number":4,"events":[],"deadline":null}}
    > {"end":{"trial":1}}
    < {"ended":{"trial":1,"left":[]}}
"#,
    );
}

#[test]
fn a_callback_that_has_its_reply_is_not_asked_to_stop() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"ask","args":{"step":7}}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"callback":1,"on":1,"name":"step","args":{"step":7}}],"deadline":null}}
    > {"instant":{"trial":1,"number":3,"now":0,"run":true,"commands":[{"reply":1,"outcome":{"kind":"value"}},{"cancel":2}]}}
    < {"instant":{"trial":1,"number":3,"events":[{"done":2,"outcome":{"kind":"cancelled"}}],"deadline":null}}
"#,
    );
}

#[test]
fn a_callback_that_was_never_begun_is_not_asked_to_stop() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"ask","args":{"step":7}},{"cancel":2}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"done":2,"outcome":{"kind":"cancelled"}}],"deadline":null}}
"#,
    );
}

#[test]
fn a_reply_that_nobody_waits_for_is_a_mistake() {
    let told = mistake(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"reply":1,"outcome":{"kind":"value"}}]}}
"#,
    );
    assert_eq!(told, "nobody waits for a reply to callback 1");
    let told = mistake(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"ask","args":{"step":7}}]}}
    > {"instant":{"trial":1,"number":3,"now":0,"run":true,"commands":[{"reply":1,"outcome":{"kind":"value"}},{"reply":1,"outcome":{"kind":"value"}}]}}
"#,
    );
    assert_eq!(told, "nobody waits for a reply to callback 1");
}

// ---- turns

#[test]
fn a_command_waits_for_its_turn() {
    for turns in 0..4 {
        let steps: Vec<String> = (0..turns)
            .map(|turn| format!(r#"{{"tell":"step","on":1,"args":{{"of":"a","left":{}}}}},"#, 9 - turn))
            .collect();
        expect(&format!(
            r#"
    > {{"instant":{{"trial":1,"number":2,"now":0,"run":true,"commands":[{{"call":2,"on":1,"method":"steps","args":{{"name":"a","count":9}}}},{{"cancel":2,"after":{turns}}}]}}}}
    < {{"instant":{{"trial":1,"number":2,"events":[{}{{"done":2,"outcome":{{"kind":"cancelled"}}}}],"deadline":null}}}}
"#,
            steps.concat()
        ));
    }
}

/// A task that yields gives way to tokio's timers, too, and is ready again in the next turn all the same.
#[test]
fn a_task_that_yields_runs_once_a_turn() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"yields","args":{"name":"a","count":9}},{"cancel":2,"after":3}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"tell":"step","on":1,"args":{"of":"a","left":9}},{"tell":"step","on":1,"args":{"of":"a","left":8}},{"tell":"step","on":1,"args":{"of":"a","left":7}},{"done":2,"outcome":{"kind":"cancelled"}}],"deadline":null}}
"#,
    );
}

#[test]
fn everything_that_is_ready_runs_in_one_turn() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"steps","args":{"name":"a","count":9}},{"call":3,"on":1,"method":"steps","args":{"name":"b","count":9}},{"cancel":2,"after":1},{"cancel":3,"after":2}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"tell":"step","on":1,"args":{"of":"a","left":9}},{"tell":"step","on":1,"args":{"of":"b","left":9}},{"done":2,"outcome":{"kind":"cancelled"}},{"tell":"step","on":1,"args":{"of":"b","left":8}},{"done":3,"outcome":{"kind":"cancelled"}}],"deadline":null}}
"#,
    );
}

#[test]
fn commands_of_one_turn_keep_their_order() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"echo","args":{"text":"late"},"after":2},{"call":3,"on":1,"method":"echo","args":{"text":"a"},"after":1},{"call":4,"on":1,"method":"echo","args":{"text":"b"},"after":1},{"call":5,"on":1,"method":"echo","args":{"text":"first"}}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"done":5,"outcome":{"kind":"value","value":"first"}},{"done":3,"outcome":{"kind":"value","value":"a"}},{"done":4,"outcome":{"kind":"value","value":"b"}},{"done":2,"outcome":{"kind":"value","value":"late"}}],"deadline":null}}
"#,
    );
}

#[test]
fn a_turn_that_never_comes_is_not_waited_for() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"steps","args":{"name":"a","count":1}},{"call":3,"on":1,"method":"steps","args":{"name":"b","count":2},"after":1000000000},{"cancel":3,"after":1000000001}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"tell":"step","on":1,"args":{"of":"a","left":1}},{"done":2,"outcome":{"kind":"value","value":null}},{"tell":"step","on":1,"args":{"of":"b","left":2}},{"done":3,"outcome":{"kind":"cancelled"}}],"deadline":null}}
"#,
    );
}

/// Timers fire within the first turn, and who waited for them runs in the second: a cancel may come between.
#[test]
fn a_cancel_may_come_between_a_timer_and_its_task() {
    for (turns, outcome) in [(1, r#"{"kind":"cancelled"}"#), (2, r#"{"kind":"value","value":null}"#)] {
        expect(&format!(
            r#"
    > {{"instant":{{"trial":1,"number":2,"now":0,"run":true,"commands":[{{"call":2,"on":1,"method":"sleep","args":{{"for":1000000}}}}]}}}}
    < {{"instant":{{"trial":1,"number":2,"events":[],"deadline":1000000}}}}
    > {{"instant":{{"trial":1,"number":3,"now":1000000,"run":true,"commands":[{{"cancel":2,"after":{turns}}}]}}}}
    < {{"instant":{{"trial":1,"number":3,"events":[{{"done":2,"outcome":{outcome}}}],"deadline":null}}}}
"#
        ));
    }
}

#[test]
fn what_does_not_come_to_rest_is_a_mistake() {
    let told = mistake(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"spin","args":{}}]}}
"#,
    );
    assert_eq!(told, "no rest after 1000000 polls at one instant");
}

// ---- what is left

#[test]
fn what_is_left_over_is_told_and_thrown_away() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"wait","args":{}},{"call":3,"on":1,"method":"spawn","args":{}},{"call":4,"on":1,"method":"sleep","args":{"for":1000000}},{"call":5,"on":1,"method":"echo","args":{"text":"a"}}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"done":3,"outcome":{"kind":"value","value":null}},{"done":5,"outcome":{"kind":"value","value":"a"}}],"deadline":1000000}}
    > {"instant":{"trial":1,"number":3,"now":0,"run":false,"commands":[{"destroy":1}]}}
    < {"instant":{"trial":1,"number":3,"events":[{"tell":"gone","on":1,"args":{}}],"deadline":1000000}}
    > {"end":{"trial":1}}
    < {"ended":{"trial":1,"left":["the operation 2 (wait)","the operation 4 (sleep)","the task 'a child'","a timer that is due at 1000000 ns"]}}
    > {"begin":{"trial":2,"seed":0}}
    < {"begun":{"trial":2}}
    > {"end":{"trial":2}}
    < {"ended":{"trial":2,"left":[]}}
"#,
    );
}

#[test]
fn what_is_about_to_end_is_not_left_over() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":false,"commands":[{"call":2,"on":1,"method":"spawn_short","args":{}}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"done":2,"outcome":{"kind":"value","value":null}}],"deadline":null}}
    > {"end":{"trial":1}}
    < {"ended":{"trial":1,"left":[]}}
"#,
    );
}

#[test]
fn a_new_trial_begins_at_zero_and_throws_the_old_one_away_silently() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":7000000,"run":true,"commands":[{"call":2,"on":1,"method":"ask","args":{"step":7}}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"callback":1,"on":1,"name":"step","args":{"step":7}}],"deadline":null}}
    > {"begin":{"trial":2,"seed":0}}
    < {"begun":{"trial":2}}
    > {"instant":{"trial":2,"number":1,"now":0,"run":true,"commands":[{"make":1,"subject":"probe","config":{"how":"well"}},{"call":2,"on":1,"method":"now","args":{}},{"call":3,"on":1,"method":"ask","args":{"step":8}}]}}
    < {"instant":{"trial":2,"number":1,"events":[{"done":1,"outcome":{"kind":"value","value":null}},{"done":2,"outcome":{"kind":"value","value":0}},{"callback":1,"on":1,"name":"step","args":{"step":8}}],"deadline":null}}
"#,
    );
}

// ---- refusals, failures, panics

#[test]
fn what_a_subject_does_not_have_is_refused() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":false,"commands":[{"call":2,"on":1,"method":"fly","args":{}},{"call":3,"on":1,"method":"closed","args":{}},{"call":4,"on":1,"method":"unhandled","args":{}}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"refused":2,"why":"there is no fly"},{"done":3,"outcome":{"kind":"closed"}},{"unhandled":{"kind":"error","label":"nobody's"}},{"done":4,"outcome":{"kind":"value","value":null}}],"deadline":null}}
"#,
    );
}

#[test]
fn panics_are_errors_of_what_panicked() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"call":2,"on":1,"method":"panic","args":{}},{"call":3,"on":1,"method":"panic_later","args":{}},{"call":4,"on":1,"method":"panic_when_dropped","args":{}},{"make":5,"subject":"probe","config":{"how":"panicking"}},{"make":6,"subject":"probe","config":{"how":"rejected"}}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"done":2,"outcome":{"kind":"error","label":"panic: at once"}},{"done":5,"outcome":{"kind":"error","label":"panic: as configured"}},{"done":6,"outcome":{"kind":"rejected","label":"as configured"}},{"done":3,"outcome":{"kind":"error","label":"panic: later"}}],"deadline":null}}
    > {"instant":{"trial":1,"number":3,"now":0,"run":true,"commands":[{"cancel":4}]}}
    < {"instant":{"trial":1,"number":3,"events":[{"done":4,"outcome":{"kind":"error","label":"panic: dropped"}}],"deadline":null}}
"#,
    );
}

// ---- mistakes

#[test]
fn mistakes_are_told() {
    let instant = |commands: &str| {
        mistake(&format!(
            r#"> {{"instant":{{"trial":1,"number":2,"now":0,"run":true,"commands":[{commands}]}}}}"#
        ))
    };
    let call = |method: &str, args: &str| {
        instant(&format!(r#"{{"call":2,"on":1,"method":"{method}","args":{args}}}"#))
    };
    assert_eq!(call("echo", "{}"), "calling echo: 'text' should be a text, and is null");
    assert_eq!(call("ask", r#"{"step":"a"}"#), r#"calling ask: 'step' should be a number, and is "a""#);
    assert_eq!(instant(r#"{"call":2,"on":9,"method":"echo","args":{}}"#), "there is no object 9");
    assert_eq!(instant(r#"{"destroy":9}"#), "there is no object 9");
    assert_eq!(instant(r#"{"make":2,"subject":"crow","config":{}}"#), "there is no subject crow");
    assert_eq!(
        instant(r#"{"make":2,"subject":"probe","config":{}}"#),
        "making probe: 'how' should be a text, and is null"
    );
    assert_eq!(instant(r#"{"jump":2}"#), r#"no such command: {"jump":2}"#);
    assert_eq!(instant(r#"{"cancel":"2"}"#), r#"'cancel' is no number in {"cancel":"2"}"#);
}

#[test]
fn malformed_messages_are_told() {
    let told = |asked: &str| converse_until_mistake(&testee(), asked);
    assert!(told("{]\n").starts_with("a line that is not JSON: "));
    assert!(told("\n").starts_with("a line that is not JSON: "));
    assert_eq!(told("{\"hello\":{\"protocol\":1}}"), "a line without an end, or longer than 16 MiB");
    assert_eq!(told("{\"hello\":{\"protocol\":3}}\n"), "the protocol is 1 to 2 here, not 3 to 3");
    assert_eq!(told("{\"wave\":{}}\n"), r#"no such message: {"wave":{}}"#);
    assert_eq!(told("{\"begin\":{}}\n"), "a trial without a number");
    assert_eq!(told("{\"end\":{\"trial\":1}}\n"), "there is no trial 1");
    assert_eq!(
        mistake(r#"> {"instant":{"trial":2,"number":2,"now":0,"run":true,"commands":[]}}"#),
        "there is no trial 2"
    );
    assert_eq!(
        mistake(r#"> {"instant":{"trial":1,"number":2,"now":0,"run":"yes","commands":[]}}"#),
        "an instant that does not say whether to run"
    );
    assert_eq!(
        mistake(
            r#"
    > {"instant":{"trial":1,"number":2,"now":5,"run":true,"commands":[]}}
    > {"instant":{"trial":1,"number":3,"now":4,"run":true,"commands":[]}}
"#
        ),
        "time goes back from 5 to 4"
    );
}

#[test]
fn a_line_has_a_limit() {
    let long = format!("{{\"hello\":{{\"protocol\":1,\"more\":\"{}\"}}}}\n", "a".repeat(16 * 1024 * 1024));
    let told = converse_until_mistake(&testee(), &long);
    assert_eq!(told, "a line without an end, or longer than 16 MiB");
}

#[test]
fn nothing_at_all_ends_well() {
    assert_eq!(answers_of(&testee(), ""), (String::new(), true));
}

#[test]
fn members_that_are_not_known_are_ignored() {
    converse(
        &testee(),
        r#"
    > {"begin":{"trial":1,"seed":0,"weather":"fine"}}
    < {"begun":{"trial":1}}
"#,
    );
}

/// What panics while it is destroyed is a failure that reached nobody; while it is thrown away it is not heard of.
#[test]
fn a_trial_is_thrown_away_whatever_it_says() {
    expect(
        r#"
    > {"instant":{"trial":1,"number":2,"now":0,"run":true,"commands":[{"make":2,"subject":"probe","config":{"how":"fragile"}},{"make":3,"subject":"probe","config":{"how":"fragile"}},{"destroy":2}]}}
    < {"instant":{"trial":1,"number":2,"events":[{"done":2,"outcome":{"kind":"value","value":null}},{"done":3,"outcome":{"kind":"value","value":null}},{"tell":"gone","on":2,"args":{}},{"unhandled":{"kind":"error","label":"panic: broken"}}],"deadline":null}}
    > {"begin":{"trial":2,"seed":0}}
    < {"begun":{"trial":2}}
"#,
    );
}
