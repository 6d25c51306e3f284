"""What is encrypted opens in its own place, by its own key, and nowhere else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert, select

from state import tables as t
from state import vault
from state.errors import Tampered, VaultProblem
from state.store import Store
from state.vault import Vault, bodies, cipher, fields, keys, marks, payloads, rotation
from state.vault.keyring import Keyring, MasterKey, parse
from state.vault.keys import DataKey

OWNER = (1, "orders", "1001")
KEY = DataKey(7, OWNER, cipher.new_key())
OTHER = DataKey(8, (1, "orders", "1002"), cipher.new_key())
BOTH = {7: KEY, 8: OTHER}

texts = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.fixture
def ring(store: Store) -> Keyring:
    made = Keyring([MasterKey.new()])
    store.vault.vault = Vault(made, frozenset({1}))
    return made


@given(texts)
def test_a_text_comes_back_as_it_was(text: str) -> None:
    sealed = fields.seal(KEY, text, "address", "street", "5")
    assert fields.is_sealed(sealed) == bool(text)
    if text:
        assert fields.unseal(BOTH, sealed, "address", "street", "5") == text
        assert text not in sealed or len(text) < 4


@given(st.tuples(*[st.sampled_from(["address", "note", "1", "2", ""])] * 3), st.data())
def test_threat_t22_nothing_opens_in_another_place(
    place: tuple[str, str, str], data: st.DataObject
) -> None:
    other = data.draw(st.tuples(*[st.sampled_from(["address", "note", "1", "2", ""])] * 3))
    sealed = fields.seal(KEY, "Unter den Linden 1", *place)
    if other == place:
        assert fields.unseal(BOTH, sealed, *other) == "Unter den Linden 1"
    else:
        with pytest.raises(Tampered):
            fields.unseal(BOTH, sealed, *other)


@given(st.binary(min_size=1), st.integers(min_value=0), st.integers(1, 255))
def test_threat_t22_no_changed_byte_is_taken(plain: bytes, where: int, change: int) -> None:
    sealed = bytearray(KEY.seal(plain, "inbox"))
    sealed[where % len(sealed)] ^= change
    with pytest.raises(Tampered):
        KEY.unseal(bytes(sealed), "inbox")


def test_threat_t22_another_order_s_key_does_not_open_it() -> None:
    sealed = fields.seal(KEY, "Ada", "address", "name", "5")
    with pytest.raises(Tampered):
        fields.unseal({7: OTHER}, sealed, "address", "name", "5")
    with pytest.raises(Tampered, match="destroyed"):
        fields.unseal({}, sealed, "address", "name", "5")


@given(
    st.dictionaries(st.sampled_from(["name", "street", "country", "email"]), texts),
    texts,
)
def test_a_body_comes_back_as_it_was(address: dict[str, str], link: str) -> None:
    body = {
        "reference": "R-1",
        "ship_to": address,
        "tracking_url": link,
        "shipped_so_far": [{"tracking_url": link, "n": 1}],
    }
    sealed = bodies.seal(KEY, body, "label:1")
    assert bodies.seal(KEY, sealed, "label:1") == sealed, "sealed twice is sealed once"
    row = _Row(body=sealed, idempotency_key="label:1")
    assert bodies._unsealed(BOTH, row) == body  # type: ignore[arg-type]
    bare = bodies.without_person(sealed)
    assert bare["ship_to"] == {"country": address.get("country", "")}
    assert bare["tracking_url"] == ""


class _Row:
    def __init__(self, **values: object) -> None:
        self.__dict__.update(values)


def test_a_key_is_known_by_a_name_that_is_made_of_it() -> None:
    first, second = MasterKey.new(), MasterKey.new()
    found = parse(f"# of May\n{first.line()}\n{second.line()}  # of June\n")
    assert [key.name for key in found] == [first.name, second.name]
    assert Keyring(found).current == second
    assert first.line().split(":")[1] not in repr(found)


@pytest.mark.parametrize(
    "text", ["", "# nothing", "abc", "abc:def", "0123456789ab:AAAA", "{0}\n{0}", "x{0}", "{0}x"]
)
def test_threat_t22_a_key_that_is_not_whole_is_refused_and_not_repeated(text: str) -> None:
    line = MasterKey.new().line()
    with pytest.raises(VaultProblem) as refused:
        parse(text.format(line))
    assert line.split(":")[1] not in str(refused.value)


def test_threat_t29_a_file_of_keys_that_others_can_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(MasterKey.new().line())
    file.chmod(0o640)
    with pytest.raises(VaultProblem, match="chmod 600"):
        Keyring.of_file(file)
    file.chmod(0o600)
    assert Keyring.of_file(file).names()


def test_a_key_that_is_put_into_the_file_while_it_is_read_is_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rarely seen: a daemon that started just then knew the old keys for good."""
    first, second = MasterKey.new(), MasterKey.new()
    file = tmp_path / "keys"
    _put(file, first.line())
    module = sys.modules[Keyring.__module__]

    def slowly(text: str) -> list[MasterKey]:
        monkeypatch.setattr(module, "parse", parse)
        _put(file, f"{first.line()}\n{second.line()}")
        return parse(text)

    monkeypatch.setattr(module, "parse", slowly)
    ring = Keyring.of_file(file)
    assert ring.names() == [first.name, second.name]


