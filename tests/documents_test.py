"""The documents say what is: their snippets are in files that are compiled, the output that they show is what the commands
print, and their command lines, names and links lead somewhere.

A fenced block is code (cpp, cmake, python, js, rust), a shell session (console), or commands alone (sh). A comment in the line
before it says what cannot be seen:

    <!-- from PATH -->     the lines of this code are in that file, which is compiled; a line `...` or `// ...` stands for others,
                           and a comment at the end of a line may be the document's own
    <!-- sketch: WHY -->   this code is in no file
    <!-- in FOLDER -->     the commands of this session run in a copy of that folder of the build, not in the tree's root
    <!-- not run: WHY -->  the commands of this session are not run here

In a session a line begins with `$ ` and is a command; what follows is its output. There a line `...` stands for any number of
lines, and `...` inside of a line for any text. What differs between two runs (tokens, real times, addresses, versions) is not
compared.

Usage: documents_test.py [TestCase[.test_method] ...]
       documents_test.py --update [DOCUMENT...]     writes what the commands print now into the documents
Environment: ASSAY_BUILD (the build folder, build/release by default).
"""

import difflib
import functools
import itertools
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("ASSAY_BUILD", ROOT / "build/release")).resolve()
CODE = {"cpp", "cmake", "python", "js", "rust"}
SESSION = {"console"}
COMMANDS = {"sh", "console"}
ELISION = re.compile(r"\s*(//|#)? ?\.\.\.$")

# What differs from run to run, or from machine to machine, and what is written instead before two lines are compared.
VARYING = [
    (re.compile(r"assay1:[^\s'\"]+"), "assay1:TOKEN"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s|seconds)\b"), "N s"),
    (re.compile(r"\b0x[0-9a-f]+\b"), "0xN"),
    (re.compile(r"\b[0-9a-f]{16}\b"), "HASH"),
    (re.compile(r"(?<![\w.<])(/[\w.+-]+)+/(?=[\w.+-]+)"), ""),
    (re.compile(r"\b(Boost|Asio|g\+\+|gcc|clang|GNU gdb.*) ?\d+\.\d+(\.\d+)?"), r"\1 N"),
]


# ---- the parts of a document


class Block:
    """A fenced or indented block: its language, what the comment before it says, its lines, and where they begin."""

    def __init__(self, document, language, comment, first, lines, indent):
        self.document, self.language, self.comment = document, language, comment
        self.first, self.lines, self.indent = first, lines, indent  # `first` is the index of the first line of the content

    def __str__(self):
        return f"{self.document}:{self.first + 1}"

    def said(self, what):
        """What stands behind `what` in the comment, or None."""
        match = re.fullmatch(r"\s*<!-- %s(?:[: ]\s*(.*?))? -->\s*" % what, self.comment)
        return match and (match[1] or "")


def blocks_of(document, text):
    """All fenced blocks."""
    lines = text.split("\n")
    found, i = [], 0
    while i < len(lines):
        opening = re.fullmatch(r"(\s*)```(\w*)", lines[i])
        if opening:
            indent = len(opening[1])
            end = next(j for j in range(i + 1, len(lines)) if lines[j].strip() == "```")
            content = [line[indent:] for line in lines[i + 1:end]]
            found.append(Block(document, opening[2], lines[i - 1] if i > 0 else "", i + 1, content, indent))
            i = end
        i += 1
    return found


def prose_of(text):
    """The text without its fenced blocks, as many lines as before."""
    return re.sub(r"(?ms)^\s*```.*?^\s*```$", lambda match: "\n" * match[0].count("\n"), text)


def segments_of(lines):
    """The runs of lines between elisions: (index of the first line, lines) for each, and whether an elision stands before the
    first and behind the last."""
    runs, current, start = [], [], 0
    for i, line in enumerate([*lines, "..."]):
        if ELISION.fullmatch(line):
            if current:
                runs.append((start, current))
            current, start = [], i + 1
        else:
            current.append(line)
    return runs, bool(lines) and bool(ELISION.fullmatch(lines[0])), bool(lines) and bool(ELISION.fullmatch(lines[-1]))


