from cli.main import command_names
from cli.reference import PAGE, SHAPES, page, skeleton
from cli.shapes import Judged


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


def test_every_command_documents_its_shape() -> None:
    assert sorted(SHAPES) == sorted(command_names())


def test_a_shape_is_drawn_as_the_json_it_prints() -> None:
    assert skeleton(Judged).splitlines()[:3] == [
        "{",
        '  "version": string | null,',
        '  "state": "promoted" | "challenger" | "refused" | "no_change" | "undecidable",',
    ]
