"""Body part tags as hospitals write them: six languages, sides, views, slips of the key, broken encodings."""

from __future__ import annotations

import numpy as np

Generator = np.random.Generator

# Written down apart from the vocabulary of the filter, as a clerk would write them.
NAMES = {
    "wrist": "Wrist,Muñeca,Handgelenk,Poignet,Polso,Punho,Carpo,Handwurzel,Wrist joint,Carpus",
    "hand": "Hand,Mano,Main,Mão,Mittelhand,Hände",
    "finger": "Finger,Dedo,Doigt,Dito,Daumen,Thumb",
    "forearm": "Forearm,Antebrazo,Unterarm,Avant-bras,Avambraccio,Antebraço",
    "elbow": "Elbow,Codo,Ellenbogen,Coude,Gomito,Cotovelo",
    "shoulder": "Shoulder,Hombro,Schulter,Épaule,Spalla,Ombro",
    "foot": "Foot,Pie,Fuß,Pied,Piede,Pé",
    "ankle": "Ankle,Tobillo,Sprunggelenk,Cheville,Caviglia,Tornozelo",
    "knee": "Knee,Rodilla,Knie,Genou,Ginocchio,Joelho",
    "hip": "Hip,Cadera,Hüfte,Hanche,Anca,Quadril",
    "pelvis": "Pelvis,Becken,Bassin,Bacino,Bacia",
    "chest": "Chest,Tórax,Thorax,Torace,Lunge",
    "skull": "Skull,Cráneo,Schädel,Crâne,Cranio,Crânio",
    "spine": "Lumbar spine,Columna lumbar,Wirbelsäule,Rachis lombaire,Colonna lombare,Coluna lombar",
}
BEFORE = ("", "", "", "", "RX ", "XR ", "Left ", "R. ", "li. ", "Rö ")
AFTER = (
    "",
    "",
    "",
    "",
    " AP",
    " LAT",
    " izq",
    " dcha.",
    " re",
    " G",
    " DX",
    " sin",
    " 2 Ebenen",
    " face",
    " esq.",
)
MISREADINGS = (
    ("utf-8", "cp1252"),
    ("utf-8", "latin-1"),
    ("utf-8", "cp850"),
    ("cp1252", "cp850"),
    ("cp850", "cp1252"),
    ("cp1252", "mac_roman"),
)


def planted_tags(generator: Generator, count: int) -> list[tuple[str, str]]:
    """Tags with their true part; half of them wrists, half of all misspelt, accents broken in half."""
    others = [part for part in NAMES if part != "wrist"]
    result = []
    for _ in range(count):
        part = "wrist" if generator.random() < 0.5 else others[int(generator.integers(len(others)))]
        names = NAMES[part].split(",")
        name = names[int(generator.integers(len(names)))]
        if generator.random() < 0.5:
            name = slip(generator, name)
        text = (
            BEFORE[int(generator.integers(len(BEFORE)))] + name + AFTER[int(generator.integers(len(AFTER)))]
        )
        case = int(generator.integers(4))
        text = text.upper() if case < 2 else text.lower() if case == 2 else text
        result.append((broken(generator, text), part))
    return result


def slip(generator: Generator, name: str) -> str:
    """One slip of the key in the longest word, two from nine letters on; none in four or fewer."""
    word = max(name.split(), key=len)
    wrong = word
    for _ in range(0 if len(word) <= 4 else 1 if len(word) < 9 else 2):
        at = int(generator.integers(1, len(wrong) - 1))
        letter = "aeionrst"[int(generator.integers(8))]
        wrong = (
            wrong[:at] + wrong[at + 1 :],
            wrong[:at] + letter + wrong[at:],
            wrong[:at] + letter + wrong[at + 1 :],
            wrong[:at] + wrong[at + 1] + wrong[at] + wrong[at + 2 :],
            wrong[:at] + wrong[at] + wrong[at:],
        )[int(generator.integers(5))]
    return name.replace(word, wrong)


def broken(generator: Generator, text: str) -> str:
    """Accented letters read in another encoding, replaced, or left out; in half of the tags that have any."""
    if text.isascii() or generator.random() < 0.5:
        return text
    way = int(generator.integers(len(MISREADINGS) + 3))
    if way < len(MISREADINGS):
        written, read = MISREADINGS[way]
        return text.encode(written, "replace").decode(read, "replace")
    mark = ("?", "\ufffd", "")[way - len(MISREADINGS)]
    return "".join(letter if letter.isascii() else mark for letter in text)