# ---- code


def same_code(shown, lines):
    """Whether these are the same lines, all of them perhaps further to the right, apart from comments at their ends."""
    bare = [[re.sub(r'(?<=\S)\s+//[^"]*$', "", line).rstrip() for line in some] for some in (shown, lines)]
    margins = {len(b) - len(a) for a, b in zip(*bare) if a}
    if len(margins) > 1 or len(shown) != len(lines):
        return False
    margin = " " * max(margins, default=0)
    return all(b == (margin + a if a else a) for a, b in zip(*bare))


def missing_code(shown, source):
    """The first run of shown lines that does not stand in the source, behind the one before it; None if all do."""
    at = 0
    for _, run in segments_of(shown)[0]:
        while run and not run[-1].strip():
            run = run[:-1]
        while run and not run[0].strip():
            run = run[1:]
        places = [i for i in range(at, len(source) - len(run) + 1) if same_code(run, source[i:i + len(run)])]
        if run and not places:
            return run
        if run:
            at = places[0] + len(run)
    return None


@functools.cache
def compiled_files():
    """The files of the tree that a build compiles, with what they include."""
    seen, todo = set(), []
    for one in json.loads((BUILD / "compile_commands.json").read_text()):
        folders = [pathlib.Path(word[2:]) for word in shlex.split(one["command"]) if word.startswith("-I")]
        todo.append((pathlib.Path(one["file"]).resolve(), tuple(folders)))
    while todo:
        file, folders = todo.pop()
        if (file, folders) in seen or ROOT not in file.parents:
            continue
        seen.add((file, folders))
        for name in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', file.read_text(), re.MULTILINE):
            places = (folder / name for folder in (file.parent, *folders))
            todo.extend((place.resolve(), folders) for place in places if place.is_file())
    return {str(file.relative_to(ROOT)) for file, _ in seen}


# ---- sessions


def comparable(line):
    line = line.rstrip()
    for pattern, instead in VARYING:
        line = pattern.sub(instead, line)
    return line


def same_line(shown, line):
    parts = map(re.escape, comparable(shown).split("..."))
    return re.fullmatch(".*".join(parts), comparable(line)) is not None


def same_run(shown, lines):
    return len(shown) == len(lines) and all(map(same_line, shown, lines))


def places_of(shown, printed):
    """Where each run of shown lines is in what was printed, as a list of indices, or None if it is not there."""
    runs, open_before, open_behind = segments_of(shown)
    if not runs:
        return [] if shown or not printed else None
    places, at = [], 0
    for number, (_, run) in enumerate(runs):
        first, last = number == 0, number == len(runs) - 1
        candidates = range(at, len(printed) - len(run) + 1)
        if first and not open_before:
            candidates = [i for i in candidates if i == 0]
        if last and not open_behind:
            candidates = [i for i in candidates if i == len(printed) - len(run)]
        place = next((i for i in candidates if same_run(run, printed[i:i + len(run)])), None)
        if place is None:
            return None
        places.append(place)
        at = place + len(run)
    return places


def nearest(line, printed, begin):
    """The index of the printed line that is most like this one; None if none is."""
    ratios = [(difflib.SequenceMatcher(None, comparable(line), comparable(one)).ratio(), -i)
              for i, one in enumerate(printed) if i >= begin]
    best = max(ratios, default=(0, 0))
    return -best[1] if best[0] > 0.6 else None


def renewed(shown, printed):
    """The shown lines with what is printed now, and the same parts left out; None if a person must choose the parts."""
    if places_of(shown, printed) is not None and not any("assay1:" in line for line in shown):
        return shown
    runs, open_before, open_behind = segments_of(shown)
    if not runs:
        return shown if shown else printed
    result, at = ["..."] if open_before else [], 0
    for number, (_, run) in enumerate(runs):
        first, last = number == 0, number == len(runs) - 1
        begin = 0 if first and not open_before else nearest(run[0], printed, at)
        end = len(printed) - 1 if last and not open_behind else None if begin is None else nearest(run[-1], printed, begin)
        if begin is None or end is None:
            return None
        for line in printed[begin:end + 1]:
            # What is the same stays as it is, with what is left out of it.
            kept = next((old for old in run if same_line(old, line) and ("..." in old or "assay1:" not in old)), line)
            result.append(kept)
        if not last or open_behind:
            result.append("...")
        at = end + 1
    return result


