"""A deterministic stand-in for a model, in plain rules: good enough to run the whole loop on a laptop with no key.

It reads `request.facts`, never the prompt: {"inputs", "state", "tools", "step"} for a step, {"inputs"} for a native
call, {"first", "second"} for the judge. A capability that it knows is answered by its rule. Any other question gets the
least answer that its schema allows: inputs are echoed into fields of the same name, the rest are empty values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from donna_skills.llm.offline import emails, judge, pages, shapes, tasks, triage
from donna_skills.llm.port import ModelRequest

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
    "judge": judge.judge,
    "triage": triage.decide,
}


def answer(request: ModelRequest, *, blunt: bool) -> str:
    """The JSON text of the answer; the same request always gets the same one."""
    rule = RULES.get(request.task_type)
    known = rule(request.facts, blunt) if rule else None
    found = shapes.fit(known or {}, request.schema, facts=request.facts)
    return json.dumps(found, ensure_ascii=False)
