"""Reading config/*.yaml: types, ranges, unknown keys, and sentences about each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest

from donna_skills import configuration
from donna_skills.configuration import ConfigurationInvalid, knob, part


@dataclass(frozen=True)
class Lamp:
    watts: int
    colour: Literal["warm", "cold"] = "warm"


@dataclass(frozen=True)
class House:
    rooms: int = knob(3, low=1, high=9, help="How many rooms.")
    heated: bool = knob(True, help="Whether it is warm.")
    share: float = knob(0.5, low=0, high=1, help="How much of it is ours.")
    price: Decimal = knob(Decimal("1.5"), low=0, help="What it costs.")
    name: str | None = None
    tags: tuple[str, ...] = ()
    porch: Lamp = part(lambda: Lamp(10))  # type: ignore[arg-type]
    lamps: tuple[Lamp, ...] = ()
    by_room: Mapping[str, Lamp] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rooms < len(self.lamps):
            raise ValueError("`lamps` must not be more than `rooms`.")


def written(folder: Path, text: str) -> Path:
    path = folder / "house.yaml"
    path.write_text(text)
    return path


def problems(folder: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationInvalid) as caught:
        configuration.load(House, written(folder, text))
    return caught.value.problems


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert configuration.load(House, written(tmp_path, "")) == House()


def test_every_kind_of_value_is_read_in_its_type(tmp_path: Path) -> None:
    text = """
        rooms: 4
        heated: false
        share: 1
        price: 0.1
        name: Villa
        tags: [big, old]
        porch: {watts: 5, colour: cold}
        lamps: [{watts: 1}, {watts: 2}]
        by_room: {hall: {watts: 3}}
    """
    assert configuration.load(House, written(tmp_path, text)) == House(
        rooms=4,
        heated=False,
        share=1.0,
        price=Decimal("0.1"),
        name="Villa",
        tags=("big", "old"),
        porch=Lamp(5, "cold"),
        lamps=(Lamp(1), Lamp(2)),
        by_room={"hall": Lamp(3)},
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rooms: 12", "`rooms` is 12, and must be at most 9."),
        ("rooms: 0", "`rooms` is 0, and must be at least 1."),
        ("rooms: 2.5", "`rooms` must be a whole number, not 2.5."),
        ("rooms: true", "`rooms` must be a whole number, not True."),
        ("rooms: null", "`rooms` must be a whole number, not None."),
        ("heated: 1", "`heated` must be true or false, not 1."),
        ("share: .nan", "`share` must be a number, not nan."),
        ("share: yes", "`share` must be a number, not True."),
        ("price: lots", "`price` must be a number, not 'lots'."),
        ("price: -0.01", "`price` is -0.01, and must be at least 0."),
        ("tags: big", "`tags` must be a list, not 'big'."),
        ("porch: 5", "`porch` must hold keys and values, not 5."),
        ("porch: {watts: 5, colour: red}", "`porch.colour` must be one of warm, cold, not 'red'."),
        ("porch: {colour: cold}", "`porch.watts` is missing."),
        ("lamps: [{watts: 1}, {watts: x}]", "`lamps[1].watts` must be a whole number, not 'x'."),
        ("by_room: {hall: {volts: 1}}", "`by_room.hall.volts` is not a known key."),
        ("romms: 3", "`romms` is not a known key."),
        ("rooms: 1\nlamps: [{watts: 1}, {watts: 2}]", "`lamps` must not be more than `rooms`."),
        ("- a list", "The file must hold keys and values."),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_with_its_key(tmp_path: Path, text: str, sentence: str) -> None:
    assert sentence in problems(tmp_path, text)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, "rooms: 12\nshare: 2\nromms: 3")) == 3


def test_a_key_given_twice_and_broken_yaml_are_refused(tmp_path: Path) -> None:
    assert "`rooms` is given twice" in problems(tmp_path, "rooms: 1\nrooms: 2")[0]
    (tmp_path / "other").mkdir()
    assert "not valid YAML" in problems(tmp_path / "other", "rooms: [1")[0]


def test_a_tag_that_would_make_python_objects_is_refused(tmp_path: Path) -> None:
    assert "not valid YAML" in problems(tmp_path, "name: !!python/object/apply:os.getcwd []")[0]


def test_a_section_is_read_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "other: {rubbish: 1}\nporch: {watts: 7}")
    assert configuration.load(Lamp, path, section="porch") == Lamp(7)


def test_a_file_that_is_not_there_is_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationInvalid, match="cannot be read"):
        configuration.load(House, tmp_path / "nowhere.yaml")


def test_an_installations_own_file_comes_before_the_shipped_one(tmp_path: Path, settings: Any) -> None:
    settings.CONFIG_DIR = tmp_path
    assert configuration.file("skills.yaml") == settings.SHIPPED_CONFIG_DIR / "skills.yaml"
    (tmp_path / "skills.yaml").write_text("")
    assert configuration.file("skills.yaml") == tmp_path / "skills.yaml"


def test_a_check_reports_each_problem_as_an_error(tmp_path: Path, settings: Any) -> None:
    settings.CONFIG_DIR = tmp_path
    (tmp_path / "house.yaml").write_text("rooms: 12\nshare: 2")
    found = configuration.check(House, "house.yaml", id="house.E001")
    assert [message.id for message in found] == ["house.E001", "house.E001"]
    assert all(message.is_serious() for message in found)
