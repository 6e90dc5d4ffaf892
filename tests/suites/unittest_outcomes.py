"""Runs tests of the standard library in an environment that knows nothing of ours and writes what became of each as JSON:

python unittest_outcomes.py OUT.json PATTERN[,PATTERN...] MODULE...   tests whose id contains one of the patterns
"""

import faulthandler
import json
import os
import signal
import sys
import unittest


class Recorded(unittest.TextTestResult):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.outcomes = {}

    def record(self, test, outcome, text=""):
        if self.outcomes.get(test.id(), ["passed"])[0] == "passed":
            self.outcomes[test.id()] = [outcome, text]

    def addSuccess(self, test):
        super().addSuccess(test)
        self.record(test, "passed")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.record(test, "failed", self.failures[-1][1])

    def addError(self, test, error):
        super().addError(test, error)
        self.record(test, "failed", self.errors[-1][1])

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.record(test, "failed", self._exc_info_to_string(error, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.record(test, "skipped", reason)

    def addExpectedFailure(self, test, error):
        super().addExpectedFailure(test, error)
        self.record(test, "passed")


def flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flat(test)
        else:
            yield test


def is_left_out(test):
    names = os.environ.get("MANYCORE_SUITE_LEAVE_OUT", "")
    return any(name in test.id() for name in names.split(",") if name)


def main():
    # Where a test hangs, whoever waits for it asks every process, workers too, where its threads are.
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    out, patterns, *modules = sys.argv[1:]
    loader = unittest.TestLoader()
    loader.testNamePatterns = [pattern if "*" in pattern else f"*{pattern}*" for pattern in patterns.split(",")]
    suite = unittest.TestSuite(test for test in flat(loader.loadTestsFromNames(modules)) if not is_left_out(test))
    result = unittest.TextTestRunner(resultclass=Recorded, verbosity=2).run(suite)
    with open(out, "w") as file:
        json.dump(result.outcomes, file)


if __name__ == "__main__":
    main()
