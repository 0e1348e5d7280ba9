"""The commit that a build names, from trees of all kinds: cmake/assay_commit.cmake.

Environment: CMAKE, GIT (the commands).
"""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent.parent.parent.parent / "cmake" / "assay_commit.cmake"
GIT = os.environ["GIT"]


class Commits(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name, "tree")
        self.tree.mkdir()
        self.written = pathlib.Path(folder.name, "commit.cpp")
        (self.tree / "file").write_text("1")

    def git(self, *arguments):
        return subprocess.run([GIT, "-C", str(self.tree), "-c", "user.name=n", "-c", "user.email=e", *arguments], check=True,
                              capture_output=True, text=True).stdout.strip()

    def commit(self, git=GIT, source=None):
        subprocess.run([os.environ["CMAKE"], "-D", "GIT=" + git, "-D", f"SOURCE={source or self.tree}", "-D", f"OUTPUT={self.written}",
                        "-P", SCRIPT], check=True, capture_output=True)
        return re.search('return "(.*)";', self.written.read_text())[1]

    def make_repository(self):
        self.git("init", "--quiet")
        self.git("add", "file")
        self.git("commit", "--quiet", "--message", "one")
        return self.git("rev-parse", "--short=12", "HEAD")

    def test_a_repository_has_a_commit_and_may_have_changes(self):
        head = self.make_repository()
        self.assertEqual(self.commit(), head)
        (self.tree / "other").write_text("not ours")
        self.assertEqual(self.commit(), head)
        (self.tree / "file").write_text("2")
        self.assertEqual(self.commit(), head + " with changes")

    def test_a_tarball_is_of_an_unknown_commit(self):
        self.assertEqual(self.commit(), "unknown")
        self.make_repository()
        inside = self.tree / "inside"  # unpacked in somebody else's repository
        inside.mkdir()
        self.assertEqual(self.commit(source=inside), "unknown")

    def test_without_git_it_is_unknown(self):
        self.make_repository()
        self.assertEqual(self.commit(git=""), "unknown")

    def test_the_same_commit_is_not_written_again(self):
        self.make_repository()
        self.commit()
        os.utime(self.written, (1, 1))
        self.commit()
        self.assertEqual(self.written.stat().st_mtime, 1)
        self.git("commit", "--quiet", "--allow-empty", "--message", "two")
        self.commit()
        self.assertNotEqual(self.written.stat().st_mtime, 1)


if __name__ == "__main__":
    unittest.main()
