"""Whether the suite notices what is wrong with each wrong implementation of a contract, and has nothing against its mended
twin. What escapes is printed, and fails nothing: it says where the suite must become deeper.

Usage: check.py PROGRAM CONTRACT [ARGUMENT...]     arguments for the program's `run`
"""

import json
import subprocess
import sys


def output_of(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if not done.stdout.strip():
        sys.exit(f"{program} {' '.join(arguments)}: no answer, exit status {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def clauses_of(result):
    return {result["clause"], result["counts_for"]}


def failures_of(results, subject):
    """A clause that it ends with an error is no verdict on it, and no proof."""
    return [one for one in results if one["subject"] == subject and one["verdict"] in ("fail", "error")]


def is_named(failure, clauses):
    return failure["verdict"] == "fail" and any(
        one["clause"] in clauses_of(failure) and one["says"] in failure["message"] for one in clauses)


def in_words(failure):
    name = failure["clause"] + (f" ({failure['variant']})" if failure["variant"] else "")
    if failure["counts_for"] != failure["clause"]:
        name += f", counts for {failure['counts_for']}"
    message = failure["message"].replace("\n", " | ")
    return f"    {failure['verdict']} {name}: {message}\n      {failure.get('replay', '')}"


def say(word, subject, what, failures):
    print(f"{word}: {subject}: {what}")
    for one in failures:
        print(in_words(one))


def main(program, contract, *arguments):
    lines = [one for one in output_of(program, "table") if one["contract"] == contract]
    if not lines:
        sys.exit(f"no wrong implementation of {contract}")
    results = output_of(program, "run", "--contract", contract, "--format", "json", *arguments)["results"]
    bad = 0
    for twin in sorted({one["twin"] for one in lines}):
        failures = failures_of(results, twin)
        passed = sum(one["subject"] == twin and one["verdict"] == "pass" for one in results)
        if failures or not passed:
            bad += 1
            say("ACCUSED", twin, f"has no bug, and passed {passed} scenarios", failures)
        else:
            print(f"conforms: {twin}: {passed} scenarios")
    for line in lines:
        failures = failures_of(results, line["subject"])
        if any(is_named(one, line["clauses"]) for one in failures):
            # One that escaped and is caught now belongs into the other list.
            say("caught now" if line["escapes"] else "caught", line["subject"], line["what"], failures)
        elif line["escapes"]:
            say("escapes", line["subject"], line["what"], failures)
        else:
            bad += 1
            say("NOT CAUGHT", line["subject"], line["what"], failures)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
