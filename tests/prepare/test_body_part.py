"""Tags as they are found in hospitals: languages, slips of the key, encodings read wrongly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crepitus.errors import NotAssessable, UsageError
from crepitus.prepare.body_part import distance, histogram, parts_of, wanted_parts
from crepitus.prepare.pipeline import Recipe, check_body_part


def misread(text, page):
    """UTF-8 that was taken for another encoding."""
    return text.encode().decode(page)


@pytest.mark.parametrize(
    "tag",
    [
        *("WRIST", "Muñeca izq.", "HANDGELENK LI 2 EBENEN", "poignet G face", "Polso dx", "Punho esq"),
        *("WRITS", "Wrst", "HANDGEL", "Hand Gelenk", "LTWRIST", "muneca", "POIGNT"),
        # UTF-8 read as Windows-1252, also in small letters; as DOS; twice; DOS read as Windows.
        *(misread("MUÑECA", "cp1252"), misread("muñeca", "latin-1"), misread("Muñeca", "cp850")),
        *(misread(misread("MUÑECA", "cp1252"), "cp1252"), "MUÑECA".encode("cp850").decode("cp1252")),
        *("MU?ECA", "MU\ufffdECA", "MUECA", "MU%D1ECA", "MU&Ntilde;ECA", "MU\\u00d1ECA"),
    ],
)
def test_wrists(tag):
    assert parts_of(tag) == {"wrist"}


@pytest.mark.parametrize(
    ("tag", "part"),
    [
        *(("HAND", "hand"), ("MÃO", "hand"), ("MÃƒO", "hand"), ("M?O", "hand"), ("Mittelhand", "hand")),
        *(("Hüfte", "hip"), ("HÃ¼fte", "hip"), ("HUEFTE", "hip"), ("CADERA", "hip"), ("RODILA", "knee")),
        *(("Avant-bras", "forearm"), ("SCHÄDEL", "skull"), ("THORAX pa", "chest"), ("FUSS", "foot")),
    ],
)
def test_other_parts(tag, part):
    assert parts_of(tag) == {part}


@pytest.mark.parametrize("tag", ["", "EXTREMITY", "LEFT LAT", "12345", "???", "\x00", "XQZWV"])
def test_tags_that_name_no_part(tag):
    assert parts_of(tag) == frozenset()


def test_a_tag_may_name_two_parts():
    assert parts_of("HAND / WRIST") == {"hand", "wrist"}


@given(st.text(max_size=40))
def test_no_tag_is_too_strange(tag):
    assert isinstance(parts_of(tag), frozenset)


def test_distance_by_hand():
    assert distance("WRITS", "WRIST") == 1  # two neighbours exchanged
    assert distance("WRST", "WRIST") == 1  # one letter left out
    assert distance("MU?ECA", "MUNECA") == 0.25  # one letter unreadable
    assert distance("KITTEN", "SITTING") == 3


def test_histogram_counts_and_orders():
    assert histogram(["WRIST", None, "Muñeca", "WRIST"]) == [
        ("WRIST", 2, ("wrist",)),
        (None, 1, ()),
        ("Muñeca", 1, ("wrist",)),
    ]


def test_wanted_parts():
    assert wanted_parts("muñeca, hand") == ("wrist", "hand")
    assert wanted_parts("lower leg") == ("lower leg",)
    for wrong in ("banana", ""):
        with pytest.raises(UsageError, match="expected some of wrist"):
            wanted_parts(wrong)


def test_the_filter_names_what_it_found():
    recipe = Recipe(("body-part",), body_parts=("wrist",))
    check_body_part("Muneca", recipe)
    with pytest.raises(NotAssessable, match="'RODILLA' is knee"):
        check_body_part("RODILLA", recipe)
    with pytest.raises(NotAssessable, match="names no part"):
        check_body_part(None, recipe)
    check_body_part(None, Recipe(("body-part",), body_parts=("wrist",), keep_untagged=True))