def test_a_daemon_takes_up_a_new_key_and_survives_a_broken_file(tmp_path: Path) -> None:
    first, second = MasterKey.new(), MasterKey.new()
    file = tmp_path / "keys"
    _put(file, first.line())
    ring = Keyring.of_file(file)
    _put(file, "half a line")
    assert ring.current == first
    _put(file, f"{first.line()}\n{second.line()}\n")
    assert ring.current == second
    assert ring.get(first.name) == first
    assert ring.get("unknown") is None


def _put(file: Path, text: str) -> None:
    draft = file.with_suffix(".new")
    draft.write_text(text)
    draft.chmod(0o600)
    draft.replace(file)


def test_each_record_has_one_key_whoever_asks_first(store: Store, ring: Keyring) -> None:
    with store.write() as conn:
        made = keys.for_writing(conn, [OWNER, (1, "shipments", "9"), OWNER])
    with store.write() as conn:
        again = keys.for_writing(conn, [OWNER])
        assert keys.by_id(conn, [key.id for key in made.values()])[again[OWNER].id] == again[OWNER]
    assert again[OWNER] == made[OWNER]
    assert made[OWNER].secret != made[1, "shipments", "9"].secret
    with store.write() as conn:
        keys.destroy(conn, [OWNER])
        fresh = keys.for_writing(conn, [OWNER])
    assert fresh[OWNER].secret != made[OWNER].secret


def test_threat_t22_a_key_of_one_record_does_not_pass_for_another_s(
    store: Store, ring: Keyring
) -> None:
    with store.write() as conn:
        made = keys.for_writing(conn, [OWNER, (1, "orders", "1002")])
        row = t.data_key
        wrapped = conn.scalar(select(row.c.wrapped).where(row.c.id == made[OWNER].id))
        conn.execute(row.update().where(row.c.id != made[OWNER].id).values(wrapped=wrapped))
        with pytest.raises(Tampered):
            keys.for_writing(conn, [(1, "orders", "1002")])


def test_a_new_master_key_changes_no_data_key(store: Store, ring: Keyring) -> None:
    owners = [(1, "orders", str(number)) for number in range(rotation.AT_ONCE + 3)]
    with store.write() as conn:
        before = keys.for_writing(conn, owners)
        marked = marks.mark(marks.key(conn), "ada@example.org")
    both = Keyring([*ring._keys, MasterKey.new()])
    store.vault.vault = Vault(both, frozenset({1}))
    rested: list[float] = []
    assert rotation.rewrap(store, rest=rested.append) == len(owners) + 1
    assert len(rested) == 2, "others get at the store in between"
    assert rotation.rewrap(store, rest=rested.append) == 0
    store.vault.vault = Vault(Keyring([both.current]), frozenset({1}))
    with store.write() as conn:
        assert keys.for_writing(conn, owners) == before
        assert keys.count(conn) == {both.current.name: len(owners) + 1}
        assert marks.known_mark(conn, " ADA@example.org") == marked


def test_without_its_master_key_it_says_which_is_missing(store: Store, ring: Keyring) -> None:
    with store.write() as conn:
        keys.for_writing(conn, [OWNER])
        assert vault.missing(conn, ring.names()) == []
        assert vault.missing(conn, []) == ring.names()
    store.vault.vault = Vault(Keyring([MasterKey.new()]))
    with store.write() as conn, pytest.raises(VaultProblem, match=ring.names()[0]):
        keys.for_writing(conn, [OWNER])
    store.vault.vault = None
    with store.write() as conn, pytest.raises(VaultProblem, match=r"\[encryption\] keys"):
        keys.for_writing(conn, [OWNER])


def test_a_payload_is_bound_to_its_content(store: Store, ring: Keyring) -> None:
    with store.write() as conn:
        key = keys.for_writing(conn, [OWNER])[OWNER]
        row = _Row(body=payloads.seal(key, b"packed", b"\x01" * 32), sha256=b"\x01" * 32)
        assert payloads.clear(conn, [row]) == [b"packed"]  # type: ignore[list-item]
        row.__dict__["sha256"] = b"\x02" * 32
        with pytest.raises(Tampered):
            payloads.clear(conn, [row])  # type: ignore[list-item]


def test_a_text_of_a_channel_that_looks_encrypted_is_only_text_where_it_is_not_whole(
    store: Store,
) -> None:
    with store.write() as conn:
        conn.execute(insert(t.address).values(name="\x02", street="\x021:x:y", country="DE"))
        [row] = fields.clear(conn, t.address, conn.execute(select(t.address)))
    assert (row.name, row.street) == ("\x02", "\x021:x:y")


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    cipher._library.cache_clear()
    with pytest.raises(VaultProblem, match=r"pip install 'crossdock\[privacy\]'"):
        cipher.seal(cipher.new_key(), b"x", ())
