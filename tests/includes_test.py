"""Who may include what: the layers of the tree, and the rooms of the harness. A layer that reaches for what stands above
it, or beside it, cannot be judged, tested or taken away without it; above all the judge must not lean on the accused.

Usage: includes_test.py
"""

import collections
import pathlib
import re
import tempfile
import unittest

from coroutine_traps_test import code_only

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ["bench", "fuzz", "harness", "property", "reference", "scenarios", "testees", "tests"]
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])(assay/)?([^>"\n]+)[>"]', re.MULTILINE)

# The layers that each may include, besides itself. Who is not named here (benchmarks, the programs that use an installed
# package) may include everything.
LAYERS = {
    "reference": [],
    "harness": [],
    "scenarios": ["harness"],
    "property": ["harness", "scenarios"],
    "fuzz": ["harness", "scenarios"],
}

# The rooms of the harness: each may include itself and what stands before it. Tests may include all of them.
ROOMS = ["allocation", "choice", "sim", "trial", "mock", "catalogue", "campaign", "testee", "report", "cli", "gtest"]

# What users begin with, <assay/test.hpp> and <assay/suite.hpp>: it stands above all rooms.
FRONT = {"test.hpp": "harness/test.hpp", "suite.hpp": "harness/suite.hpp"}

# What of Asio is nobody's business is named in one place.
INTERNALS = "harness/sim/asio_internals.hpp"
INTERNAL = re.compile(r"\basio\s*::\s*detail\b")
INTERNAL_HEADER = re.compile(r"(boost/)?asio/(detail|impl)/")


def is_reference_subject(path):
    """The reference's own subjects: what stands between it and its contract."""
    return re.fullmatch(r"scenarios/\w+/\w+/reference\w*\.[ch]pp", path) is not None


def room_of(path):
    """The room of a file of the harness; nothing for tests, and for what lies in no room."""
    parts = path.split("/")
    return None if "tests" in parts or len(parts) < 3 else parts[1]


def folder_of(path):
    return path.rpartition("/")[0]


def refusal(user, used):
    """Why the file `user` may not include the file `used`; nothing if it may. Both are named from the root."""
    layer, other = user.split("/")[0], used.split("/")[0]
    if layer not in LAYERS or other not in FOLDERS:
        return None
    if other == "reference" and layer != "reference":
        if is_reference_subject(user):
            return None
        return "reference/ is included by itself and by scenarios/*/*/reference*, its subjects, alone"
    if other != layer and other not in LAYERS[layer]:
        return f"{layer}/ includes nothing of {other}/"
    if is_reference_subject(used):
        # A mutant is an alternative with one rule broken: the reference's adapter is nobody's base.
        if folder_of(user) != folder_of(used) or not is_reference_subject(user):
            return "an adapter of the reference is included by its own subjects alone"
    if layer == "harness" and room_of(user):
        for room in (room_of(user), room_of(used)):
            if room and room not in ROOMS:
                return f"harness/{room}/ has no place in the order of rooms (ROOMS in tests/includes_test.py)"
        if not room_of(used) or ROOMS.index(room_of(used)) > ROOMS.index(room_of(user)):
            return f"what stands above harness/{room_of(user)}/ is not included there"
    return None


def files_below(root):
    return sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.[ch]pp"))


def edges_below(root):
    """Every include between files of the tree, `used` as from its root: (user, line, used)."""
    for path in files_below(root):
        text = path.read_text()
        for found in INCLUDE.finditer(text):
            used = FRONT.get(found.group(3), found.group(3)) if found.group(2) else found.group(3)
            if found.group(2) or used.split("/")[0] in FOLDERS:
                yield str(path.relative_to(root)), text.count("\n", 0, found.start()) + 1, used


def offences(root):
    """What is wrong, one line each."""
    wrong = []
    for user, line, used in edges_below(root):
        why = refusal(user, used)
        if why:
            wrong.append(f"{user}:{line}: includes {used}: {why}")
    for path in files_below(root):
        user, text = str(path.relative_to(root)), path.read_text()
        if user.split("/")[0] not in LAYERS:
            continue
        for found in INCLUDE.finditer(text):
            # Another way to a file would be a way around the rules; only what nobody else includes stands beside its user.
            beside = user.split("/")[0] in ["fuzz", "property"] and (path.parent / found.group(3)).exists()
            if found.group(1) == '"' and found.group(3).split("/")[0] not in FOLDERS and not beside:
                line = text.count("\n", 0, found.start()) + 1
                wrong.append(f"{user}:{line}: includes {found.group(3)}: write <assay/...>")
        code = code_only(text)
        if user != INTERNALS:
            for found in INCLUDE.finditer(text):
                if INTERNAL_HEADER.match(found.group(3)):
                    line = text.count("\n", 0, found.start()) + 1
                    wrong.append(f"{user}:{line}: includes {found.group(3)}: Asio's internals are behind {INTERNALS}")
            for found in INTERNAL.finditer(code):
                line = code.count("\n", 0, found.start()) + 1
                wrong.append(f"{user}:{line}: names {found.group(0)}: Asio's internals are behind {INTERNALS}")
        # What comes along with an adapter is not there to be used.
        if user.startswith("reference/") or is_reference_subject(user):
            continue
        for found in re.finditer(r"\breference::", code):
            line = code.count("\n", 0, found.start()) + 1
            wrong.append(f"{user}:{line}: names assay::reference, which is for its subjects alone")
    return wrong


def sources_of(library):
    """What harness/CMakeLists.txt compiles into a library, as from the root."""
    text = (ROOT / "harness/CMakeLists.txt").read_text()
    listed = re.search(rf"add_library\({library} \w+([^)]*)\)", text).group(1)
    return [f"harness/{name}" for name in listed.split() if name.endswith(".cpp")]


def needed_by(sources):
    """The files of the tree that these include, whichever way, and the headers from elsewhere."""
    known, elsewhere, left = set(), set(), list(sources)
    while left:
        user = left.pop()
        if user in known:
            continue
        known.add(user)
        for found in INCLUDE.finditer((ROOT / user).read_text()):
            used = FRONT.get(found.group(3), found.group(3)) if found.group(2) else found.group(3)
            if found.group(2):
                left.append(used)
            else:
                elsewhere.add(used)
    return known, elsewhere


def circle_in(edges):
    """Folders that include each other in a circle; nothing if none do."""
    after = collections.defaultdict(set)
    for user, _, used in edges:
        if folder_of(user) != folder_of(used):
            after[folder_of(user)].add(folder_of(used))
    left = set(after) | {one for many in after.values() for one in many}
    while True:
        ends = {one for one in left if not after[one] & left}
        if not ends:
            return sorted(left)
        left -= ends


class Includes(unittest.TestCase):
    def test_nothing_reaches_for_what_it_may_not_have(self):
        wrong = offences(ROOT)
        self.assertEqual(wrong, [], "\n" + "\n".join(wrong))

    def test_no_folders_include_each_other(self):
        edges = list(edges_below(ROOT))
        self.assertGreater(len(edges), 300)
        self.assertEqual(circle_in(edges), [])

    def test_tests_of_ones_own_need_no_suite(self):
        own = sources_of("assay_engine") + sources_of("assay_test") + sources_of("assay_virtual_time_archive")
        self.assertGreater(len(own), 30)
        files, headers = needed_by(own + ["harness/test.hpp"])
        for path in files:
            self.assertNotIn(room_of(path), ["testee", "report", "cli"], path)
        self.assertEqual([one for one in headers if re.match(r"(boost/json|CLI/)", one)], [])
        # What is declared there is defined there.
        suite = sources_of("assay_suite")
        self.assertGreater(len(suite), 30)
        self.assertEqual([one for one in suite if one.replace(".cpp", ".hpp") in files], [])

    def test_what_is_planted_is_found(self):
        for user, text in [
            ("harness/trial/planted.hpp", '#include <assay/reference/core/cancellation.hpp>'),
            ("harness/tests/planted_test.cpp", '#include <assay/reference/core/errors.hpp>'),
            ("harness/trial/planted.hpp", "  #  include <assay/reference/core/errors.hpp>"),
            ("harness/mock/planted.cpp", '#include <assay/scenarios/flow/bounded_queue/contract.hpp>'),
            ("harness/choice/planted.cpp", '#include <assay/harness/trial/trial.hpp>'),
            ("harness/trial/planted.cpp", '#include <assay/harness/mock/script.hpp>'),
            ("harness/trial/planted.cpp", '#include <assay/harness/precompiled.hpp>'),
            ("harness/report/planted.cpp", '#include <assay/suite.hpp>'),
            ("harness/gtest/planted.hpp", '#include <assay/test.hpp>'),
            ("harness/campaign/planted.cpp", '#include <assay/harness/cli/command_line.hpp>'),
            ("harness/cellar/planted.cpp", '#include <assay/harness/choice/choice.hpp>'),
            ("harness/trial/planted.cpp", '#include "trial.hpp"'),
            ("harness/sim/planted.hpp", "#include <boost/asio/detail/thread_context.hpp>"),
            ("harness/sim/planted.hpp", "#include <boost/asio/impl/awaitable.hpp>"),
            ("harness/sim/planted.hpp", "boost::asio::detail::thread_info_base recycled;"),
            ("harness/trial/planted.cpp", "asio::detail::epoll_reactor* reactor;"),
            ("harness/tests/planted_test.cpp", "namespace boost::asio::detail {"),
            ("reference/core/planted.hpp", "using reactor = boost::asio::detail::epoll_reactor;"),
            ("harness/trial/planted.cpp", "void f() { reference::g(); }"),
            ("reference/flow/planted.hpp", '#include <assay/harness/trial/trial.hpp>'),
            ("reference/tests/planted_test.cpp", '#include <assay/harness/trial/trial.hpp>'),
            ("reference/flow/planted.hpp", '#include <assay/scenarios/flow/bounded_queue/contract.hpp>'),
            ("scenarios/flow/bounded_queue/alternative.cpp", '#include <assay/reference/core/errors.hpp>'),
            ("scenarios/flow/bounded_queue/scenarios.cpp", '#include <assay/reference/core/cancellation.hpp>'),
            ("scenarios/flow/bounded_queue/mutants.cpp", '#include <assay/reference/flow/bounded_queue.hpp>'),
            ("scenarios/flow/bounded_queue/mutants.cpp", '#include <assay/scenarios/flow/worker_pool/reference.hpp>'),
            ("scenarios/flow/worker_pool/mutants.cpp", '#include <assay/scenarios/flow/worker_pool/reference.hpp>'),
            ("scenarios/flow/bounded_queue/mutants.cpp", "const auto f = reference::g();"),
            ("scenarios/flow/bounded_queue/alternative.cpp", '#include <assay/scenarios/flow/bounded_queue/reference.hpp>'),
            ("scenarios/flow/bounded_queue/third_party.cpp", '#include <assay/scenarios/flow/bounded_queue/reference.hpp>'),
            ("scenarios/planted/planted.cpp", '#include <assay/reference/core/errors.hpp>'),
            ("property/flow/planted.cpp", '#include <assay/reference/flow/bounded_queue.hpp>'),
            ("fuzz/planted.cpp", '#include "property/programs.hpp"'),
        ]:
            with tempfile.TemporaryDirectory() as folder:
                path = pathlib.Path(folder, user)
                path.parent.mkdir(parents=True)
                path.write_text("// planted\n" + text + "\n")
                found = offences(pathlib.Path(folder))
                self.assertEqual(len(found), 1, f"{user}: {text}: {found}")
                self.assertIn(f"{user}:2: ", found[0])

    def test_the_internals_of_asio_are_there(self):
        self.assertRegex(code_only((ROOT / INTERNALS).read_text()), INTERNAL)

    def test_what_is_in_order_is_let_be(self):
        for user, used in [
            ("reference/flow/worker_pool.hpp", "reference/core/errors.hpp"),
            ("reference/tests/planted_test.cpp", "reference/core/errors.hpp"),
            ("scenarios/flow/worker_pool/reference.hpp", "reference/flow/worker_pool.hpp"),
            ("scenarios/lifecycle/graceful_shutdown/reference.cpp", "reference/lifecycle/graceful_shutdown.hpp"),
            ("scenarios/flow/worker_pool/scenarios.cpp", "harness/campaign/catalogue.hpp"),
            ("scenarios/flow/worker_pool/scenarios.cpp", "scenarios/cross_cutting/extreme_durations.hpp"),
            ("harness/tests/trial_test.cpp", "harness/cli/command_line.hpp"),
            ("harness/cli/tests/bad_subjects.cpp", "harness/testee/host.hpp"),
            ("harness/precompiled.hpp", "harness/campaign/catalogue.hpp"),
            ("harness/test.hpp", "harness/gtest/assay_test.hpp"),
            ("scenarios/examples/own_contract.cpp", "harness/suite.hpp"),
            ("harness/trial/trial.hpp", "harness/sim/deadline.hpp"),
            ("harness/trial/trial.hpp", "vector"),
            ("bench/bench.cpp", "reference/flow/bounded_queue.hpp"),
            ("tests/consumer/queue.cpp", "scenarios/flow/bounded_queue/reference.hpp"),
        ]:
            self.assertIsNone(refusal(user, used), f"{user} includes {used}")

    def test_circles_are_found(self):
        around = [("a/x.hpp", 1, "b/y.hpp"), ("b/z.hpp", 1, "c/w.hpp"), ("c/v.hpp", 1, "a/u.hpp"), ("d/t.hpp", 1, "a/x.hpp")]
        self.assertEqual(circle_in(around), ["a", "b", "c", "d"])
        self.assertEqual(circle_in(around[1:]), [])


if __name__ == "__main__":
    unittest.main()
