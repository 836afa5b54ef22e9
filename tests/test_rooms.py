"""The rooms of the toolbox: each imports from rooms below it only."""

import ast
from importlib import import_module

import pytest
from clips import COURSE

TOOLBOX = COURSE / "notebooks" / "toolbox"
FLOORS = {"page": 0, "store": 1, "clips": 2, "models": 3, "evaluation": 4, "plots": 4}


def rooms_imported(path):
    """The modules of the course that a module imports, wherever it does so."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
        yield from (name.split(".") for name in names)


@pytest.mark.parametrize("path", sorted(TOOLBOX.glob("*/*.py")), ids=str)
def test_a_room_imports_from_rooms_below_it_only(path):
    room = path.parent.name
    for package, *place in rooms_imported(path):
        assert package != "lessons", "the toolbox must not need a lesson"
        if package == "toolbox":
            assert place, "a room is imported by its name"
            own = place[0] == room
            assert own or FLOORS[place[0]] < FLOORS[room], place
            assert own == (len(place) > 1), "by its door, or as a neighbour's module"


@pytest.mark.parametrize("room", FLOORS)
def test_a_door_hands_on_what_is_there(room):
    door = import_module(f"toolbox.{room}")
    for name in door.__all__:
        try:
            assert getattr(door, name) is not None
        except ImportError as missing:  # an extra, see requirements-scale.txt
            assert missing.name == "ray", name


@pytest.mark.parametrize("room", FLOORS)
def test_no_module_has_the_name_of_what_it_hands_on(room):
    door = import_module(f"toolbox.{room}")
    both = {path.stem for path in (TOOLBOX / room).glob("*.py")} & {*door.__all__}
    assert not both, "lazy-loader 0.4 hands on the module"


PLACES = ("benchmarks", "tools", "data/mocap")
SCRIPTS = [path for place in PLACES for path in sorted((COURSE / place).glob("*.py"))]


@pytest.mark.parametrize("path", SCRIPTS, ids=str)
def test_what_a_script_imports_from_the_toolbox_is_there(path):
    """Most of them are run by hand alone."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("toolbox"):
            module = import_module(node.module)
            for name in node.names:
                assert hasattr(module, name.name), (node.module, name.name)
