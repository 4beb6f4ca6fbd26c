"""Documentation cannot lie: what it tells people to type exists, what it links to is there, both languages agree."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from arpent.cli.app import tree
from arpent.models.shipped import shipped_names


@pytest.fixture(scope="module")
def commands() -> Any:
    return tree()


@pytest.fixture(scope="module")
def french(pages: list[Any]) -> list[tuple[Any, Any]]:
    """Every page in French, with its twin in English."""
    by_path = {page.path: page for page in pages}
    found = []
    for page in pages:
        if page.path.name.endswith(".fr.md"):
            twin = page.path.with_name(page.path.name.removesuffix(".fr.md") + ".md")
            assert twin in by_path, f"{page.path.name} is in French only"
            found.append((page, by_path[twin]))
    return found


def test_the_readme_begins_with_the_two_commands(pages: list[Any]) -> None:
    readme = next(page for page in pages if page.path.name == "README.md")
    assert list(readme.commands())[:2] == ["make demo", "make test"]


def test_the_pages_for_users_are_in_both_languages(french: list[tuple[Any, Any]]) -> None:
    names = {page.path.name for page, _ in french}
    assert {"README.fr.md", "index.fr.md", "tutorial.fr.md", "landcover.fr.md"} <= names


def test_both_languages_say_to_type_the_same(french: list[tuple[Any, Any]]) -> None:
    for page, twin in french:
        assert list(page.commands()) == list(twin.commands()), page.path.name


def test_both_languages_have_the_same_sections(french: list[tuple[Any, Any]]) -> None:
    """A section that is added in one language is missed in the other."""
    for page, twin in french:
        levels = [re.findall(r"^(#+) ", _prose(one), re.MULTILINE) for one in (page, twin)]
        assert levels[0] == levels[1], page.path.name


def _prose(page: Any) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^( *)```.*?^\1```$", "", page.text, flags=re.DOTALL | re.MULTILINE)


def test_every_command_in_the_pages_exists(pages: list[Any], commands: Any) -> None:
    """Commands, subcommands and options, as they stand in every page."""
    unknown = []
    for page in pages:
        for line in page.commands():
            words = shlex.split(line)
            if words[0] in ("accelerate", "torchrun"):  # … -m arpent …
                words = words[words.index("arpent") :]
            if words[0].rpartition("/")[2] != "arpent":
                continue
            wrong = _unknown_words(commands, words[1:])
            if words[1] == "plan":  # is followed by a command with options of its own
                wrong = [word for word in wrong if word in _unknown_words(commands, words[2:])]
            unknown += [f"{page.path.name}: {line}: {word}" for word in wrong]
    assert unknown == []


def _unknown_words(command: Any, words: list[str]) -> list[str]:
    everywhere = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    for word in list(words):
        inner = getattr(command, "commands", {})
        if not inner or word.startswith("-"):
            break
        if word not in inner:
            return [word]
        command = inner[words.pop(0)]
    known = everywhere | {flag for p in command.params for flag in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}
    return [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]


LAUNCHERS = {
    *("--cpu", "--multi_gpu", "--num_processes"),
    *("--nproc-per-node", "--standalone"),
    "--logdir",
    *("--rounds", "--sections"),
}
"""Options of accelerate, torchrun, tensorboard and of the scripts in bench/ that pages speak of."""


def test_every_option_in_the_text_exists(pages: list[Any], commands: Any) -> None:
    """Options that a page names in passing, such as `--resume`: some command has them."""
    known = {"--help"} | LAUNCHERS | set(_all_options(commands))
    for page in pages:
        if page.path.name == "CONTRIBUTING.md" or "decisions" in page.path.parts:
            continue
        named = {
            word
            for span in re.findall(r"`([^`\n]+)`", _prose(page))
            for word in re.findall(r"(?<!\S)--[a-z][\w.-]*", span)
        }
        assert named <= known, page.path.name


def _all_options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (*parameter.opts, *parameter.secondary_opts)
    for inner in getattr(command, "commands", {}).values():
        yield from _all_options(inner)


def test_an_unknown_option_would_be_found(commands: Any) -> None:
    assert _unknown_words(commands, ["runs", "list", "--frob"]) == ["--frob"]
    assert _unknown_words(commands, ["rnus", "list"]) == ["rnus"]


def test_every_target_of_make_in_the_pages_exists(pages: list[Any], root: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in pages:
        for line in page.commands():
            words = [word for word in line.split() if "=" not in word]
            if words[0] == "make":
                assert set(words[1:]) <= targets, f"{page.path.name}: {line}"


def test_links_between_files_lead_somewhere(pages: list[Any]) -> None:
    """Those of docs/ are judged by the site's own build too; this one also reads the files at the root."""
    broken = []
    for page in pages:
        targets = [target for target in re.findall(r"\]\(([^)#\s]+)", _prose(page)) if "://" not in target]
        broken += [f"{page.path.name}: {one}" for one in targets if not (page.path.parent / one).exists()]
    assert broken == []


