#!/usr/bin/env python3
"""asyncio's queue in a testee that complains when it is told of a time behind its deadline: `late_testee.py on_time|late`."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "testees" / "python"))

import asyncio_testee  # noqa: E402, F401: it brings the subjects
from assay_testee import Host  # noqa: E402
from assay_testee.asyncio_trial import AsyncioTrial  # noqa: E402


class Trial(AsyncioTrial):
    late = sys.argv[1] == "late"


class Complainer(Host):
    deadline = None

    def answer(self, message):
        instant = message.get("instant")
        if instant is None:
            self.deadline = None
        elif self.deadline is not None and instant["now"] > self.deadline:
            return {"error": f"it is {instant['now']}, and what was due at {self.deadline} has not happened"}
        answer = super().answer(message)
        if instant is not None and instant["run"]:
            self.deadline = answer["instant"]["deadline"]
        return answer


if __name__ == "__main__":
    Complainer("asyncio", Trial).serve()
