"""What the compiler and the linker say of programs that are not right: translation units that were compiled differently from
the library, and bodies of tests that are no coroutines.

Usage: same_build_test.py
Environment: CXX, INCLUDES (folders, separated by colons), ARCHIVE (libassay_virtual_time.a).
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

SOURCE = "#include <boost/asio/steady_timer.hpp>\n"
HEADER = ["-include", "assay/harness/sim/virtual_time.hpp"]


class SameBuild(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def compiled(self, name, text, *options):
        source, made = self.folder / f"{name}.cpp", self.folder / f"{name}.o"
        source.write_text(text)
        includes = [word for one in os.environ["INCLUDES"].split(":") for word in ("-I", one)]
        subprocess.run([os.environ["CXX"], "-std=c++20", *includes, *options, *HEADER, "-c", source, "-o", made], check=True)
        return made

    def link(self, *objects):
        done = subprocess.run([os.environ["CXX"], *objects, os.environ["ARCHIVE"], "-o", self.folder / "program"],
                              capture_output=True, text=True)
        return done.returncode, done.stderr

    def test_what_differs_is_named(self):
        alike = self.compiled("alike", SOURCE + "int main() {}\n")
        self.assertEqual(self.link(alike), (0, ""))
        other = self.compiled("other", SOURCE, "-DBOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING", "-D_GLIBCXX_DEBUG")
        status, text = self.link(alike, other)
        self.assertNotEqual(status, 0)
        self.assertIn("assay::must_be_built_with::BOOST_ASIO_DISABLE_SMALL_BLOCK_RECYCLING_defined", text)
        self.assertIn("assay::must_be_built_with::GLIBCXX_DEBUG_defined", text)
        self.assertEqual(text.count("must_be_built_with"), 2, text)

    def test_a_body_that_is_no_coroutine_is_named(self):
        source = self.folder / "body.cpp"
        includes = [word for one in os.environ["INCLUDES"].split(":") for word in ("-I", one)]
        # g++ gives the function's name with it, clang the line.
        wrong = "ASSAY_TEST(suite, a_test)" if "clang" in os.environ["CXX"] else "a_test_is_no_coroutine__it_needs"
        for body, error in (("t.mark(\"so far\"); co_return;", None), ("t.mark(\"so far\");", wrong)):
            source.write_text("#include <assay/test.hpp>\nASSAY_TEST(suite, a_test) { %s }\n" % body)
            done = subprocess.run([os.environ["CXX"], "-std=c++20", *includes, *HEADER, "-fsyntax-only", source],
                                  capture_output=True, text=True)
            self.assertEqual(done.returncode != 0, error is not None, done.stderr)
            self.assertIn(error or "", done.stderr)


if __name__ == "__main__":
    unittest.main()