def exchanges_of(block):
    """The commands of a session: (command, index of the first line of its output, output)."""
    found, lines, i = [], block.lines, 0
    while i < len(lines):
        command = lines[i]
        assert command.startswith("$ "), f"{block}: a session begins with a command, not with '{command}'"
        command = command[2:]
        while command.endswith("\\"):
            i += 1
            command = command[:-1] + lines[i].lstrip("> ")
        i += 1
        begin = i
        while i < len(lines) and not lines[i].startswith("$ "):
            i += 1
        found.append((command, begin, lines[begin:i]))
    return found


class Stage:
    """A folder in which the commands of a document run: a copy, made of links, of the tree's root or of a folder of the
    build. What the commands write stays there."""

    def __init__(self, folder):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="documents-"))
        source = ROOT if folder is None else BUILD / folder
        for entry in source.iterdir():
            if entry.name not in (".git", "build", "report") or folder is not None:
                (self.path / entry.name).symlink_to(entry)
        if folder is None:
            (self.path / "build").mkdir()
            (self.path / "build/release").symlink_to(BUILD)

    def run(self, command):
        """What the command prints, as it looks to a reader."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ASSAY", "GTEST"))}
        done = subprocess.run(["bash", "-c", command], cwd=self.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", stdin=subprocess.DEVNULL, timeout=600, env={**clean, "LC_ALL": "C.UTF-8"})
        text = done.stdout.replace(str(self.path) + "/", "")
        text = re.sub(re.escape(str(ROOT)) + r"/docs/tutorial/(\w+/)?", "/home/you/print_shop/", text)
        text = text.replace(str(ROOT) + "/", "/home/you/assay/")
        return [line.rstrip() for line in text.rstrip("\n").split("\n")] if text.strip() else []

    def close(self):
        shutil.rmtree(self.path)


@functools.cache
def can_trace():
    """Whether a debugger may hold a process here: some containers forbid it."""
    if shutil.which("gdb") is None:
        return False
    done = subprocess.run(["gdb", "-batch", "-ex", "run", "--args", "true"], capture_output=True, text=True, timeout=60)
    return "exited normally" in done.stdout


def sessions_of(document, text):
    """What each command of a document shows and prints: (block, command, index of the output, shown, printed). Sessions in one
    folder share what they write."""
    stages = {}
    try:
        for block in blocks_of(document, text):
            if block.language not in SESSION or block.said("not run") is not None:
                continue
            folder = block.said("in")
            stage = stages.get(folder) or stages.setdefault(folder, Stage(folder))
            for command, begin, shown in exchanges_of(block):
                if command.startswith("gdb ") and not can_trace():
                    print(f"{block}: not run, since no debugger may hold a process here")
                    continue
                yield block, command, begin, shown, stage.run(command)
    finally:
        for stage in stages.values():
            stage.close()


def update(document):
    """Writes what commands print into a document; what a person must do is returned."""
    text = (ROOT / document).read_text()
    lines, complaints, changes = text.split("\n"), [], []
    for block, command, begin, shown, printed in sessions_of(document, text):
        new = renewed(shown, printed)
        if new is None:
            complaints.append(f"{document}:{block.first + begin + 1}: choose what to show of '{command}':\n" + "\n".join(printed))
        elif new != shown:
            changes.append((block.first + begin, len(shown), [(" " * block.indent + line).rstrip() for line in new]))
    for at, count, new in reversed(changes):
        lines[at:at + count] = new
    (ROOT / document).write_text("\n".join(lines))
    return complaints


# ---- command lines and names


def commands_in(text):
    """The command lines that a document shows, wherever: in blocks, indented or fenced, and within its sentences."""
    for block in blocks_of("", text):
        if block.language in COMMANDS:
            joined = re.sub(r"\\\n\s*(> )?", "", "\n".join(block.lines))
            for line in joined.split("\n"):
                if block.language == "sh" or line.startswith("$ "):
                    yield line.removeprefix("$ ")
    prose = prose_of(text)
    for line in re.findall(r"(?m)^    +(\S.*)$", prose):
        yield line
    for span in re.findall(r"`([^`\n]+)`", prose):
        yield span


def words_of(line):
    """The words of a command line, up to a comment or what the shell does next."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return []
    return list(itertools.takewhile(lambda word: word not in ("|", "&&", ";", ">"), words))


