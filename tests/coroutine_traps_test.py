"""No source of the tree has the shapes that g++ 12 miscompiles and that a search can find (CONTRIBUTING.md, "Coroutines and
g++ 12"): co_await in the condition of an if, a switch or a loop.

Usage: coroutine_traps_test.py
"""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ["bench", "fuzz", "harness", "property", "reference", "scenarios", "testees", "tests"]
HEAD = re.compile(r"\b(if|while|switch|for)\s*(?:constexpr\s*)?\(")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


def code_only(text):
    """The text with comments, strings and characters blanked, line by line as it was."""
    return re.sub(r'//[^\n]*|/\*.*?\*/|R"\((?:.|\n)*?\)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'', blank, text, flags=re.DOTALL)


def within_parentheses(text, begin):
    depth = 1
    for at in range(begin, len(text)):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return text[begin:at]
    return text[begin:]


def awaiting_conditions(text):
    """The numbers of the lines on which a condition begins that awaits."""
    code = code_only(text)
    lines = []
    for head in HEAD.finditer(code):
        inside = within_parentheses(code, head.end())
        # An init-statement and the range of a for may await: they are statements of their own.
        parts = inside.split(";")
        if head.group(1) == "for":
            parts = parts[1:2]
        elif len(parts) > 1:
            parts = parts[1:]
        if any("co_await" in part for part in parts):
            lines.append(code.count("\n", 0, head.start()) + 1)
    return lines


class Traps(unittest.TestCase):
    def test_the_tree_has_none(self):
        files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.[ch]pp")]
        self.assertGreater(len(files), 100)
        found = [f"{path.relative_to(ROOT)}:{line}" for path in files for line in awaiting_conditions(path.read_text())]
        self.assertEqual(found, [], "name what is awaited first: " + " ".join(found))

    def test_they_are_found(self):
        for text in ("if (co_await f()) g();", "if (a &&\n    !co_await f()) g();", "while (co_await f()) {}",
                     "do { g(); } while (co_await f());", "for (; co_await f();) {}", "switch (co_await f()) {}",
                     "if (x = 1; co_await f()) g();", "if (bool x = co_await f()) g();"):
            self.assertEqual(awaiting_conditions("\n" + text), [2], text)

    def test_what_is_sound_is_let_be(self):
        for text in ("if (a) co_await f();", "while (a) co_await f();", "bool x = co_await f();\nif (x) g();",
                     "if (bool x = co_await f(); x) g();", "for (int i : co_await f()) {}", "// if (co_await f())\n",
                     "auto text = \"if (co_await f())\";", "for (int i = co_await f(); i < 2; ++i) {}"):
            self.assertEqual(awaiting_conditions(text), [], text)


if __name__ == "__main__":
    unittest.main()
