"""The review queue for people who live on the command line: same services, same rules, as a named person."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from donna_skills.accounts.models import User
from donna_skills.errors import DonnaError
from donna_skills.notifications.models import Notification
from lifecycle import review_selectors, review_words
from lifecycle.models import GateDecision, Review, ReviewState, RiskTier
from lifecycle.services import reviews, versions
from lifecycle.states import STATES, State

NEWS = 5


class Command(BaseCommand):
    help = "List drafts, look at one, and approve or reject what waits."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="drafts|inspect|approve|reject")
        listing = verbs.add_parser("drafts", help="versions that have not served yet")
        listing.add_argument("--pending", action="store_true", help="only those that wait for a decision")
        listing.add_argument("--as", dest="person", metavar="USER", help="also say what is new for this person")
        looking = verbs.add_parser("inspect", help="one skill's draft: verdict, evidence and files")
        deciding = [
            verbs.add_parser("approve", help="say yes to what is there now, or to the digest that was seen"),
            verbs.add_parser("reject", help="say no, with a reason"),
        ]
        for one in (looking, *deciding):
            one.add_argument("name", help="the capability's name")
            one.add_argument("--kind", help="which of its reviews, where several wait")
        for one in deciding:
            one.add_argument("--as", dest="person", required=True, metavar="USER", help="who decides")
            one.add_argument("--digest", default="", help="what `inspect` showed: nothing else is decided about")
        deciding[0].add_argument("--comment", default="")
        deciding[0].add_argument("--keep-gate", action="store_true", help="ask again before each promotion")
        deciding[1].add_argument("--reason", required=True, help="the next draft learns from it")

    def handle(self, *args: Any, **options: Any) -> None:
        verbs: dict[str, Callable[[dict[str, Any]], None]] = {
            "drafts": self._drafts,
            "inspect": self._inspect,
            "approve": self._approve,
            "reject": self._reject,
        }
        try:
            verbs[options["verb"]](options)
        except DonnaError as refused:
            raise CommandError(str(refused)) from refused

    def _drafts(self, options: dict[str, Any]) -> None:
        found = review_selectors.drafts(pending=options["pending"])
        rows: list[tuple[str, ...]] = [("SKILL", "VERSION", "VERDICT", "STAGE", "RISK", "CANDIDATE", "MANUAL REVIEW")]
        rows += [_cells(line) for line in found]
        for row in rows if found else []:
            self.stdout.write("  ".join(_padded(row, rows)).rstrip())
        if not found:
            self.stdout.write("No draft waits for a decision." if options["pending"] else "There are no drafts.")
        if options["person"]:
            self._news(_person(options["person"]))

    def _news(self, person: User) -> None:
        """What the person has not read yet, newest first."""
        unread = Notification.objects.filter(person=person, read_at__isnull=True).order_by("-created_at", "-id")
        count = unread.count()
        self.stdout.write(f"\n{count} unread for {person}." if count else f"\nNothing new for {person}.")
        for line in unread[:NEWS]:
            self.stdout.write(f"  {_harmless(line.title)}")

    def _inspect(self, options: dict[str, Any]) -> None:
        review = _review(options, pending=False)
        version, skill = review.version, review.skill
        manual, why = review_selectors.manual_review(review)
        self.stdout.write(f"{review} ({review.pk})")
        self._line("state", review.get_state_display() + (f" by {review.decided_by}" if review.decided_by else ""))
        if skill is not None and version is not None:
            attempt = version.drafted_in.first()
            self._line("version", f"{version.number}, {version.get_author_kind_display().lower()}")
            self._line("candidate", str(attempt.candidate_id) if attempt else "none")
            self._line("stage", STATES[State(skill.state)].label)
        self._line("verdict", review.get_verdict_display() or "not checked yet")
        self._line("risk", RiskTier(review.risk).label)
        for reason in review.risk_reasons:
            self.stdout.write(f"    {_harmless(reason['message'])}")
        self._line("manual review", f"{'needed' if manual else 'not needed'}: {why}")
        if review.state == ReviewState.OPEN:
            self._line("if approved", review_words.approving(review))
            self._line("if rejected", review_words.rejecting(review))
            self._line("digest", reviews.seen_digest(review))
        if review.summary:
            self._line("summary", review.summary)
        self._evidence(review)

    def _evidence(self, review: Review) -> None:
        version = review.version
        if version is None:
            return
        decisions = GateDecision.objects.filter(skill_id=version.skill_id, digest=version.digest)
        decision = decisions.order_by("-id").first()
        for gate in decision.gates if decision else []:
            self.stdout.write(f"  gate {json.dumps(gate, ensure_ascii=True, sort_keys=True)}")
        for path, content in sorted(versions.files_of(version).items()):
            self.stdout.write(f"\n--- {_harmless(path)}")
            self.stdout.write(_harmless(content.decode("utf-8", "backslashreplace")))

    def _line(self, name: str, value: str) -> None:
        self.stdout.write(f"  {name}: {_harmless(value)}")

    def _approve(self, options: dict[str, Any]) -> None:
        review, person = _review(options, pending=True), _person(options["person"])
        decided = reviews.approve(
            review,
            by=person,
            comment=options["comment"],
            seen_digest=options["digest"] or reviews.seen_digest(review),
            keep_gate=options["keep_gate"],
        )
        if decided.state == ReviewState.OPEN:
            self.stdout.write("Your approval is kept. The risk is high: a second person has to approve it too.")
            return
        self.stdout.write(review_words.happened(decided))

    def _reject(self, options: dict[str, Any]) -> None:
        review, person = _review(options, pending=True), _person(options["person"])
        seen = options["digest"] or reviews.seen_digest(review)
        decided = reviews.reject(review, by=person, reason=options["reason"], seen_digest=seen)
        self.stdout.write(review_words.happened(decided))


def _cells(line: review_selectors.DraftLine) -> tuple[str, ...]:
    review = line.review
    state = STATES[State(review.skill.state)].label if review.skill else ""
    manual = f"{'yes' if line.manual else 'no'}: {line.why}"
    risk = RiskTier(review.risk).label.lower()
    return (
        review.capability.name,
        str(line.version.number),
        review.verdict or "none",
        state,
        risk,
        line.candidate or "-",
        manual,
    )


def _padded(row: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(other[index]) for other in rows) for index in range(len(row))]
    return [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]


def _review(options: dict[str, Any], *, pending: bool) -> Review:
    """The review that the name means: the open one, or for a look the newest decided one."""
    found = Review.objects.filter(capability__name=options["name"])
    if options["kind"]:
        found = found.filter(kind=options["kind"])
    waiting = list(found.filter(state=ReviewState.OPEN).values_list("pk", "kind"))
    if len(waiting) > 1:
        kinds = ", ".join(sorted(kind for _, kind in waiting))
        raise CommandError(f"Several reviews of {options['name']!r} wait: say which with --kind ({kinds}).")
    newest = None if pending else found.order_by("-id").values_list("pk", flat=True).first()
    review = review_selectors.review(waiting[0][0] if waiting else newest)
    if review is None:
        raise CommandError(f"Nothing of {options['name']!r} {'waits for a decision' if pending else 'was reviewed'}.")
    return review


def _person(username: str) -> User:
    person = User.objects.filter(username=username, is_active=True).first()
    if person is None:
        raise CommandError(f"There is no active user {username!r}.")
    return person


def _harmless(text: str) -> str:
    """The text with everything that could move a terminal's cursor or hide letters written out."""
    return "".join(letter if letter in "\n\t" or letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
