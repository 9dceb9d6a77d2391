"""A deterministic stand-in for a model, in plain rules: good enough to run the whole loop on a laptop with no key.

It reads `request.facts`: {"inputs", "state", "tools", "step"} for a step, {"inputs"} for a native call, {"first",
"second"} for the judge, {"capability", "samples"} or {"capability", "files", "cases", …} for the author. Of a prompt it
reads one thing, the rules that a skill's step may begin with (see `learned`): such a step is answered by them alone.
Otherwise a capability that it knows is answered by its rule. Any other question gets the least answer that its schema
allows: inputs are echoed into fields of the same name, the rest are empty values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from donna_skills.llm.offline import author, emails, evolve, judge, learned, mails, pages, shapes, tasks, triage
from donna_skills.llm.port import ModelRequest, Purpose

# A rule takes the facts and whether to be blunt (the parser's part), and returns what it knows; None is "no idea".
Rule = Callable[[Mapping[str, Any], bool], Mapping[str, Any] | None]

RULES: dict[str, Rule] = {
    "parse_task": tasks.parse_task,
    "dedup_check": tasks.dedup_check,
    "classify_priority": tasks.classify_priority,
    "email_triage": emails.triage_email,
    "fetch_and_summarize": pages.summarise_page,
    "summarise": pages.summarise_page,
    "news_check": pages.check_news,
    "product_watch": pages.watch_product,
    "read_dispatch_mail": mails.read_dispatch_mail,
    "judge": judge.judge,
    "triage": triage.decide,
}

AUTHORS: dict[str, Rule] = {Purpose.DRAFT: author.draft, Purpose.EVOLUTION: evolve.evolve}
"""By purpose, since a task type may be any capability's name."""

_OF_A_SKILL = {Purpose.SKILL_STEP, Purpose.VALIDATION}


def answer(request: ModelRequest, *, blunt: bool) -> str:
    """The JSON text of the answer; the same request always gets the same one."""
    if request.purpose in _OF_A_SKILL and (rules := learned.rules_of(request.prompt)) is not None:
        return json.dumps(learned.answer(rules, shapes.inputs_of(request.facts)), ensure_ascii=False)
    rule = AUTHORS.get(request.purpose) or RULES.get(request.task_type)
    known = rule(request.facts, blunt) if rule else None
    found = shapes.fit(known or {}, request.schema, facts=request.facts)
    return json.dumps(found, ensure_ascii=False)
