#!/usr/bin/env python3
"""Gathers the tests of several build folders into one, so that one ctest runs and sums up all of them.

Usage: collect_tests.py TARGET_FOLDER PRESET[:CTEST_ARGUMENT...] ...
       for example: collect_tests.py build/tests release "asan:-L:quick"

Writes TARGET_FOLDER/CTestTestfile.cmake. A test is called PRESET/NAME there, and keeps its labels and properties; those of
sanitizers' presets get the label `sanitize`.
"""

import json
import pathlib
import subprocess
import sys


def bracketed(text):
    return f"[==[{text}]==]"


def property_text(value):
    if isinstance(value, list):
        return ";".join(property_text(one) for one in value)
    if isinstance(value, dict):  # a regular expression, for one
        return str(value.get("value", value))
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return str(value)


def tests_of(preset, arguments):
    folder = pathlib.Path("build", preset)
    shown = subprocess.run(["ctest", "--test-dir", str(folder), "--show-only=json-v1", *arguments],
                           capture_output=True, text=True, check=True)
    return json.loads(shown.stdout)["tests"]


def write_tests(out, preset, arguments):
    count = 0
    for test in tests_of(preset, arguments):
        name = f"{preset}/{test['name']}"
        if "command" not in test:
            sys.exit(f"ci/collect_tests.py: {name} has no command: was it built?")
        out.write(f"add_test({bracketed(name)} {' '.join(bracketed(word) for word in test['command'])})\n")
        properties = {one["name"]: one["value"] for one in test.get("properties", [])}
        labels = list(properties.get("LABELS", []))
        if "san" in preset or preset == "fuzz":
            labels.append("sanitize")
        properties["LABELS"] = labels
        out.write(f"set_tests_properties({bracketed(name)} PROPERTIES")
        for key, value in properties.items():
            out.write(f" {key} {bracketed(property_text(value))}")
        out.write(")\n")
        count += 1
    if count == 0:
        sys.exit(f"ci/collect_tests.py: the preset '{preset}' has no tests with {' '.join(arguments) or 'any label'}")
    print(f"  {preset}: {count} tests", flush=True)


def main():
    target = pathlib.Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    with open(target / "CTestTestfile.cmake", "w") as out:
        for chosen in sys.argv[2:]:
            preset, *arguments = chosen.split(":")
            write_tests(out, preset, arguments)


if __name__ == "__main__":
    main()
