"""What somebody might throw at the API to break it, made by hand: bodies, packages and whole requests."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from typing import Any

MB = 1_000_000


def run(inputs: Any = None, **fields: Any) -> bytes:
    return json.dumps(
        {"capability": "parse_task", "inputs": {"text": "buy milk"} if inputs is None else inputs, **fields}
    ).encode()


def raw_run(inputs: bytes) -> bytes:
    """A run whose inputs are these bytes, which need not be JSON."""
    return b'{"capability": "parse_task", "inputs": ' + inputs + b"}"


def report(**fields: Any) -> bytes:
    given = {"capability": "parse_task", "status": "succeeded", "inputs": {"text": "x"}, "external_id": "h", **fields}
    return json.dumps(given).encode()


BODIES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "invalid"),
    "no json": (b"{capability: parse_task}", "malformed_json"),
    "half of it": (run()[:-9], "malformed_json"),
    "two values": (run() + run(), "malformed_json"),
    "an array": (b"[]", "invalid"),
    "null": (b"null", "invalid"),
    "a byte order mark": (b"\xef\xbb\xbf" + run(), "malformed_json"),
    "UTF-16": (run().decode().encode("utf-16"), "malformed_json"),
    "broken UTF-8": (raw_run(b'{"text": "\xff\xfe"}'), "malformed_json"),
    "overlong UTF-8": (raw_run(b'{"text": "\xc0\xaf"}'), "malformed_json"),
    "a surrogate in UTF-8": (raw_run(b'{"text": "\xed\xa0\x80"}'), "malformed_json"),
    "a lone surrogate": (raw_run(rb'{"text": "\ud800"}'), "malformed_json"),
    "a raw NUL": (raw_run(b'{"text": "a\x00b"}'), "malformed_json"),
    "an escaped NUL": (raw_run(rb'{"text": "a\u0000b"}'), "nul_character"),
    "a NUL in a key": (raw_run(rb'{"a\u0000b": 1}'), "nul_character"),
    "51 levels of objects": (raw_run(b'{"a":' * 51 + b"1" + b"}" * 51), "too_deep"),
    "100 000 levels of arrays": (raw_run(b"[" * 100_000 + b"]" * 100_000), "too_deep"),
    "400 000 brackets that never close": (b"[" * 400_000, "too_deep"),
    "a key twice": (raw_run(b'{"text": "a", "text": "b"}'), "duplicate_key"),
    "a key twice, deep down": (raw_run(b'{"a": [{"b": 1, "b": 2}]}'), "duplicate_key"),
    "a key twice, escaped": (raw_run(rb'{"text": "a", "te\u0078t": "b"}'), "duplicate_key"),
    "NaN": (raw_run(b'{"text": NaN}'), "malformed_json"),
    "Infinity": (raw_run(b'{"text": -Infinity}'), "malformed_json"),
    "1e400": (raw_run(b'{"text": 1e400}'), "number_out_of_range"),
    "-1E+999": (raw_run(b'{"text": -1E+999}'), "number_out_of_range"),
    "10**400": (raw_run(b'{"text": 1' + b"0" * 400 + b"}"), "number_out_of_range"),
    "10**10000": (raw_run(b'{"text": 1' + b"0" * 10_000 + b"}"), "number_out_of_range"),
    "2**63": (raw_run(b'{"text": 9223372036854775808}'), "number_out_of_range"),
    "-2**63-1": (raw_run(b'{"text": -9223372036854775809}'), "number_out_of_range"),
    "minus nothing as a text": (raw_run(b'{"text": -0}'), "inputs_invalid"),
    "a number for a text": (run({"text": 7}), "inputs_invalid"),
    "a number for a name": (run(capability=7), "invalid"),
    "a name too long": (run(capability="a" * 100_000), "invalid"),
    "a text for a truth": (run(wait="yes"), "invalid"),
    "an unknown field": (run(admin=True), "invalid"),
    "waiting forever": (run(wait=1e308), "invalid"),
    "waiting backwards": (run(wait=-1), "invalid"),
    "inputs as a list": (run([]), "invalid"),
    "an unknown input": (run({"text": "x", "__proto__": {"a": 1}}), "inputs_invalid"),
    "a template as a field": (run({"{{ 7 * 7 }}": "x"}), "inputs_invalid"),
}

REPORTS: dict[str, tuple[bytes, str]] = {
    "no time": (report(started_at="yesterday"), "invalid"),
    "a time without its zone": (report(started_at="2026-11-20T09:30:00"), "invalid"),
    "a time as a number": (report(started_at=1_700_000_000), "invalid"),
    "a time before all times": (report(started_at="0001-01-01T00:00:00+14:00"), "invalid"),
    "a time after all times": (report(started_at="9999-12-31T23:59:59-14:00"), "invalid"),
    "a time to come": (report(started_at="2999-01-01T00:00:00Z"), "report_invalid"),
    "a cost that is no number": (report(cost_usd="NaN"), "invalid"),
    "a cost without an end": (report(cost_usd="Infinity"), "invalid"),
    "a cost below nothing": (report(cost_usd="-0.01"), "invalid"),
    "a cost in atoms": (report(cost_usd="0.00000000001"), "invalid"),
    "a cost of 1e30": (report(cost_usd="1e30"), "invalid"),
    "a latency beyond the column": (report(latency_ms=2**31), "invalid"),
    "a latency below nothing": (report(latency_ms=-1), "invalid"),
    "a latency as a text": (report(latency_ms="12"), "invalid"),
    "version nought": (report(version=0), "invalid"),
    "a version beyond the column": (report(version=2**40), "invalid"),
    "a version that is not there": (report(version=77), "report_invalid"),
    "a version and a half": (report(version=1.5), "invalid"),
    "a status of its own": (report(status="trusted"), "invalid"),
    "no id": (report(external_id=""), "invalid"),
    "an id too long": (report(external_id="x" * 201), "invalid"),
    "a capability that is not there": (report(capability="'; DROP TABLE lifecycle_skillrun; --"), "report_invalid"),
}

BATCHES: dict[str, tuple[int, bytes, str]] = {
    "nothing": (422, b"\n\n", "malformed_json"),
    "one bad line of three": (422, b"\n".join([report(), b"{", report(external_id="i")]), "batch_invalid"),
    "an array": (422, b"[" + report() + b"]", "batch_invalid"),
    "one unknown capability": (422, b"\n".join([report(), report(capability="nobody")]), "batch_invalid"),
    "1 001 lines": (413, b"\n".join(report(external_id=str(number)) for number in range(1_001)), "too_large"),
    "half a million newlines and a brace": (422, b"\n" * 500_000 + b"{", "batch_invalid"),
    "a line too deep": (422, b'{"a":' * 60 + b"1" + b"}" * 60, "batch_invalid"),
    "a NUL": (422, report(error="a\x00b"), "batch_invalid"),
}

SKILL_YAML = """capability_name: parse_task
version: '1'
description: Hostile.
steps:
  - name: answer
    kind: llm
    prompt: steps/answer.md
    output_schema: schemas/any.json
