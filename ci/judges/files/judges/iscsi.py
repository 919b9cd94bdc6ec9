# SPDX-License-Identifier: MIT OR Apache-2.0
"""libiscsi's iscsi-test-cu on sg nodes, each of its tests compared with iscsi-test-cu.md."""

import argparse
import collections
import re
import subprocess
import sys
import threading

import luns
import table
from lib import fail, run, say

FAMILY = "SCSI"  # "LINUX" is a part of it, and "iSCSI" is about a transport that is not here.
Result = collections.namedtuple("Result", "verdict text essence")


def suites():
    """The names of all tests, by suite, in the program's order."""
    found = {}
    for line in run("iscsi-test-cu", "--list").stdout.split():
        words = line.split(".")
        if words[0] == FAMILY and len(words) == 3:
            found.setdefault(words[1], []).append(words[2])
    if not found:
        fail("iscsi-test-cu lists no tests")
    return found


def judge(output, names):
    """What each test of a suite came to; the one that ended the program has crashed."""
    parts = re.split(r"^  Test: (\S+) \.\.\.", output.partition("\nRun Summary:")[0], flags=re.M)
    found = {}
    for name, text in zip(parts[1::2], parts[2::2]):
        if name not in names:
            fail("iscsi-test-cu ran a test that it does not list:", name)
        if re.search(r"(^|\n)FAILED$|FAILED\n", text) and "passed" not in text:
            verdict = "fail"
        elif re.search(r"passed\s*$", text):
            verdict = "skip" if "[SKIPPED]" in text else "pass"
        else:
            verdict = "crash"
        found[name] = Result(verdict, text.strip(), essence(verdict, text))
    return found


def essence(verdict, text):
    """What a test has to say about not having passed: the assertions that failed, or what it left out."""
    if verdict == "fail":
        return re.findall(r"^ +\d+\. (\S+ .*)$", text, flags=re.M)
    if verdict == "skip":
        return re.findall(r"\[SKIPPED\] .*", text)
    return ["the program ended"] if verdict == "crash" else []


def play(suite, names, nodes, seconds):
    """Runs a suite in one process; after a crash, each of the tests that are left in one of its own."""
    found = {}
    wanted = "%s.%s" % (FAMILY, suite)
    while len(found) < len(names):
        for node in nodes:
            luns.settle(node)
        argv = ["iscsi-test-cu", "--dataloss", "--allow-sanitize", "--verbose", "--test", wanted, *nodes]
        try:
            output = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                    text=True, errors="replace", timeout=seconds, check=False).stdout
        except subprocess.TimeoutExpired:
            fail("%s has not ended after %d s" % (wanted, seconds))
        results = judge(output, names)
        if not results:
            fail("%s ran nothing:\n%s" % (wanted, output))
        found.update(results)
        left = [name for name in names if name not in found]
        wanted = "%s.%s.%s" % (FAMILY, suite, left[0]) if left else None
    return found


def complaints(kind, test, row, result, reasons):
    """What is wrong with a result, for people."""
    expected = row[kind]
    if result.verdict != expected:
        return "%s on %s: %s, expected %s" % (test, kind, result.verdict, expected)
    says = [reasons[key]["it says"] for key in row["why"].split()]
    strange = [line for line in result.essence if not any(re.search(pattern, line) for pattern in says)]
    if strange:
        return "%s on %s: %s as expected, but not because of %s" % (test, kind, result.verdict, strange[0])
    return None


def check_document(rows, reasons):
    """The table must explain all that is not a pass, with reasons that it has, and have none that nobody needs."""
    used = set()
    for row in rows:
        keys = set(row["why"].split())
        used |= keys
        if keys - set(reasons):
            fail("%s: no reason is called %s" % (row["test"], keys - set(reasons)))
        if not keys and set(row[kind] for kind in row if kind not in ("test", "why")) - {"pass", "-"}:
            fail("%s: neither a pass nor a reason" % row["test"])
    if set(reasons) - used:
        fail("reasons that no test needs: %s" % (set(reasons) - used))


def compare(kind, nodes, expected, reasons, listed, seconds, seen, wrong):
    """Plays every suite that the table has for a kind of LUN, and notes what was seen, and what of it was not expected."""
    if kind == "cdrom":
        nodes = nodes[:1]  # Two paths are for disks alone, says the program.
    for suite, names in listed.items():
        rows = {name: expected["%s.%s" % (suite, name)] for name in names}
        if all(row[kind] == "-" for row in rows.values()):
            continue
        for name, result in play(suite, names, nodes, seconds).items():
            test = "%s.%s" % (suite, name)
            seen[kind, test] = result
            complaint = complaints(kind, test, rows[name], result, reasons)
            if complaint is not None:
                wrong.append(complaint)
                say("UNEXPECTED", complaint)
                say("    " + "\n    ".join(result.text.splitlines()[:12]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", action="store_true", help="print the table with what was seen")
    parser.add_argument("--seconds", type=int, default=600, help="the longest that one suite may take")
    parser.add_argument("kinds", nargs="*", help="kinds of LUNs; all that the table has, if none is named")
    options = parser.parse_args()
    rows, reasons = table.tables("iscsi-test-cu.md")
    check_document(rows, {row["key"]: row for row in reasons})
    kinds = options.kinds or [name for name in rows[0] if name in luns.KINDS]
    listed = suites()
    expected = {row["test"]: row for row in rows}
    tests = ["%s.%s" % (suite, name) for suite, names in listed.items() for name in names]
    if list(expected) != tests:
        fail("the table and iscsi-test-cu list different tests: %s" % (set(expected) ^ set(tests)))
    seen, wrong, nodes = {}, [], luns.make(kinds)
    reasons = {row["key"]: row for row in reasons}
    jobs = [threading.Thread(target=compare, args=(kind, nodes[kind], expected, reasons, listed, options.seconds, seen, wrong))
            for kind in kinds]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
    for kind in kinds:
        verdicts = [result.verdict for (of, _), result in seen.items() if of == kind]
        due = sum(row[kind] != "-" for row in rows)
        say("%s: %d tests," % (kind, len(verdicts)), ", ".join("%d %s" % (verdicts.count(v), v) for v in sorted(set(verdicts))))
        if len(verdicts) != due:
            wrong.append("%s: %d of %d tests" % (kind, len(verdicts), due))
    if options.table:
        table.show([{name: seen[name, row["test"]].verdict if (name, row["test"]) in seen else row[name] for name in row} for row in rows])
    if wrong:
        fail("%d results are not what the table says:" % len(wrong), "; ".join(wrong))
    say("as the table says")


if __name__ == "__main__":
    sys.exit(main())
