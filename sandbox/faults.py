"""Fault rules: which requests they match, how often, and which fault is injected."""

import random
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.commands import BadCommand, required
from sandbox.state import State

KINDS = {
    "status": int,  # a response with this HTTP status, in the vendor's format
    "error": str,  # a response with this error code of the vendor
    "garbage": None,  # 200 with an HTML page
    "page": int,  # the same with this HTTP status, as from a gateway in front of the vendor
    "cut_request": float,  # reads this percentage of the body, then resets the connection
    "lose_answer": None,  # handles the request, then closes the connection without a response
    "delay": float,  # waits this many seconds, then handles the request
    "hang": float,  # waits this many seconds, then closes the connection
    "slow": int,  # bytes a second in both directions
}
NO_EFFECT = {"cut_request", "slow"}
"""Kinds that do not allow `effect`."""
REPEATING = {"status", "error"}
"""Kinds that allow `repeat`."""

FIELDS = {
    "match": str,
    "do": str,
    "nth": int | None,
    "probability": float | int | None,
    "seed": int,
    "times": int | None,
    "retry_after": int | None,
    "effect": bool,
    "repeat": bool,
}
"""Fields of a rule in a command; the counters are not among them."""


@dataclass
class Rule:
    """`match` is a regex, searched in "METHOD /path". Without `nth` or `probability` every matching request fails.

    - `nth`: the n-th matching request (from 1); with `times`, that many from there on
    - `probability`: pseudo-random, the same sequence for the same `seed`
    - `times`: at most this many hits
    - `retry_after`: seconds
    - `effect`: the request is handled before the fault
    - `repeat`: each text of the response repeats what the request carried, its token too
    - `seen`, `hits`: matching requests, and those that got the fault
    """

    match: str
    do: str
    nth: int | None = None
    probability: float | None = None
    seed: int = 0
    times: int | None = None
    retry_after: int | None = None
    effect: bool = False
    repeat: bool = False
    seen: int = 0
    hits: int = 0

    @property
    def kind(self) -> str:
        return self.do.partition(":")[0]

    @property
    def argument(self) -> Any:
        parse = KINDS[self.kind]
        return parse(self.do.partition(":")[2]) if parse else None

    def matches(self) -> bool:
        """Returns whether the request last counted in `seen` gets the fault."""
        if self.times is not None and self.hits >= self.times:
            return False
        if self.nth is not None:
            return self.seen >= self.nth and self.hits < (self.times or 1)
        if self.probability is not None:
            # Seeded by the count instead of one running generator: a restart continues the sequence.
            return random.Random(f"{self.seed}/{self.seen}").random() < self.probability
        return True


class FaultRules:
    def __init__(self, state: State) -> None:
        self._state = state
        self._rules = state.table("rule", Rule)

    def replace(self, commands: list[Mapping[str, Any]]) -> None:
        """Replaces all rules; changes nothing if one is invalid. Raises BadCommand."""
        self._set([_parse_rule(command) for command in commands])

    def add(self, command: Mapping[str, Any]) -> None:
        """Adds one rule. Raises BadCommand."""
        self._set([*self._rules, _parse_rule(command)])

    def _set(self, rules: list[Rule]) -> None:
        with self._state.lock:
            self._rules.clear()
            for number, rule in enumerate(rules):
                self._rules.put(str(number), rule)

    def match(self, *calls: str) -> Rule | None:
        """Counts a request, given as one or more "METHOD /path", and returns the first rule that applies to it."""
        matched = None
        with self._state.lock:
            for number, rule in enumerate(self._rules):
                if not any(re.search(rule.match, call) for call in calls):
                    continue
                rule.seen += 1
                if matched is None and rule.matches():
                    rule.hits += 1
                    matched = rule
                self._rules.put(str(number), rule)
        return matched

    def as_json(self) -> list[dict[str, Any]]:
        with self._state.lock:
            rules = [asdict(rule) for rule in self._rules]
        return [{name: value for name, value in rule.items() if value is not None} for rule in rules]


def _parse_rule(command: Mapping[str, Any]) -> Rule:
    if not isinstance(command, Mapping):
        raise BadCommand(f"a rule is an object, not {command!r}")
    for name, value in command.items():
        if name not in FIELDS or not isinstance(value, FIELDS[name]):
            raise BadCommand(f"a rule has {', '.join(FIELDS)}, and not {name} = {value!r}")
    required(command, "match")
    required(command, "do")
    rule = Rule(**command)
    if rule.kind not in KINDS:
        raise BadCommand(f"do is one of {', '.join(KINDS)}, not {rule.do!r}")
    try:
        re.compile(rule.match)
        if KINDS[rule.kind] in (int, float) and rule.argument < (rule.kind == "slow"):
            raise ValueError("too small")
    except (re.error, ValueError) as error:
        raise BadCommand(f"{rule.match!r} {rule.do!r}: {error}") from error
    if KINDS[rule.kind] and not rule.do.partition(":")[2]:
        raise BadCommand(f"{rule.kind} needs a value: {rule.kind}:…")
    if rule.nth is not None and rule.probability is not None:
        raise BadCommand("nth or probability, not both")
    if rule.effect and rule.kind in NO_EFFECT:
        raise BadCommand(f"{rule.kind} does not allow effect")
    if rule.repeat and rule.kind not in REPEATING:
        raise BadCommand(f"{rule.kind} does not allow repeat")
    return rule
