"""Body part filter: free-text tags in six languages, misspelt or with broken encodings, and their part."""

from __future__ import annotations

import html
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise

from crepitus.errors import UsageError
from crepitus.prepare.body_part_words import NOISE, WORDS

PARTS = tuple(WORDS)

_PART_OF = {word: part for part, words in WORDS.items() for word in words.split()}

_PAGES = ("cp1252", "cp850", "cp437", "mac_roman")
"""Encodings of one byte that tags are written and read in."""

Tag = tuple[str | None, int, tuple[str, ...]]
"""A tag as it is written, how often, and the parts that it stands for."""

_UNREADABLE = "?"
"""Stands for a letter that an encoding has destroyed."""

_INSIDE = 0.3
"""Cost of a word that stands inside a longer one, or of which the beginning alone is there, per word."""


_SHORT = 0.25
"""Further cost of a name of three letters of which one is unreadable: it may be anything."""


@lru_cache(maxsize=4096)
def parts_of(tag: str) -> frozenset[str]:
    """The body parts that a tag speaks of, names of `PARTS`; empty where none is recognised.

    Of all words of the tag and all ways to undo a broken encoding, the closest match decides; a tag that
    names two parts ("HAND / WRIST") has both.
    """
    best: dict[str, float] = {}
    for words in dict.fromkeys(tuple(_words(text)) for text in _readings(tag)):
        for part, cost in _matches(words):
            best[part] = min(cost, best.get(part, cost))
    if not best:
        return frozenset()
    least = min(best.values())
    return frozenset(part for part, cost in best.items() if cost <= least + 1e-9)


def wanted_parts(text: str) -> tuple[str, ...]:
    """Parts named on the command line, with commas, in any of the languages.

    Raises:
        UsageError: a name is not recognised.
    """
    result: dict[str, None] = {}
    for name in filter(None, (piece.strip() for piece in text.split(","))):
        found = {name.lower()} & set(PARTS) or parts_of(name)
        if not found:
            raise UsageError(f"--body-part: expected some of {', '.join(PARTS)}, got '{name}'")
        result |= dict.fromkeys(sorted(found))
    if not result:
        raise UsageError(f"--body-part: expected some of {', '.join(PARTS)}, got nothing")
    return tuple(result)


def histogram(tags: Iterable[str | None]) -> list[Tag]:
    """Each tag as it is written, how often, and the parts that it stands for; the most frequent first."""
    counts = Counter(tags)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0] is not None, item[0] or ""))
    return [(tag, count, tuple(sorted(parts_of(tag or "")))) for tag, count in ordered]


def _readings(tag: str) -> Iterator[str]:
    """The tag as it stands, and what it may have been before it was decoded wrongly."""
    text = html.unescape(tag)
    text = re.sub(r"\\u00([0-9A-Fa-f]{2})|%([89A-Fa-f][0-9A-Fa-f])", _by_number, text)
    yield text
    if text.isascii():
        return
    seen = {text}
    # UTF-8 read in another encoding, perhaps twice: capitals first, since the tag may have been lower-cased.
    for start in (text, text.upper(), text.title()):
        current = {start}
        for _ in range(3):
            current = {new for old in current for new in _again(old, "utf-8")} - seen
            seen |= current
            yield from sorted(current)
    for page in _PAGES:
        for new in _again(text, page):
            if new not in seen:
                seen.add(new)
                yield new


def _by_number(match: re.Match[str]) -> str:
    return chr(int(match[1] or match[2], 16))


def _again(text: str, encoding: str) -> Iterator[str]:
    """`text` encoded as it was perhaps read, and decoded with `encoding`."""
    for page in _PAGES:
        if page != encoding:
            try:
                yield _bytes(text, page).decode(encoding)
            except ValueError:
                continue


def _bytes(text: str, page: str) -> bytes:
    """Encoded in a code page; control characters, which cp1252 leaves open, as in Latin-1."""
    return b"".join(c.encode("latin-1") if "\x80" <= c <= "\x9f" else c.encode(page) for c in text)


def _matches(words: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    """Parts that words of a tag stand for, each with its cost: 0 exact, 1 as far as a match may be."""
    pairs = {a + b: {a, b} for a, b in pairwise(words)}
    covered = {word for pair, both in pairs.items() if pair in _PART_OF for word in both}
    known = [w for w in (*words, *pairs) if w in _PART_OF and w not in covered]
    yield from ((_PART_OF[word], 0.0) for word in known)
    if known:
        return
    for word in (*words, *pairs):
        if word not in NOISE:
            yield from _near(word)


def _words(text: str) -> list[str]:
    """Words in capitals without accents; letters that no alphabet of ours has are `_UNREADABLE`."""
    letters = []
    for character in text.replace("ß", "ss").replace("ẞ", "SS").replace("\xad", ""):
        base = unicodedata.normalize("NFD", character)[0].upper()
        if base.isascii():
            letters.append(base if base.isalnum() or base == _UNREADABLE else " ")
        else:
            letters.append(_UNREADABLE)
    joined = re.sub(r"\?+", _UNREADABLE, "".join(letters))
    return [w for w in re.split(r"[ 0-9]+", joined) if len(w) > 1]


def _near(word: str) -> Iterator[tuple[str, float]]:
    """Parts with a name that `word` may be a misspelling, a beginning or a compound of."""
    for name, part in _PART_OF.items():
        size = len(name)
        if len(word) >= 4 and _UNREADABLE not in word and name.startswith(word):
            yield part, _INSIDE + 0.05 * (size - len(word)) / size
        elif size >= 5 and name in word:
            yield part, _INSIDE + 0.05 * (len(word) - size) / len(word)
        elif abs(len(word) - size) <= allowed(name, word):
            cost = distance(word, name)
            if cost <= allowed(name, word):
                yield part, cost / size + (0.01 if size > 3 else _SHORT)


def allowed(name: str, word: str) -> float:
    """How many letters of a name may be wrong; in a short one only a letter that an encoding destroyed."""
    if len(name) <= 3:
        return 0.5 if _UNREADABLE in word and len(word) > 2 else 0.0
    return 1.0 if len(name) < 7 else 2.0 if len(name) < 10 else 3.0


def distance(word: str, name: str) -> float:
    """Least number of letters to insert, leave out, replace or exchange with their neighbour.

    An unreadable letter of `word` stands for any one letter at a quarter of the price, or for none at half.
    """
    before: list[float] = []
    row = [float(j) for j in range(len(name) + 1)]
    for i, letter in enumerate(word, start=1):
        unreadable = letter == _UNREADABLE
        gone = 0.5 if unreadable else 1.0
        new = [row[0] + gone]
        for j, other in enumerate(name, start=1):
            change = 0.0 if letter == other else 0.25 if unreadable else 1.0
            value = min(row[j] + gone, new[j - 1] + 1.0, row[j - 1] + change)
            if i > 1 and j > 1 and letter == name[j - 2] and word[i - 2] == other and letter != other:
                value = min(value, before[j - 2] + 1.0)
            new.append(value)
        before, row = row, new
    return row[-1]
