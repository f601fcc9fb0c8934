"""Rules for what goes wrong: which requests they hit, how often, and what then happens."""

import random
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sandbox.commands import BadOrder, required
from sandbox.state import World

KINDS = {
    "status": int,  # an answer with this HTTP status, in the vendor's shape
    "error": str,  # an answer with this code of the vendor's own
    "garbage": None,  # 200 with an HTML page
    "page": int,  # the same with this HTTP status, as a gateway in front of the vendor answers
    "cut_request": float,  # stops reading after this percentage of the body, and resets the connection
    "lose_answer": None,  # the deed is done, the connection closed without an answer
    "delay": float,  # an answer this many seconds late
    "hang": float,  # silence for this many seconds, then the connection is closed
    "slow": int,  # bytes a second, in and out
}
NO_EFFECT = {"cut_request", "slow"}
"""Kinds for which «do the deed first» makes no sense."""

FIELDS = {
    "match": str,
    "do": str,
    "nth": int | None,
    "probability": float | int | None,
    "seed": int,
    "times": int | None,
    "retry_after": int | None,
    "effect": bool,
}
"""What an order may hold; a rule's counters are its own."""


@dataclass
class Rule:
    """`match` is searched in "METHOD /path". Without `nth` or `probability` it hits every request.

    - `nth`: the n-th request that matches (from 1), and with `times` as many from there on
    - `probability`: by lot, with the same lots for the same `seed`
    - `times`: no more hits than this
    - `retry_after`: seconds
    - `effect`: the deed is done before the trouble comes
    - `seen`, `hits`: requests that matched, and those that were hit
    """

    match: str
    do: str
    nth: int | None = None
    probability: float | None = None
    seed: int = 0
    times: int | None = None
    retry_after: int | None = None
    effect: bool = False
    seen: int = 0
    hits: int = 0

    @property
    def kind(self) -> str:
        return self.do.partition(":")[0]

    @property
    def argument(self) -> Any:
        parse = KINDS[self.kind]
        return parse(self.do.partition(":")[2]) if parse else None

    def strikes(self) -> bool:
        """Whether it hits the request that was just counted in `seen`."""
        if self.times is not None and self.hits >= self.times:
            return False
        if self.nth is not None:
            return self.seen >= self.nth and self.hits < (self.times or 1)
        if self.probability is not None:
            # A lot by number instead of a running generator: a restart does not begin the row anew.
            return random.Random(f"{self.seed}/{self.seen}").random() < self.probability
        return True


class Troubles:
    def __init__(self, world: World) -> None:
        self._world = world
        self._rules = world.table("rule", Rule)

    def replace(self, orders: list[Mapping[str, Any]]) -> None:
        """All rules at once, or none of them. Raises BadOrder."""
        self._set([_rule(order) for order in orders])

    def add(self, order: Mapping[str, Any]) -> None:
        """One more. Raises BadOrder."""
        self._set([*self._rules, _rule(order)])

    def _set(self, rules: list[Rule]) -> None:
        with self._world.lock:
            self._rules.clear()
            for number, rule in enumerate(rules):
                self._rules.put(str(number), rule)

    def strike(self, *calls: str) -> Rule | None:
        """The rule that hits a request, known as any of these "METHOD /path". The first that strikes wins."""
        struck = None
        with self._world.lock:
            for number, rule in enumerate(self._rules):
                if not any(re.search(rule.match, call) for call in calls):
                    continue
                rule.seen += 1
                if struck is None and rule.strikes():
                    rule.hits += 1
                    struck = rule
                self._rules.put(str(number), rule)
        return struck

    def as_json(self) -> list[dict[str, Any]]:
        with self._world.lock:
            rules = [asdict(rule) for rule in self._rules]
        return [{name: value for name, value in rule.items() if value is not None} for rule in rules]


def _rule(order: Mapping[str, Any]) -> Rule:
    if not isinstance(order, Mapping):
        raise BadOrder(f"a rule is an object, not {order!r}")
    for name, value in order.items():
        if name not in FIELDS or not isinstance(value, FIELDS[name]):
            raise BadOrder(f"a rule has {', '.join(FIELDS)}, and not {name} = {value!r}")
    required(order, "match")
    required(order, "do")
    rule = Rule(**order)
    if rule.kind not in KINDS:
        raise BadOrder(f"do is one of {', '.join(KINDS)}, not {rule.do!r}")
    try:
        re.compile(rule.match)
        if KINDS[rule.kind] in (int, float) and rule.argument < (rule.kind == "slow"):
            raise ValueError("too little")
    except (re.error, ValueError) as error:
        raise BadOrder(f"{rule.match!r} {rule.do!r}: {error}") from error
    if KINDS[rule.kind] and not rule.do.partition(":")[2]:
        raise BadOrder(f"{rule.kind} needs a value: {rule.kind}:…")
    if rule.nth is not None and rule.probability is not None:
        raise BadOrder("nth or probability, not both")
    if rule.effect and rule.kind in NO_EFFECT:
        raise BadOrder(f"{rule.kind} cannot do the deed first")
    return rule
