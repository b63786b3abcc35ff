#!/usr/bin/env python3
"""Tests tools/must_not_compile with small programs and the compiler that is there."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

TOOL = pathlib.Path(__file__).with_name("must_not_compile")
ASSERTION = '\nstatic_assert(sizeof(int) == 1, "an int needs more room");\n'


class MustNotCompileTest(unittest.TestCase):
    def check(self, text):
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder, "x.cc")
            source.write_text(text, encoding="utf-8")
            command = [sys.executable, str(TOOL), str(source), "g++", "-std=c++20", "-fsyntax-only"]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
            return result.returncode, result.stderr

    def test_passes_when_the_expected_text_is_there(self):
        self.assertEqual(self.check("// expect: an int needs more room" + ASSERTION)[0], 0)

    def test_white_space_does_not_matter(self):
        self.assertEqual(self.check("// expect: an  int   needs more room" + ASSERTION)[0], 0)

    def test_fails_when_the_program_compiles(self):
        code, error = self.check("// expect: anything\nint x = 1;\n")
        self.assertEqual(code, 1)
        self.assertIn("it compiles", error)

    def test_fails_when_the_reason_is_another(self):
        code, error = self.check("// expect: an int needs more room\nint x = ;\n")
        self.assertEqual(code, 1)
        self.assertIn("lacks: an int needs more room", error)

    def test_fails_when_one_of_several_texts_is_missing(self):
        code, error = self.check("// expect: an int needs\n// expect: a unicorn" + ASSERTION)
        self.assertEqual(code, 1)
        self.assertIn("lacks: a unicorn", error)

    def test_fails_when_one_mistake_gives_two_errors(self):
        code, error = self.check("// expect: an int needs" + ASSERTION + "int x = ;\n")
        self.assertEqual(code, 1)
        self.assertIn("prints 2 errors, not 1", error)

    def test_several_errors_can_be_expected(self):
        self.assertEqual(self.check("// expect: an int needs\n// errors: 2" + ASSERTION + "int x = ;\n")[0], 0)

    def test_fails_when_nothing_is_expected(self):
        code, error = self.check("int x = ;\n")
        self.assertEqual(code, 1)
        self.assertIn("the first line must be", error)


if __name__ == "__main__":
    unittest.main()
