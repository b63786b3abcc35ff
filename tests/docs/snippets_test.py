#!/usr/bin/env python3
"""Keeps the C++ in README.md and docs/guide equal to files that are compiled and tested.

A block of C++ that follows a comment `<!-- from FILE -->` must equal that file, and one that follows
`<!-- from FILE, region NAME -->` must equal the lines between `// region NAME` and `// end NAME` in it, indented as
little as possible.
"""

import pathlib
import re
import textwrap
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SNIPPET = re.compile(r"^<!-- from ([^\s,>]+)(?:, region (\S+))? -->\n+```cpp\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAMED = re.compile(r"^<!-- from .*-->$", re.MULTILINE)


def documents():
    found = sorted(ROOT.glob("docs/guide/*.md"))
    readme = ROOT / "README.md"
    return [readme, *found] if readme.exists() else found


def source_of(text, region):
    """The text of a source, or of one of its regions; None if the region is not there exactly once."""
    if region is None:
        return text
    found = re.findall(rf"^[ \t]*// region {re.escape(region)}\n(.*?)^[ \t]*// end {re.escape(region)}$", text,
                       re.DOTALL | re.MULTILINE)
    return textwrap.dedent(found[0]) if len(found) == 1 else None


def differences(root, document, text):
    """What is wrong with the snippets of a document: one line each."""
    wrong = []
    snippets = SNIPPET.findall(text)
    if len(snippets) != len(NAMED.findall(text)):
        wrong.append(f"{document}: a `<!-- from ... -->` is not followed by a ```cpp block, or is misspelt")
    for path, region, code in snippets:
        name = path + (f", region {region}" if region else "")
        file = root / path
        if not file.is_file():
            wrong.append(f"{document}: {path} does not exist")
            continue
        expected = source_of(file.read_text(encoding="utf-8"), region or None)
        if expected is None:
            wrong.append(f"{document}: {path} must have `// region {region}` and `// end {region}` once")
        elif expected.strip() != code.strip():
            wrong.append(f"{document}: the snippet differs from {name}; it should be\n{expected}")
    return wrong


class SnippetsTest(unittest.TestCase):
    def test_every_document(self):
        for document in documents():
            with self.subTest(document=document.name):
                found = differences(ROOT, document.name, document.read_text(encoding="utf-8"))
                self.assertEqual(found, [], "\n".join(found))

    def test_the_guides_that_are_nothing_without_snippets(self):
        for name in ["pipelines.md", "dofn.md", "windowing.md"]:
            text = (ROOT / "docs/guide" / name).read_text(encoding="utf-8")
            self.assertGreater(len(SNIPPET.findall(text)), 2, name)
            self.assertEqual(text.count("```cpp"), len(SNIPPET.findall(text)), f"{name}: a snippet without a source")

    def test_a_difference_is_found(self):
        path = "examples/word_count/main.cc"
        text = (ROOT / path).read_text(encoding="utf-8")
        self.assertEqual(differences(ROOT, "x.md", f"<!-- from {path} -->\n```cpp\n{text}```\n"), [])
        self.assertIn("differs from", differences(ROOT, "x.md", f"<!-- from {path} -->\n```cpp\n{text}x\n```\n")[0])
        self.assertIn("does not exist", differences(ROOT, "x.md", "<!-- from no.cc -->\n```cpp\n```\n")[0])
        self.assertIn("must have", differences(ROOT, "x.md", f"<!-- from {path}, region none -->\n```cpp\n```\n")[0])
        self.assertIn("misspelt", differences(ROOT, "x.md", f"<!-- from {path} -->\ntext\n")[0])


if __name__ == "__main__":
    unittest.main()
