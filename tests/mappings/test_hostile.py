"""Definitions that somebody wrote to do harm, or that went wrong as if: each refused with a reason.

What an expression may cost is tested with the limits, what extends what with the extensions.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mappings import Definition, Definitions, DefinitionsInvalid, MappingError
from mappings import canonical as c
from mappings.toml_text import DEFINITION, DEPTH, DOTS

Define = Callable[[str], Definition]

HEAD = 'schema = 1\nname = "test.it"\nversion = 1\n'
STOCK = f"""{HEAD}target = "StockCount"
[fields]
sku = "sku"
on_hand = {{ from = "n", as = "quantity" }}
"""
REQUEST = f'{HEAD}target = "request"\nsource = "StockUpdate"\n[fields]\n'
UPDATE = c.StockUpdate(
    external_product_id="1", external_variant_id="2", external_sku="3", quantity=4
)


def refusal(folder: Path, content: str | bytes, name: str = "test.it.toml") -> list[str]:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(DefinitionsInvalid) as refused:
        Definitions.of([file])
    return [str(problem) for problem in refused.value.problems]


def test_the_definition_all_others_here_are_made_of_is_sound(define: Define) -> None:
    body = STOCK.removeprefix(HEAD)
    assert define(body).apply(b'{"sku": "A", "n": 2}').record.on_hand == 2


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(
            STOCK + "#" + "x" * DEFINITION.size, "a file of more than 250,000 bytes", id="huge"
        ),
        pytest.param(
            REQUEST + "".join(f"f{n}='x'\n" for n in range(DEFINITION.keys)),
            "a file of more than 5,000 keys",
            id="fields",
        ),
        pytest.param(
            REQUEST + "x = { value = " + "{ a = " * DEPTH + "1" + " }" * DEPTH + " }",
            "tables nested deeper than 50 levels",
            id="tables",
        ),
        pytest.param(
            REQUEST + "x = { value = " + "[" * 5_000 + "]" * 5_000 + " }",
            "not TOML: nested too deep",
            id="lists",
        ),
        pytest.param(
            REQUEST + ".".join("a" * (DOTS + 2)) + " = 'x'",
            "line 7 has more than 200 dots",
            id="dots",
        ),
        pytest.param(
            STOCK.replace('"sku"', f"'{'a' * 6_000}'"),
            "fields.sku: an expression of more than 5000 characters",
            id="long expression",
        ),
        pytest.param(
            STOCK.replace('"sku"', f"'{'(' * 200}sku{')' * 200}'").replace("(", "["),
            "not an expression",
            id="deep expression",
        ),
        pytest.param(
            STOCK.replace('"sku"', f'"a[{"9" * 4_500}]"'),
            "fields.sku: not an expression",
            id="index",
        ),
        pytest.param(
            STOCK.replace("version = 1", f"version = {'9' * 5_000}"),
            "not TOML: Exceeds the limit",
            id="digits",
        ),
        pytest.param(
            STOCK.replace(" }", ', default = "1e999999999" }'),
            "fields.on_hand: '1e999999999' is not a decimal",
            id="number bomb",
        ),
        pytest.param(
            REQUEST + "x = { value = nan }", "fields.x: nan is nothing that JSON can say", id="nan"
        ),
        pytest.param(
            REQUEST + "x = { from = 'a', default = 2026-11-21 }",
            "fields.x: datetime.date(2026, 11, 21) is nothing that JSON can say",
            id="date",
        ),
    ],
)
def test_what_would_take_for_ever_or_explode_is_refused(
    tmp_path: Path, content: str, why: str
) -> None:
    assert any(why in problem for problem in refusal(tmp_path, content))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xef\xbb\xbf" + STOCK.encode(), "begins with a byte order mark"),
        (STOCK.encode("utf-16"), "begins with a byte order mark"),
        ((STOCK + "# é").encode("latin-1"), "not UTF-8: unexpected end of data at byte"),
        (STOCK + "\x00", "line 8 holds U+0000, which nobody sees"),
        # Shown, the first of these says: sku = "name" # "uks"
        (STOCK.replace('"sku"', '"\u202esku" # "name'), "line 6 holds U+202E, which nobody sees"),
        (STOCK.replace('"sku"', '"s\u200bku"'), "line 6 holds U+200B, which nobody sees"),
        (
            STOCK.replace("sku =", '"s\\u200bku" ='),
            r"unknown field 's\u200bku', did you mean 'sku'?",
        ),
        (STOCK.replace("sku =", '"ѕku" ='), "unknown field 'ѕku', did you mean 'sku'?"),
        (STOCK.replace('"quantity"', '"quаntity"'), "unknown transform 'quаntity', did you mean"),
        (STOCK.replace('"sku"', '"ѕku"'), "fields.sku: not an expression: 'ѕku'"),
        (STOCK + 'sku = "other"\n', "not TOML: Cannot overwrite a value (at line 8"),
        ("", "must be a text"),
    ],
)
def test_what_says_another_thing_than_it_shows_is_refused(
    tmp_path: Path, content: str | bytes, why: str
) -> None:
    problems = refusal(tmp_path, content)
    assert any(why in problem for problem in problems), problems
    assert all(problem.isprintable() for problem in problems)


def test_a_message_about_what_nobody_sees_shows_it(tmp_path: Path) -> None:
    (problem,) = refusal(tmp_path, STOCK.replace('"sku"', '"s\\u202eku"'))
    assert problem.count("\\u202e") >= 1
    assert problem.isprintable()


@pytest.mark.parametrize(
    "name",
    [
        *("__class__", "__globals__", "__builtins__", "__dict__", "__init__", "f_globals"),
        *("gi_frame", "import", "None", "lambda", "self", "k1", "k7", "v1", "get", "payload"),
        *("spend", "mapped", "items", "type", "len", "getter", "Unfit", "__import__"),
    ],
)
def test_a_name_of_python_is_a_key_of_the_payload_and_nothing_else(
    define: Define, name: str
) -> None:
    body = STOCK.removeprefix(HEAD).replace('"sku"', f'"{name}.{name}"')
    definition = define(body)
    for payload in ({name: {name: "A"}, "n": 1}, {name: {name: "A", "x": 1}, "n": 1.0}):
        assert definition.apply(payload).record.sku == "A"
    assert (
        definition.apply(b'{"%s": {"%s": "A"}, "n": 1}' % (2 * (name.encode(),))).record.sku == "A"
    )
    with pytest.raises(MappingError, match="sku: missing"):
        definition.apply({"n": 1})


@pytest.mark.parametrize("name", ["__class__", "a; import os", "a\nb", "k1", "\\", '"', "'", "{}"])
def test_a_name_of_python_is_a_key_of_the_request_and_nothing_else(
    define: Define, name: str
) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    body = REQUEST.removeprefix(HEAD) + f'"{quoted}" = "quantity"\n'
    assert define(body).render(UPDATE) == {name: 4}


@pytest.mark.parametrize("name", ["eval", "exec", "__class__", "open", "transform", "registry"])
def test_no_function_but_the_listed_ones_can_be_named(tmp_path: Path, name: str) -> None:
    problems = refusal(tmp_path, STOCK.replace('"quantity"', f'"{name}"'))
    assert any(f"fields.on_hand: unknown transform {name!r}" in problem for problem in problems)
    problems = refusal(tmp_path, STOCK.replace('"sku"', f'"{name}(sku)"'))
    assert any(f"unknown function {name!r}" in problem for problem in problems)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "test.it.toml", ""])
def test_a_name_is_no_path(tmp_path: Path, name: str) -> None:
    problems = refusal(tmp_path, STOCK.replace('name = "test.it"', f'name = "{name}"'))
    assert any("name: must" in problem for problem in problems)
    problems = refusal(tmp_path, STOCK.replace("version = 1", f'version = 1\nextends = "{name}"'))
    assert any("extends" in problem for problem in problems)


def test_a_definition_that_extends_itself_round_a_corner_is_refused(tmp_path: Path) -> None:
    for name, other in (("a.x", "a.y"), ("a.y", "a.x")):
        text = f'schema = 1\nname = "{name}"\nversion = 1\nextends = "{other}"\n'
        (tmp_path / f"{name}.toml").write_text(text)
    with pytest.raises(
        DefinitionsInvalid, match=r"goes round in a circle: a\.[xy] extends a\.[xy]"
    ):
        Definitions.of(sorted(tmp_path.glob("*.toml")))


def test_a_link_is_followed_since_containers_mount_their_configuration_as_links(
    tmp_path: Path,
) -> None:
    (tmp_path / "content").write_text(STOCK)
    (tmp_path / "test.it.toml").symlink_to(tmp_path / "content")
    assert list(Definitions.of([tmp_path / "test.it.toml"])) == ["test.it"]


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / "endless.toml").symlink_to("/dev/zero")
    (tmp_path / "gone.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DefinitionsInvalid) as refused:
        Definitions.of(sorted(tmp_path.glob("*.toml")))
    assert [str(problem) for problem in refused.value.problems] == [
        f"{name}.toml: not a file" for name in ("endless", "folder", "gone", "pipe")
    ]
