"""Documents, metadata and source keep the rules that the project states about itself."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from crepitus import __version__
from crepitus.cli.app import app

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
DOCUMENTS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.md")})
MAX_LINES = 350

# A pinned torch may resolve to a build that does not fit torchvision's; see the head of constraints.txt.
UNPINNED = re.compile(r"torch|torchvision|triton|nvidia-.*|cuda-.*|setuptools")


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def code_of(text):
    """Fenced blocks and `spans` of a Markdown text."""
    fenced = re.findall(r"^```.*?\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join([*fenced, *re.findall(r"`([^`\n]+)`", text)])


def documented_commands(text):
    """Words that follow the program's name in code."""
    return set(re.findall(r"\bcrepitus ([a-z]+)\b", code_of(text)))


def tracked_files():
    """Paths of the files under version control."""
    try:
        # Only this call trusts the folder, whoever owns it.
        listing = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: which files are tracked is unknown")
    paths = [ROOT / name for name in listing.stdout.decode().split("\0") if name]
    return [path for path in paths if path.is_file()]


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_source_file_opens_with_a_sentence_is_short_and_raises_instead_of_asserting(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    first_line = (ast.get_docstring(tree) or "").splitlines()[:1]
    assert first_line, "the file must open with a sentence that says what it does"
    assert first_line[0].endswith((".", ":")), f"not a sentence: {first_line[0]}"
    assert len(text.splitlines()) <= MAX_LINES
    asserts = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    assert asserts == [], "raise an error of crepitus.errors that says what to do"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_relative_links_resolve(path):
    text = re.sub(r"<!--.*?-->", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    local = [t for t in targets if not re.match(r"[a-z]+:|#", t)]
    missing = [t for t in local if not (path.parent / t.partition("#")[0]).exists()]
    assert missing == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_to_headings_resolve(path):
    def anchors(document):
        headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
        plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
        return {heading.strip().replace(" ", "-") for heading in plain}

    targets = re.findall(r"\]\(([^)\s:]*)#([^)\s]+)\)", path.read_text(encoding="utf-8"))
    missing = [
        f"{file}#{anchor}"
        for file, anchor in targets
        if anchor not in anchors(path.parent / file if file else path)
    ]
    assert missing == []


def test_no_tracked_file_names_a_package_host_or_a_path_of_one_machine():
    # Put together here, so that this file does not name them either.
    hosts = [".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("anaconda", "org"))]
    hosts += [
        ".".join(parts) for parts in (("registry", "npmjs"), ("deb", "debian"), ("download", "pytorch"))
    ]
    homes = "|".join(("root", "home", "Users", "work"))
    forbidden = re.compile("|".join(re.escape(host) for host in hosts) + rf"|(?<![\w.])/({homes})/")
    found = []
    for path in tracked_files():
        content = path.read_bytes()
        if b"\0" in content[:8192]:
            continue
        for number, line in enumerate(content.decode("utf-8", errors="replace").splitlines(), start=1):
            if forbidden.search(line):
                found.append(f"{name_of(path)}:{number}: {line.strip()[:80]}")
    assert found == []


def test_every_command_is_documented():
    registered = set(typer.main.get_command(app).commands)
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS if path.name != "CHANGELOG.md")
    assert registered - documented_commands(text) == set()


def test_commands_are_found_in_code_only():
    text = (
        "crepitus alone\n`crepitus one`, `x`\n```sh\n$ crepitus two --out c\nmake three\n```\ncrepitus four\n"
    )
    assert documented_commands(text) == {"one", "two"}


def test_the_makefile_documents_each_of_its_targets():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"^\.PHONY: (.+)$", text, flags=re.MULTILINE)[1].split())
    assert phony == set(re.findall(r"^([a-z]+):.*## ", text, flags=re.MULTILINE))


def test_constraints_are_plain_pins():
    assert [pin for pin in pins() if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin)] == []
    names = [canonicalize_name(pin.partition("==")[0]) for pin in pins()]
    assert len(names) == len(set(names))
    assert [name for name in names if UNPINNED.fullmatch(name)] == []


def test_constraints_satisfy_what_the_package_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    versions = {canonicalize_name(name): version for name, _, version in (p.partition("==") for p in pins())}
    wanted = map(Requirement, [*project["dependencies"], *extras["train"], *extras["dev"]])
    for requirement in wanted:
        if not UNPINNED.fullmatch(requirement.name):
            version = versions.get(canonicalize_name(requirement.name))
            assert version is not None, f"{requirement.name} has no pin"
            assert requirement.specifier.contains(version), f"{requirement} is pinned to {version}"


def test_citation_gives_this_version_and_the_five_papers():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == __version__
    assert citation["license"] == "Apache-2.0"
    assert len(citation["references"]) == 5
    for reference in citation["references"]:
        assert {"type", "title", "authors", "year"} <= set(reference)
        assert all({"family-names", "given-names"} <= set(author) for author in reference["authors"])


def test_changelog_opens_with_what_is_not_released():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[?([\w.]+)", text, flags=re.MULTILINE)[0] == "Unreleased"


def test_the_example_of_a_predictions_folder_runs(tmp_path, monkeypatch):
    text = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "conventions.md", "exec"), {})
    folder = tmp_path / "my-predictions"
    assert (folder / "images.csv").read_text().split() == [
        "image_id,score",
        "wrist-001,0.91",
        "wrist-002,0.08",
    ]
    assert len((folder / "detections.csv").read_text().splitlines()) == 2
    heatmap = np.load(folder / "heatmaps" / "wrist-001.npy")
    assert (heatmap.shape, heatmap.dtype) == ((4, 3), np.float32)
    # Of a 600 x 300 image, row 1 of 4 covers y in [150, 300), column 1 of 3 covers x in [100, 200).
    assert np.argwhere(heatmap >= 0.5).tolist() == [[1, 1]]