final_output: state.answer
"""
PACKAGE = {
    "skill.yaml": SKILL_YAML,
    "steps/answer.md": "Answer: {{ inputs.text }}\n",
    "schemas/any.json": '{"type": "object"}',
    "fixtures/one.json": '{"input": {"text": "x"}, "assertions": [{"path": "title", "op": "exists"}]}',
}
LAUGHS = "a: &a [lol, lol]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
)


def prompt(text: str) -> dict[str, str]:
    return {**PACKAGE, "steps/answer.md": text}


PACKAGES: dict[str, dict[str, str]] = {
    "a YAML bomb": {**PACKAGE, "skill.yaml": LAUGHS},
    "a YAML bomb as front matter": {"SKILL.md": f"---\n{LAUGHS}---\nHello.\n"},
    "YAML that makes objects": {**PACKAGE, "skill.yaml": "!!python/object/apply:os.system ['true']\n"},
    "YAML that refers to itself": {**PACKAGE, "skill.yaml": "a: &a [*a]\n"},
    "YAML 5 000 levels deep": {**PACKAGE, "skill.yaml": "[" * 5_000 + "]" * 5_000},
    "YAML with a key twice": {**PACKAGE, "skill.yaml": SKILL_YAML + "description: Another.\n"},
    "a number of 100 000 digits": {**PACKAGE, "skill.yaml": f"version: {'9' * 100_000}\n"},
    "an escape upwards": {**PACKAGE, "../../evil.md": "x"},
    "an absolute path": {**PACKAGE, "/etc/passwd": "x"},
    "a drive": {**PACKAGE, "C:\\evil.md": "x"},
    "a NUL-like path": {**PACKAGE, "steps/\u0001.md": "x"},
    "no files": {},
    "an empty skill.yaml": {**PACKAGE, "skill.yaml": ""},
    "a schema that refers to the net": {**PACKAGE, "schemas/any.json": '{"$ref": "http://127.0.0.1/schema.json"}'},
    "a schema that refers to a file": {**PACKAGE, "schemas/any.json": '{"$ref": "file:///etc/passwd"}'},
    "a schema that is none": {**PACKAGE, "schemas/any.json": '{"type": "nonsense"}'},
    "a pattern that never ends": {
        **PACKAGE,
        "schemas/any.json": '{"type": "object", "properties": {"a": {"pattern": "("}}}',
    },
    "JSON too deep": {**PACKAGE, "fixtures/one.json": "[" * 5_000 + "]" * 5_000},
    "JSON with 1e999": {**PACKAGE, "fixtures/one.json": '{"input": {"text": 1e999}}'},
    "a template that asks for a class": prompt("{{ ''.__class__.__mro__ }}"),
    "a template that asks by attr": prompt("{{ inputs|attr('__class__') }}"),
    "a template that asks by key": prompt("{{ inputs['__class__'] }}"),
    "a template that formats": prompt("{{ '{0.__class__}'.format(inputs) }}"),
    "a template that imports": prompt("{% import 'os' as os %}{{ os }}"),
    "a template that includes": prompt("{% include '/etc/passwd' %}"),
    "a template of huge powers": prompt("{{ 9 ** 9 ** 9 }}"),
    "a template of nobody's globals": prompt("{{ cycler.__init__.__globals__.os.popen('id').read() }}"),
    "a template that is broken": prompt("{{ inputs.text "),
}


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore", UserWarning)  # a name twice is what one of them is about
        for name, content in entries:
            archive.writestr(name, content, compress_type=method)
    return buffer.getvalue()


def _link() -> bytes:
    entry = zipfile.ZipInfo("steps/answer.md")
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    return zipped(("skill.yaml", SKILL_YAML.encode()), (entry, b"/etc/passwd"))


def _lying_about_its_size() -> bytes:
    """The directory says that ten bytes are in an entry that holds a megabyte."""
    raw = zipped(("skill.yaml", b"a" * MB))
    real, said = MB.to_bytes(4, "little"), (10).to_bytes(4, "little")
    return raw.replace(real, said)


ZIPS: dict[str, bytes] = {
    "nothing": b"",
    "no zip": b"PK\x03\x04 and nothing more",
    "half a zip": zipped(("skill.yaml", SKILL_YAML.encode() * 50))[:100],
    "an escape upwards": zipped(("../../evil.md", b"x"), ("skill.yaml", SKILL_YAML.encode())),
    "an absolute path": zipped(("/etc/cron.d/evil", b"x"), ("skill.yaml", SKILL_YAML.encode())),
    "a backslash escape": zipped(("..\\..\\evil.md", b"x"), ("skill.yaml", SKILL_YAML.encode())),
    "a link": _link(),
    "a bomb of 60 MB": zipped(("skill.yaml", b"\0" * 60 * MB)),
    "a bomb in many pieces": zipped(*[(f"steps/{n}.md", b" " * MB) for n in range(60)]),
    "8 000 files": zipped(*[(f"{n}", b"") for n in range(8_000)], method=zipfile.ZIP_STORED),
    "a lie about its size": _lying_about_its_size(),
    "a name twice": zipped(("skill.yaml", b"a: 1"), ("skill.yaml", b"a: 2")),
    "a zip in a zip": zipped(("package.zip", zipped(("skill.yaml", SKILL_YAML.encode())))),
    "bzip2": zipped(("skill.yaml", SKILL_YAML.encode() * 100), method=zipfile.ZIP_BZIP2),
}