@functools.cache
def help_of(*verb):
    done = subprocess.run([str(BUILD / "assay"), *verb, "--help"], capture_output=True, text=True, timeout=60)
    # With a verb that there is not, it explains itself.
    return done.stdout if done.returncode == 0 and (not verb or f"Usage: {verb[0]}" in done.stdout) else None


def complaint_of_assay(words):
    """What is wrong with the words behind `assay`."""
    verb = [] if not words or words[0].startswith("-") else words[:1]
    known = help_of(*verb)
    if known is None:
        return f"there is no verb '{words[0]}'"
    for flag in (word.split("=")[0] for word in words if word.startswith("--")):
        if not re.search(re.escape(flag) + r"\b(?!-)", known):
            return f"'{' '.join(('assay', *verb))}' has no {flag}"
    return None


def complaint_of_ci(script, words):
    file = ROOT / script
    if not file.is_file() or not os.access(file, os.X_OK):
        return f"there is no command {script}"
    text = file.read_text()
    for flag in (word.split("=")[0] for word in words if word.startswith("--")):
        if flag not in text:
            return f"{script} has no {flag}"
    return None


@functools.cache
def sources():
    """The text of everything in the tree that says what there is: all but documents, tests of documents and findings."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    wanted = re.compile(r"(^ci/[^.]+|CMakeLists\.txt|\.(cmake|cmake\.in|[ch]pp|py|sh|json))$")
    mine = pathlib.Path(__file__).resolve().relative_to(ROOT)
    return "\n".join((ROOT / name).read_text(errors="replace") for name in listed
                     if wanted.search(name) and name != str(mine) and (ROOT / name).is_file() and "fuzz/" not in name)


def complaint_of_ctest(words):
    """A selection of tests selects some."""
    if "--test-dir" not in words or "-R" not in words or words[words.index("--test-dir") + 1] != "build/release":
        return None
    listed = subprocess.run(["ctest", "--test-dir", str(BUILD), "-N", "-R", words[words.index("-R") + 1]],
                            capture_output=True, text=True, timeout=60).stdout
    return None if re.search(r"Total Tests: [1-9]", listed) else "no test is called so"


def complaint_of(line):
    """What is wrong with a command line; None if nothing is, or if it is nobody's."""
    words = words_of(line)
    for i, word in enumerate(words):
        if word == "build/release/assay" or (word == "assay" and (i == 0 or words[i - 1] == "--args") and len(words) > 1):
            return complaint_of_assay(words[i + 1:])
        if re.fullmatch(r"(\./)?ci/[\w-]+", word):
            return complaint_of_ci(word.removeprefix("./"), words[i + 1:])
        if word == "ctest":
            return complaint_of_ctest(words[i + 1:])
        if word == "cmake" and "--preset" in words:
            presets = json.loads((ROOT / "CMakePresets.json").read_text())["configurePresets"]
            preset = words[words.index("--preset") + 1]
            return None if preset in [one["name"] for one in presets] else f"there is no preset {preset}"
    return None


def unknown_names(text):
    """Names of ours in a document that nothing in the tree has: arguments of test programs, variables, CMake's functions, libraries,
    files."""
    found = set(re.findall(r"--assay_[a-z_]+", text)) | set(re.findall(r"\bASSAY_[A-Z]+(?:_[A-Z]+)*\b", text))
    found |= set(re.findall(r"\bassay_[a-z_]+(?=\()", text))
    unknown = {name for name in found if name not in sources()}
    for block in blocks_of("", text):
        if block.language == "cmake":
            targets = set(re.findall(r"\bassay::\w+", "\n".join(block.lines)))
            unknown |= {name for name in targets if name.replace("::", "_") not in sources()
                        and f"add_library({name} ALIAS" not in sources()}
    folders = "|".join(entry.name for entry in ROOT.iterdir() if entry.is_dir() and not entry.name.startswith((".", "build")))
    for path in re.findall(r"`((?:%s)/[\w./-]*)`" % folders, text):
        # `my_...` is what a reader writes.
        if not (ROOT / path).exists() and not (ROOT / (path + ".hpp")).exists() and "/my_" not in path:
            unknown.add(path)
    return unknown


