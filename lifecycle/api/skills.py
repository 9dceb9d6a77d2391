"""Routes for skills: their state and history, their versions, and the packages that bots execute themselves."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from donna_skills.accounts.models import Scope
from donna_skills.errors import FieldError, Invalid, NotFound, TooLarge
from donna_skills.rest import etags, openapi, pages
from donna_skills.rest.auth import ApiRequest, scope
from donna_skills.rest.idempotency import idempotent
from donna_skills.rest.parsing import whole_body
from lifecycle import selectors
from lifecycle.api import serialize, shapes
from lifecycle.models import Skill, SkillVersion
from lifecycle.packages import archive
from lifecycle.packages.model import PackageInvalid
from lifecycle.services import skills, versions
from lifecycle.states import CONDITIONS, REASON_ACTORS, STATES, TABLE, Reason, State

router = Router(tags=["skills"])
READ, WRITE = scope(Scope.SKILLS_READ), scope(Scope.SKILLS_WRITE)
ZIP = "application/zip"
_ZIPPED: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_CHANGELOG = {
    "name": "X-Changelog",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 10_000},
    "description": "What is new, for a zip; a JSON body has it in `changelog`.",
}


class SkillFilters(pages.PageQuery):
    state: State | None = None
    capability: str | None = None


class PackageQuery(shapes.In):
    pin: str = ""


@router.get("/skills", auth=READ, operation_id="list_skills", response=pages.Page[shapes.SkillOut], summary="Skills")
def list_skills(request: HttpRequest, query: Query[SkillFilters]) -> Any:
    found = selectors.skill_list(state=query.state or "", capability=query.capability or "")
    return pages.page(found, query=query, order="id", serialize=serialize.skill_out)


@router.get(
    "/skills/transitions",
    auth=READ,
    operation_id="get_state_table",
    response=shapes.StateTableOut,
    summary="The table of states, reasons and who may give them",
)
def get_state_table(request: HttpRequest) -> Any:
    return {
        "states": [{"state": s, "label": look.label, "meaning": look.meaning} for s, look in STATES.items()],
        "reasons": [{"reason": r, "label": r.label, "actor": REASON_ACTORS[r]} for r in Reason],
        "transitions": [
            {"from_state": a, "to_state": b, "reasons": sorted(reasons)} for (a, b), reasons in TABLE.items()
        ],
        "conditions": [
            {"from_state": a, "to_state": b, "reason": r, "condition": words} for (a, b, r), words in CONDITIONS.items()
        ],
    }


@router.get(
    "/skills/{skill_id}",
    auth=READ,
    operation_id="get_skill",
    response={200: shapes.SkillDetailOut, 304: None},
    summary="One skill, its version, its baseline and what keeps it from the next state",
)
def get_skill(request: HttpRequest, skill_id: UUID, response: HttpResponse) -> Any:
    found = serialize.skill_detail_out(_skill(skill_id))
    etag = etags.strong(found)
    if same := etags.not_modified(request, etag):
        return same
    response["ETag"] = etag
    return found


@router.post(
    "/skills/{skill_id}/state",
    auth=WRITE,
    operation_id="move_skill",
    response=shapes.StateOut,
    summary="Move a skill by hand, as the table and the human gate allow",
)
@idempotent
def move_skill(request: ApiRequest, skill_id: UUID, body: shapes.StateIn) -> Any:
    moved = skills.request_move(
        _skill(skill_id), to_state=body.to_state, reason=body.reason, actor=request.actor, note=body.notes or ""
    )
    return {
        "skill_id": moved.skill.pk,
        "from_state": moved.from_state,
        "to_state": moved.to_state,
        "transition_id": moved.transition_id,
    }


@router.post(
    "/skills/{skill_id}/flags/requires_human_gate",
    auth=WRITE,
    operation_id="set_human_gate",
    response=shapes.SkillOut,
    summary="Whether promotions need a person; a bot may only close the gate",
)
@idempotent
def set_human_gate(request: ApiRequest, skill_id: UUID, body: shapes.FlagIn) -> Any:
    return serialize.skill_out(skills.set_human_gate(_skill(skill_id), body.value, actor=request.actor))


@router.post(
    "/skills/{skill_id}/pause",
    auth=WRITE,
    operation_id="pause_skill",
    response=shapes.SkillOut,
    summary="Stop serving at once; the reference model answers",
)
@idempotent
def pause_skill(request: ApiRequest, skill_id: UUID, body: shapes.NoteIn | None = None) -> Any:
    return serialize.skill_out(
        skills.pause(_skill(skill_id), actor=request.actor, note=(body.note or "") if body else "")
    )


@router.post(
    "/skills/{skill_id}/resume",
    auth=WRITE,
    operation_id="resume_skill",
    response=shapes.SkillOut,
    summary="Serve again; takes a person's token",
)
@idempotent
def resume_skill(request: ApiRequest, skill_id: UUID, body: shapes.NoteIn | None = None) -> Any:
    return serialize.skill_out(
        skills.resume(_skill(skill_id), actor=request.actor, note=(body.note or "") if body else "")
    )


@router.get(
    "/skills/{skill_id}/transitions",
    auth=READ,
    operation_id="list_skill_transitions",
    response=pages.Page[shapes.TransitionOut],
    summary="Every move of one skill, newest first",
)
def list_skill_transitions(request: HttpRequest, skill_id: UUID, query: Query[pages.PageQuery]) -> Any:
    found = _skill(skill_id).transitions.select_related("version")
    return pages.page(found, query=query, serialize=serialize.transition_out)


@router.get(
    "/skills/{skill_id}/runs",
    auth=READ,
    operation_id="list_skill_runs",
    response=pages.Page[shapes.RunOut],
    summary="Runs of one skill, newest first",
)
def list_skill_runs(request: HttpRequest, skill_id: UUID, query: Query[pages.PageQuery]) -> Any:
    found = selectors.run_list(skill_id=_skill(skill_id).pk)
    return pages.page(found, query=query, serialize=serialize.run_out)


@router.get(
    "/skills/{skill_id}/divergences",
    auth=READ,
    operation_id="list_divergences",
    response=pages.Page[shapes.DivergenceOut],
    summary="How far the skill's answers agreed with the reference's, newest first",
)
def list_divergences(request: HttpRequest, skill_id: UUID, query: Query[pages.PageQuery]) -> Any:
    found = _skill(skill_id).divergences.select_related("version")
    return pages.page(found, query=query, serialize=serialize.divergence_out)


@router.get(
    "/skills/{skill_id}/fixtures",
    auth=READ,
    operation_id="list_skill_fixtures",
    response=pages.Page[shapes.FixtureOut],
    summary="The worked examples of one skill",
)
def list_skill_fixtures(request: HttpRequest, skill_id: UUID, query: Query[pages.PageQuery]) -> Any:
    return pages.page(_skill(skill_id).fixtures.all(), query=query, serialize=serialize.fixture_out)


@router.get(
    "/skills/{skill_id}/versions",
    auth=READ,
    operation_id="list_versions",
    response=pages.Page[shapes.VersionOut],
    summary="Versions, newest first",
)
def list_versions(request: HttpRequest, skill_id: UUID, query: Query[pages.PageQuery]) -> Any:
    found = _skill(skill_id).versions.select_related("parent", "author")
    return pages.page(found, query=query, serialize=serialize.version_out)


@router.post(
    "/skills/{skill_id}/versions",
    auth=WRITE,
    operation_id="submit_version",
    response={201: shapes.SubmittedOut},
    summary="Hand in a package (files as JSON, or a zip) as a draft that a person reviews",
    openapi_extra={
        **openapi.body(content={"application/json": shapes.VersionIn, ZIP: _ZIPPED["schema"]}),
        "parameters": [_CHANGELOG],
    },
)
@idempotent
def submit_version(request: ApiRequest, skill_id: UUID) -> Any:
    files, changelog = _handed_in(request)
    skill = _skill(skill_id)
    version, review = skills.submit_version(skill, files=files, actor=request.actor, changelog=changelog)
    return Status(201, {"version": serialize.version_out(version), "review_id": review.pk, "state": skill.state})


@router.get(
    "/skills/{skill_id}/versions/{number}",
    auth=READ,
    operation_id="get_version",
    response={200: shapes.VersionOut, 304: None},
    summary="One version",
)
def get_version(request: HttpRequest, skill_id: UUID, number: int, response: HttpResponse) -> Any:
    version = _version(skill_id, number)
    etag = etags.strong(version.pk, version.status)
    if same := etags.not_modified(request, etag):
        return same
    response["ETag"] = etag
    return serialize.version_out(version)


@router.get(
    "/skills/{skill_id}/versions/{number}/package",
    auth=READ,
    operation_id="get_version_package",
    response={200: shapes.PackageOut, 304: None},
    summary="A version's files, as JSON or (Accept: application/zip) as a zip",
    openapi_extra={"responses": {200: {"content": {ZIP: _ZIPPED}}}},
)
def get_version_package(request: HttpRequest, skill_id: UUID, number: int) -> Any:
    return _package(request, _version(skill_id, number))


@router.get(
    "/packages/{capability}",
    auth=READ,
    operation_id="get_package",
    response={200: shapes.PackageOut, 304: None},
    summary="The released package, for bots that execute skills themselves",
    openapi_extra={"responses": {200: {"content": {ZIP: _ZIPPED}}, **openapi.failing(410)["responses"]}},
)
def get_package(request: HttpRequest, capability: str, query: Query[PackageQuery]) -> Any:
    digest = skills.released_digest(capability, pin=query.pin)
    if same := _same_package(request, digest):
        return same
    related = ("skill__capability", "parent", "author")
    version = SkillVersion.objects.select_related(*related).get(skill__capability__name=capability, digest=digest)
    return _package(request, version)


def _same_package(request: HttpRequest, digest: str) -> HttpResponse | None:
    """The 304 for a caller that has these files already."""
    headers = _package_headers(request, digest)
    same = etags.not_modified(request, headers["ETag"])
    if same is not None:
        for name, value in headers.items():
            same[name] = value
    return same


def _package_headers(request: HttpRequest, digest: str) -> dict[str, str]:
    """The digest is the ETag: the same files are the same package, in the form that was asked for."""
    form = "-zip" if ZIP in request.headers.get("Accept", "") else ""
    return {"ETag": f'"{digest}{form}"', "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}


def _package(request: HttpRequest, version: SkillVersion) -> HttpResponse:
    """The version as the caller wants it."""
    if same := _same_package(request, version.digest):
        return same
    headers = _package_headers(request, version.digest)
    as_zip = ZIP in request.headers.get("Accept", "")
    files = versions.files_of(version)
    if as_zip:
        name = f"{version.skill.capability.name}-v{version.number}.zip"
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
        return HttpResponse(archive.to_zip(files), content_type=ZIP, headers=headers)
    found = shapes.PackageOut(
        capability=version.skill.capability.name,
        version=version.number,
        digest=version.digest,
        state=version.skill.state,
        files=[_file_out(path, content) for path, content in sorted(files.items())],
    )
    return HttpResponse(found.model_dump_json(), content_type="application/json", headers=headers)


def _handed_in(request: HttpRequest) -> tuple[dict[str, bytes], str]:
    """The files of the body, whichever form it has, and the changelog. Invalid says what cannot be read."""
    if request.headers.get("Content-Type", "").split(";")[0].strip() == ZIP:
        try:
            return archive.from_zip(whole_body(request)), request.headers.get("X-Changelog", "")[:10_000]
        except PackageInvalid as error:
            errors = [FieldError(f.path, f.message, code=f.code, line=f.line) for f in error.findings]
            raise Invalid(
                "The zip cannot be taken; nothing was stored.", code="package_invalid", errors=errors
            ) from None
    body = shapes.parsed(shapes.VersionIn, whole_body(request))
    files: dict[str, bytes] = {}
    for index, file in enumerate(body.files):
        if file.path in files:
            raise Invalid(
                "A path is given twice.", errors=[FieldError(f"files.{index}.path", f"{file.path!r} is given twice")]
            )
        files[file.path] = _content(file, index)
    if sum(map(len, files.values())) > archive.MAX_TOTAL_BYTES:
        raise TooLarge("The package is too large.")
    return files, body.changelog or ""


def _content(file: shapes.FileIn, index: int) -> bytes:
    if (file.text is None) == (file.base64 is None):
        raise Invalid(
            "A file has either text or base64.", errors=[FieldError(f"files.{index}", "give text or base64, not both")]
        )
    if file.text is not None:
        return file.text.encode("utf-8")
    try:
        return base64.b64decode(file.base64 or "", validate=True)
    except ValueError:  # characters beyond ASCII, too
        raise Invalid(
            "A file is not valid base64.", errors=[FieldError(f"files.{index}.base64", "is not base64")]
        ) from None


def _file_out(path: str, content: bytes) -> shapes.FileIn:
    try:
        return shapes.FileIn(path=path, text=content.decode("utf-8"), base64=None)
    except UnicodeDecodeError:
        return shapes.FileIn(path=path, base64=base64.b64encode(content).decode())


def _skill(skill_id: UUID) -> Skill:
    related = ("capability", "current_version__parent", "current_version__author", "baseline_version")
    found = Skill.objects.select_related(*related).filter(pk=skill_id).first()
    if found is None:
        raise NotFound("There is no such skill.")
    return found


def _version(skill_id: UUID, number: int) -> SkillVersion:
    related = ("skill__capability", "parent", "author")
    found = SkillVersion.objects.select_related(*related).filter(skill_id=skill_id, number=number).first()
    if found is None:
        raise NotFound(f"This skill has no version {number}.")
    return found