def test_every_decision_is_in_their_list(root: Path) -> None:
    decisions = root / "docs/decisions"
    assert re.findall(r"\]\((\d{4}[^)]+)\)", (decisions / "index.md").read_text()) == sorted(
        path.name for path in decisions.glob("0*.md")
    )


def test_every_script_is_in_their_list(root: Path) -> None:
    listed = (root / "scripts/README.md").read_text()
    assert [path.name for path in (root / "scripts").glob("*.py") if path.name not in listed] == []


def test_french_is_written_with_its_own_apostrophe(french: list[tuple[Any, Any]]) -> None:
    for page, _ in french:
        prose = re.sub(r"`[^`]*`", "", _prose(page))
        assert re.findall(r"\w+'\w+", prose) == [], page.path.name


def test_pictures_are_there_and_described(pages: list[Any]) -> None:
    for page in pages:
        for words, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.text):
            assert words, f"{page.path.name}: {target} is not described for those who cannot see it"


def test_settings_shown_in_the_land_cover_pages_are_accepted(pages: list[Any], tmp_path: Path) -> None:
    """Each YAML block is a whole file, word for word; its first line names it, and what it holds says of what."""
    from arpent.core import nomenclature, sensor
    from arpent.core.settings import parse
    from arpent.tasks.landcover import FinetuneSettings, TrainSettings
    from arpent.tasks.landcover.transfer_settings import TransferSettings

    def accepted(block: str) -> object:
        document = yaml.safe_load(block)
        read = {"classes": nomenclature, "gsd": sensor}
        for key in read.keys() & document.keys():
            file = tmp_path / f"{key}.yaml"
            file.write_text(block, "utf-8")
            return read[key](str(file))
        kind = TransferSettings if "target" in document else FinetuneSettings if "start" in document else TrainSettings
        return parse(kind, document, "the page")

    shown = {
        page.path.name: [accepted(block) for block in page.blocks("yaml")]
        for page in pages
        if page.path.name.startswith("landcover.")
    }
    assert len(shown["landcover.md"]) == 6
    assert shown["landcover.md"] == shown["landcover.fr.md"]


def test_settings_shown_in_the_change_pages_are_accepted(pages: list[Any]) -> None:
    """Likewise, for a training on pairs."""
    from arpent.core.settings import parse
    from arpent.tasks.change.train_settings import ChangeTrainSettings

    shown = [block for page in pages if page.path.name.startswith("change.") for block in page.blocks("yaml")]
    assert len(shown) == 2
    english, french = (parse(ChangeTrainSettings, yaml.safe_load(block), "the page") for block in shown)
    assert english == french
    assert english.fit.best == "average_precision"


def test_settings_shown_to_those_who_come_from_elsewhere_are_accepted(pages: list[Any]) -> None:
    """Blocks that name a file of the reader's own; what is theirs begins with other words."""
    from arpent.core.settings import parse
    from arpent.tasks.landcover import TrainSettings

    shown = {
        page.path.name: [
            parse(TrainSettings, yaml.safe_load(block), "the page")
            for block in page.blocks("yaml")
            if block.startswith("# mine.yaml")
        ]
        for page in pages
        if page.path.parent.name == "coming-from"
    }
    assert {name for name, settings in shown.items() if settings} == {
        f"{name}{language}.md" for name in ("flair", "torchgeo") for language in ("", ".fr")
    }
    for name in ("flair", "torchgeo"):
        assert shown[f"{name}.md"] == shown[f"{name}.fr.md"]