# ---- links


def anchors_of(text):
    """The anchors that GitHub makes of a document."""
    anchors, seen = set(re.findall(r'<a (?:id|name)="([^"]+)"', text)), {}
    for heading in re.findall(r"(?m)^#+ +(.*?)\s*#*$", prose_of(text)):
        heading = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", re.sub(r"<[^>]+>", "", heading))
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = seen.get(slug, -1) + 1
        seen[slug] = number
        anchors.add(slug if number == 0 else f"{slug}-{number}")
    return anchors


def broken_links(document, text):
    """The links of a document that lead nowhere in the tree."""
    broken = []
    prose = re.sub(r"`[^`\n]+`", "", prose_of(text))
    for target in re.findall(r"\]\(<?([^)\s>]+)>?\)", prose) + re.findall(r'<a href="([^"]+)"', prose):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (ROOT / document).parent / path if path else ROOT / document
        if not place.exists():
            broken.append(target)
        elif anchor and place.suffix == ".md" and anchor not in anchors_of(text if not path else place.read_text()):
            broken.append(target)
    return broken


# ---- figures


def printed_json(program, *arguments):
    done = subprocess.run([str(BUILD / program), *arguments], capture_output=True, text=True, timeout=600, check=True)
    return json.loads(done.stdout)


# How many there are of what the documents count, and the words in which they do. Whether all of them are caught is what other
# tests see, which fail otherwise.
FIGURES = {
    "mutants": (re.compile(r"\b(\d+) of (\d+) are caught, by clauses"),
                lambda: sum(one["kind"] == "mutant" for one in printed_json("assay", "list", "--format", "json")["subjects"])),
    "wrong implementations by others": (
        re.compile(r"\b(\d+) of (\d+) are caught, no twin"),
        lambda: sum(not one["escapes"] for one in printed_json("tests/wrong/wrong_implementations", "table"))),
    "planted bugs": (re.compile(r"\b(\d+) planted bugs"),
                     lambda: len(printed_json("assay", "bugs", "--seeds", "1", "--cap", "1", "--twin-schedules", "1", "--format",
                                              "json")["bugs"])),
}


def wrong_figures(text, figures):
    """The figures of a text that are not those of `figures`, a number for each name of FIGURES."""
    for name, (pattern, _) in FIGURES.items():
        for found in pattern.finditer(text):
            if set(found.groups()) != {str(figures[name])}:
                yield f"'{found[0]}': there are {figures[name]} {name}"


# ---- the tests


def documents():
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT,
                            capture_output=True, text=True, check=True).stdout.split()
    return sorted(name for name in listed if (ROOT / name).is_file())


def differences(shown, printed):
    runs = segments_of(shown)[0]
    lines = difflib.unified_diff([comparable(line) for _, run in runs for line in run], [comparable(line) for line in printed],
                                 "shown", "printed", lineterm="", n=1)
    return "\n".join([*list(lines)[:60], f"(python3 tests/{pathlib.Path(__file__).name} --update mends it)"])


class Documents(unittest.TestCase):
    maxDiff = None

    def nothing_wrong(self, complaints_of):
        """Asks `complaints_of(document, text)` about every document."""
        texts = {name: (ROOT / name).read_text() for name in documents()}
        self.assertIn("README.md", texts)
        complaints = [complaint for name, text in texts.items() for complaint in complaints_of(name, text)]
        if complaints:
            self.fail("\n" + "\n".join(complaints))

    def test_code_is_in_files_that_are_compiled(self):
        def complaints_of(name, text):
            for block in blocks_of(name, text):
                source = block.said("from")
                if block.language not in CODE or block.said("sketch") is not None:
                    continue
                if source is None:
                    yield f"{block}: say where this code is: <!-- from PATH -->, or <!-- sketch: WHY -->"
                elif not (ROOT / source).is_file():
                    yield f"{block}: there is no {source}"
                elif block.language == "cpp" and source not in compiled_files():
                    yield f"{block}: no build compiles {source}"
                elif missing := missing_code(block.lines, (ROOT / source).read_text().split("\n")):
                    yield f"{block}: these lines are not in {source}, in this order:\n" + "\n".join(missing)
        self.nothing_wrong(complaints_of)

    def test_commands_print_what_is_shown(self):
        def complaints_of(name, text):
            for block, command, begin, shown, printed in sessions_of(name, text):
                if places_of(shown, printed) is None:
                    yield f"{name}:{block.first + begin + 1}: {command}\n{differences(shown, printed)}"
        self.nothing_wrong(complaints_of)

    def test_blocks_that_show_commands_say_so(self):
        def complaints_of(name, text):
            for block in blocks_of(name, text):
                if block.language not in SESSION and any(line.startswith("$ ") for line in block.lines):
                    yield f"{block}: a session is fenced as console"
        self.nothing_wrong(complaints_of)

    def test_command_lines_are_understood(self):
        seen = []

        def complaints_of(name, text):
            for line in commands_in(text):
                seen.append(line)
                if complaint := complaint_of(line):
                    yield f"{name}: {complaint}: {line}"
        self.nothing_wrong(complaints_of)
        self.assertGreater(sum("assay" in line for line in seen), 50)

    def test_names_are_those_of_the_tree(self):
        self.nothing_wrong(lambda name, text: (f"{name}: there is no {one}" for one in sorted(unknown_names(text))))

    def test_links_lead_somewhere(self):
        self.nothing_wrong(lambda name, text: (f"{name}: leads nowhere: {one}" for one in broken_links(name, text)))

    def test_figures_are_those_of_the_tree(self):
        texts = {name: (ROOT / name).read_text() for name in documents()}
        for name, (pattern, _) in FIGURES.items():
            self.assertRegex("\n".join(texts.values()), pattern, name)
        figures = {name: count() for name, (_, count) in FIGURES.items()}
        self.nothing_wrong(lambda name, text: (f"{name}: {one}" for one in wrong_figures(text, figures)))