def test_the_page_on_planaura_names_every_key_of_its_configurations(pages: list[Any]) -> None:
    """All but those of the network's shape and of the training, which stand there by their groups."""
    from arpent.tasks.change.reference_config import ReferenceConfig
    from arpent.tasks.change.reference_keys import ChangeMapKeys, FeatureMapKeys

    groups = {"change_map", "feature_maps", "mosaic_params", "model_params"}
    searching = {"image_format", "search_input_folder_ignore", "search_target_folder_ignore"}
    keys = {re.sub(r"_\d$", "_i", key) for key in ReferenceConfig.model_fields} - groups - searching
    keys |= {*ChangeMapKeys.model_fields, *FeatureMapKeys.model_fields} - {"wanted"} | {"return"}
    keys -= {"using_multi_gpu", "conditioned_on"}  # which no shipped configuration has
    for page in (page for page in pages if page.path.name.startswith("planaura.")):
        named = {word for span in re.findall(r"`([^`\n]+)`", _prose(page)) for word in re.findall(r"\w+", span)}
        assert keys <= named, page.path.name


def test_both_languages_show_the_same_code(french: list[tuple[Any, Any]]) -> None:
    """As many fenced blocks of each language in the same order; programs are equal but for their comments."""
    for page, twin in french:
        fences = [re.findall(r"^ *```(\w+)$", one.text, re.MULTILINE) for one in (page, twin)]
        assert fences[0] == fences[1], page.path.name
        for language in ("python", "javascript", "sql"):
            programs = [[re.sub(r"(?m) *#.*$", "", block) for block in one.blocks(language)] for one in (page, twin)]
            assert programs[0] == programs[1], page.path.name


def test_tables_have_as_many_rows_in_both_languages(french: list[tuple[Any, Any]]) -> None:
    for page, twin in french:
        rows = [sum(line.startswith("|") for line in _prose(one).splitlines()) for one in (page, twin)]
        assert rows[0] == rows[1], page.path.name


def test_both_readmes_agree(pages: list[Any]) -> None:
    """Pictures, links to pages, numbers and sections: what one says the other says, in its own tongue."""
    english, french = (next(page for page in pages if page.path.name == name) for name in ("README.md", "README.fr.md"))
    told = {}
    for page in (english, french):
        links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", page.text)} - {
            "README.md",
            "README.fr.md",
        }
        plain = sorted({re.sub(r"\.fr(?=\.md)|-fr(?=\.png)", "", link) for link in links})
        prose = re.sub(r"\[[^\]]*\]\([^)]*\)|(?<=\d)[\s\u202f\u00a0](?=\d{3})", "", _prose(page))
        figures = sorted(figure.replace(",", ".") for figure in re.findall(r"\d+(?:[.,]\d+)?", prose))
        told[page.path.name] = (plain, figures)
    assert told["README.md"] == told["README.fr.md"]


WORDS = {"English": ("two", "three", "four", "five", "six"), "French": ("deux", "trois", "quatre", "cinq", "six")}


def test_the_readmes_say_what_is_measured_and_what_comes_along(pages: list[Any]) -> None:
    """How much less a pair of images costs, by the table of the benchmarks; how many models come with Arpent."""
    by_name = {page.path.name: page.text for page in pages}
    table = by_name["benchmarks.md"].partition("| times the published program |")[2].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `arpent`, ([^|]+) \|(?:[^|]+\|){3} ([\d.]+) \|", table, re.MULTILINE))
    measured = [rows[name] for name in ("torch f32", "OpenVINO f32", "OpenVINO bf16")]
    models = len(shipped_names()) - 2
    for name, language in (("README.md", "English"), ("README.fr.md", "French")):
        told = re.search(r"4\s096² \w+ ([\d.,]+) \(PyTorch\), ([\d.,]+) \(OpenVINO\) \w+ ([\d.,]+) ", by_name[name])
        assert told, name
        assert [figure.replace(",", ".") for figure in told.groups()] == measured, name
        assert re.search(rf" {WORDS[language][models]} (small models|petits modèles)", by_name[name]), name