class Rules(unittest.TestCase):
    """The rules by which the documents are judged, on examples."""

    SOURCE = ["int f() {", "  if (a) {", "    b();", "  }", "  return 1;", "}", "int g();"]

    def test_code_may_stand_further_to_the_left_and_leave_lines_out(self):
        self.assertIsNone(missing_code(["if (a) {", "  b();", "}"], self.SOURCE))
        self.assertIsNone(missing_code(["int f() {", "  // ...", "  return 1;", "}"], self.SOURCE))

    def test_code_that_is_elsewhere_or_changed_is_missing(self):
        self.assertEqual(missing_code(["int f() {", "  return 1;"], self.SOURCE), ["int f() {", "  return 1;"])
        self.assertEqual(missing_code(["if (a) {", "    b();"], self.SOURCE), ["if (a) {", "    b();"])
        self.assertEqual(missing_code(["int g();", "...", "int f() {"], self.SOURCE), ["int f() {"])

    def test_output_may_leave_lines_and_words_out(self):
        printed = ["a 1", "b", "c", "d is 17 long"]
        for shown in (printed, ["a 1", "...", "d is 17 long"], ["...", "b", "..."], ["...", "d is ... long"], ["..."]):
            self.assertIsNotNone(places_of(shown, printed), shown)
        for shown in (["a 1", "b"], ["b", "..."], ["a 1", "d is 17 long"], ["...", "c", "b", "..."], ["...", "d is ..."[:4]], []):
            self.assertIsNone(places_of(shown, printed), shown)

    def test_what_varies_is_not_compared(self):
        self.assertTrue(same_line("[ OK ] a.b (12 ms)", "[ OK ] a.b (1 ms)"))
        self.assertTrue(same_line("  replay assay1:0.1.0-gcc12.2-d4face72:own:a:x", "  replay assay1:0.1.0-clang19.1-0:own:b:y"))
        self.assertTrue(same_line("/home/you/print_shop/a.cpp:3: Failure", "/elsewhere/a.cpp:3: Failure"))
        self.assertFalse(same_line("/home/you/print_shop/a.cpp:3: Failure", "/elsewhere/a.cpp:4: Failure"))
        self.assertFalse(same_line("   11  15ms    time     15ms", "   11  15ms    time     16ms"))

    def test_an_update_leaves_out_what_was_left_out(self):
        shown = ["...", "Found by: fifo, after 1 trials", "    1  0  start  x", "...", "To see it again:", "  assay1:old"]
        printed = ["noise", "Found by: random ties, after 7 trials", "    1  0  start  y", "    2  0  end  y", "", "To see it again:",
                   "  assay1:new"]
        self.assertEqual(renewed(shown, printed), ["...", *printed[1:3], "...", *printed[5:]])
        self.assertEqual(renewed(["..."], printed), ["..."])
        self.assertEqual(renewed(["a ... c", "old"], ["a b c", "new"]), ["a ... c", "new"])
        self.assertIsNone(renewed(["...", "quite another thing", "..."], printed))

    def test_a_session_is_commands_and_their_output(self):
        block = blocks_of("a.md", "<!-- in docs -->\n```console\n$ a \\\n> b\nc\n$ d\n```\n")[0]
        self.assertEqual(exchanges_of(block), [("a b", 2, ["c"]), ("d", 4, [])])
        self.assertEqual(block.said("in"), "docs")
        self.assertIsNone(block.said("not run"))

    def test_command_lines_that_do_not_exist_are_seen(self):
        for line in ("build/release/assay run --subjects x", "assay frobnicate x", "ci/tset", "ci/test --list-shard_",
                     "ctest --test-dir build/release -R ^no_such_test", "cmake --preset debugging",
                     "gdb --args build/release/assay replay X --breakat 7"):
            self.assertIsNotNone(complaint_of(line), line)
        for line in ("build/release/assay run --subject x --clause 'BQ-*'", "assay", "ls ci", "./ci/test --list-shards"):
            self.assertIsNone(complaint_of(line), line)

    def test_names_that_do_not_exist_are_seen(self):
        text = "`--assay_frob=1`, ASSAY_FROB, `assay_frob(x)`, `harness/frob.hpp`\n```cmake\nlink(x assay::frob)\n```\n"
        self.assertEqual(unknown_names(text), {"--assay_frob", "ASSAY_FROB", "assay_frob", "harness/frob.hpp", "assay::frob"})
        text = "`--assay_seed=1`, ASSAY_SEED, `assay_instrument(x)`, `harness/trial`\n```cmake\nlink(x assay::standard)\n```\n"
        self.assertEqual(unknown_names(text), set())

    def test_figures_that_are_wrong_are_seen(self):
        figures = {"mutants": 3, "wrong implementations by others": 2, "planted bugs": 5}
        right = "3 of 3 are caught, by clauses, 2 of 2 are caught, no twin; each of 5 planted bugs"
        self.assertEqual(list(wrong_figures(right, figures)), [])
        wrong = "3 of 4 are caught, by clauses, 1 of 1 are caught, no twin; each of 6 planted bugs"
        self.assertEqual(len(list(wrong_figures(wrong, figures))), 3)

    def test_links_that_lead_nowhere_are_seen(self):
        text = '# A `b` c!\n<a id="here"></a>\n[x](#a-b-c) [y](#here) [z](STANDARD.md#BQ-7) [w](https://example.org/x)\n'
        self.assertEqual(broken_links("README.md", text), [])
        self.assertEqual(broken_links("README.md", "[x](#a) [y](STANDARD.md#BQ-777) [z](frob.md)"), ["#a", "STANDARD.md#BQ-777", "frob.md"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--update"]:
        left = [complaint for name in sys.argv[2:] or documents() for complaint in update(name)]
        sys.exit("\n\n".join(left) if left else 0)
    unittest.main()
