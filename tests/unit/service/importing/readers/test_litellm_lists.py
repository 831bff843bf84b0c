"""Where the models of a LiteLLM proxy are found: Helm values, ConfigMaps, answers, router lists, included files."""

import json
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from service.importing.formats import SourceFormat, recognise
from service.importing.readers.litellm import read_litellm
from service.importing.readers.litellm_lists import find_lists
from service.importing.source import Item, Source, SourceError, open_source
from service.importing.yaml_file import yaml_documents
from tests.support.memory_sources import source_of

ENTRY = "- model_name: gpt-4o\n  litellm_params: {model: azure/gpt-4o}\n"
AS_JSON: dict[str, Any] = {"model_name": "gpt-4o", "litellm_params": {"model": "azure/gpt-4o"}}
CONFIGURATION = f"model_list:\n{ENTRY}general_settings: {{master_key: os.environ/KEY}}\n"


def indented(text: str, by: int) -> str:
    return "".join(f"{' ' * by}{line}" for line in text.splitlines(keepends=True))


PLACES: dict[str, tuple[Any, str]] = {
    "a configuration": (CONFIGURATION, "model_list[0] (line 2)"),
    "Helm values": (
        f"replicaCount: 1\nimage: {{tag: main}}\nproxy_config:\n{indented(CONFIGURATION, 2)}",
        "proxy_config.model_list[0] (line 5)",
    ),
    "values of a chart that contains the chart": (
        f"global: {{}}\nlitellm-helm:\n  proxy_config:\n{indented(CONFIGURATION, 4)}",
        "litellm-helm.proxy_config.model_list[0] (line 5)",
    ),
    "a ConfigMap": (
        f"apiVersion: v1\nkind: ConfigMap\ndata:\n  config.yaml: |\n{indented(CONFIGURATION, 4)}",
        "data.config.yaml: model_list[0] (line 6)",
    ),
    "a ConfigMap among other documents": (
        f"kind: Namespace\n---\nkind: ConfigMap\ndata:\n  c.yml: |-\n{indented(CONFIGURATION, 4)}---\nkind: Service\n",
        "data.c.yml: model_list[0] (line 7)",
    ),
    "a list of manifests": (
        "kind: List\nitems:\n- kind: Service\n- kind: ConfigMap\n  data:\n    config.yaml: |\n"
        + indented(CONFIGURATION, 6),
        "items[1].data.config.yaml: model_list[0] (line 8)",
    ),
    "a config of Docker Compose": (
        f"services: {{}}\nconfigs:\n  litellm:\n    content: |\n{indented(CONFIGURATION, 6)}",
        "configs.litellm.content: model_list[0] (line 6)",
    ),
    "Helm values in an application of Argo CD": (
        "kind: Application\nspec:\n  source:\n    helm:\n      values: |\n        proxy_config:\n"
        + indented(CONFIGURATION, 10),
        "spec.source.helm.values: proxy_config.model_list[0] (line 8)",
    ),
    "Helm values in one of several sources": (
        "kind: Application\nspec:\n  sources:\n  - helm:\n      values: |\n        proxy_config:\n"
        + indented(CONFIGURATION, 10),
        "spec.sources[0].helm.values: proxy_config.model_list[0] (line 8)",
    ),
    "a release of Flux": (
        f"kind: HelmRelease\nspec:\n  values:\n    proxy_config:\n{indented(CONFIGURATION, 6)}",
        "spec.values.proxy_config.model_list[0] (line 6)",
    ),
    "a chart of k3s": (
        f"kind: HelmChart\nspec:\n  valuesContent: |-\n    proxy_config:\n{indented(CONFIGURATION, 6)}",
        "spec.valuesContent: proxy_config.model_list[0] (line 6)",
    ),
    "the texts of a Secret": (
        f"kind: Secret\nstringData:\n  config.yaml: |\n{indented(CONFIGURATION, 4)}",
        "stringData.config.yaml: model_list[0] (line 5)",
    ),
    "the last of many ConfigMaps as JSON": (
        {
            "apiVersion": "v1",
            "items": [
                *({"kind": "ConfigMap", "data": {"n": str(number)}} for number in range(30)),
                *({"kind": "Service", "spec": {"number": number}} for number in range(30)),
                {"kind": "ConfigMap", "data": {"config.yaml": CONFIGURATION}},
            ],
            "kind": "List",
        },
        "items[60].data.config.yaml: model_list[0] (line 2)",
    ),
    "after very many other parts": (
        "".join(f"k{number}: 1\n" for number in range(25_000)) + f"---\n{CONFIGURATION}",
        "model_list[0] (line 25003)",
    ),
    "far down": (
        "".join(f"{' ' * depth}a:\n" for depth in range(40)) + f"{' ' * 40}proxy_config: {{model_list: [{AS_JSON}]}}\n",
        f"{'a.' * 40}proxy_config.model_list[0] (line 41)",
    ),
    "one entry alone": (AS_JSON, "[0]"),
    "one entry alone as YAML": (f"model_name: gpt-4o\nlitellm_params: {AS_JSON['litellm_params']}\n", "[0] (line 1)"),
    "Helm values as JSON": ({"proxy_config": {"model_list": [AS_JSON]}}, "proxy_config.model_list[0]"),
    "the answer of model/info": ({"data": [{**AS_JSON, "model_info": {"db_model": True}}]}, "data[0]"),
    "a page of v2/model/info": ({"data": [AS_JSON], "total_count": 1, "current_page": 1}, "data[0]"),
    "a router's list": ([AS_JSON], "[0]"),
    "a router's list as YAML": (ENTRY, "[0] (line 1)"),
}


def written(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content)


def read(content: Any) -> list[Item]:
    return list(read_litellm(source_of(written(content))))


@pytest.mark.parametrize("place", PLACES)
def test_a_list_is_found_wherever_people_have_it(place: str) -> None:
    content, position = PLACES[place]
    assert recognise(source_of(written(content))).format is SourceFormat.LITELLM
    [item] = read(content)
    assert item.problem is None
    assert item.position == position
    assert item.value["base_model_id"] == "azure/gpt-4o"


def test_the_same_entry_is_the_same_model_wherever_it_is() -> None:
    assert len({read(content)[0].value["id"] for content, _ in PLACES.values()}) == 1


def test_equal_and_similar_entries_are_counted_over_all_lists_of_a_file() -> None:
    other = CONFIGURATION.replace("gpt-4o}", "gpt-4o, rpm: 5}")
    first, second, third = read(f"{CONFIGURATION}---\n{CONFIGURATION}---\n{other}")
    assert first.sibling is not None
    assert first.sibling == third.sibling
    assert second.sibling is not None
    assert second.sibling.equals == first.position


@pytest.mark.parametrize(
    "content",
    [
        {"proxy_config": {"general_settings": {}}},
        "kind: ConfigMap\ndata:\n  config.yaml: |\n    general_settings: {}\n",
        "include: [{local: ci.yml}]\nstages: [test]\n",
        "include: [ci.yml]\nstages: [test]\n",
        {"data": [{"id": "gpt-4o"}]},
        {"data": []},
        [{"name": "gpt-4o"}],
        "services:\n  litellm:\n    command: --config config.yaml\n",
    ],
)
def test_what_has_no_list_is_not_taken_for_one(content: Any) -> None:
    with pytest.raises(SourceError, match="not recognised"):
        recognise(source_of(written(content)))


def test_the_same_anchor_repeated_in_many_documents_is_bounded() -> None:
    with pytest.raises(SourceError, match="more than 1,000 lists"):
        read("---\n".join(["model_list: []\n"] * 1001))


def test_an_answer_of_several_pages_says_that_the_others_are_missing() -> None:
    model, rest = read({"data": [AS_JSON], "total_count": 2, "current_page": 1, "total_pages": 2})
    assert model.problem is None
    assert (rest.kind, rest.problem) == ("file", "is one of 2 pages; the others are not in the file")


@pytest.mark.parametrize("entries", ["", " []", " null"])
def test_an_empty_list_is_remarked_on(entries: str) -> None:
    [found] = find_lists(yaml_documents(f"general_settings: {{}}\nmodel_list:{entries}\n", 100), 100)
    assert (found.entries, found.notes) == ([], ("model_list: there are no models in it",))


SCRIPT = 'if [ -z "$X" ]; then\n: ${X:=1} "\ncat <<EOT\nmodel_list:\nEOT\nfi\n'


def test_a_script_beside_a_configuration_is_noted_and_not_searched() -> None:
    text = f"kind: ConfigMap\ndata:\n  run.sh: |\n{indented(SCRIPT, 4)}  c.yaml: |\n{indented(CONFIGURATION, 4)}"
    assert recognise(source_of(text)).format is SourceFormat.LITELLM
    [found] = find_lists(yaml_documents(text, 100), 100)
    [note] = found.notes
    assert note.startswith("data.run.sh: no YAML (line ")
    assert note.endswith("so it was not searched")


@pytest.mark.parametrize("name", ["config.yaml", "config.YML", "config.json"])
def test_a_configuration_that_is_no_yaml_is_an_error_also_beside_others(name: str) -> None:
    text = f"kind: ConfigMap\ndata:\n  {name}: |\n{indented(SCRIPT, 4)}  c.yaml: |\n{indented(CONFIGURATION, 4)}"
    assert recognise(source_of(text)).format is SourceFormat.LITELLM
    with pytest.raises(SourceError, match=f"data.{name}: no YAML"):
        read(text)


def test_includes_are_found_in_a_config_map_too() -> None:
    text = "kind: ConfigMap\ndata:\n  c.yaml: |\n    include: [a.yaml]\n    litellm_settings: {drop_params: true}\n"
    assert recognise(source_of(text)).reason == "YAML with included files: a configuration of LiteLLM's proxy"
    assert [item.position for item in read(text)] == ["include a.yaml"]


def test_all_lists_are_found_or_the_search_says_that_it_gave_up() -> None:
    many = "---\n" + "".join(f"k{number}: 1\n" for number in range(25_000)) + "---\n"
    assert len(read(f"{CONFIGURATION}{many}{CONFIGURATION.replace('gpt-4o', 'gpt-5')}")) == 2
    deep: Any = {"model_list": [AS_JSON]}
    for _ in range(150):
        deep = [deep]
    with pytest.raises(SourceError, match="not all of the file was searched"):
        read([{"model_list": [AS_JSON]}, deep])


def test_the_files_that_are_kept_as_text_share_the_bounds() -> None:
    data = "".join(f"  c{number}.yaml: '[include: 1, {'1,' * 60}]'\n" for number in range(3))
    with pytest.raises(SourceError, match=r"data\.c1\.yaml: .*too many values"):
        find_lists(yaml_documents(f"kind: ConfigMap\ndata:\n{data}", 1000), 100)


def test_kept_files_that_are_no_yaml_count_too() -> None:
    data = "".join(f"  c{number}.sh: 'include: [{'[],' * 100}'\n" for number in range(3)) + "  c.yaml: '[include: 1]'\n"
    with pytest.raises(SourceError, match=r"data\.c2\.sh: .*too many values"):
        find_lists(yaml_documents(f"kind: ConfigMap\ndata:\n{data}", 1000), 250)


def test_no_name_of_a_file_shows_a_secret() -> None:
    [item] = read({"sk-abcdef0123456789": {"proxy_config": {"model_list": [AS_JSON]}}})
    assert item.position == "….proxy_config.model_list[0]"


# --- Included files


def test_included_files_that_are_not_read_are_named() -> None:
    items = read("include: [a.yaml, b.yaml, 5]\nmodel_list: []\n")
    assert [(item.position, item.problem) for item in items] == [
        ("include a.yaml", "was not read; modeldeck import --follow-includes reads it"),
        ("include b.yaml", "was not read; modeldeck import --follow-includes reads it"),
        ("include 5", "must be the name of a file"),
    ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.yaml").write_text(CONFIGURATION)
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "a.yaml").write_text("model_list:\n- {model_name: a, litellm_params: {model: openai/a}}\n")
    (inner / "nested.yaml").write_text("include: [a.yaml]\nmodel_list: []\n")
    (inner / "broken.yaml").write_text("model_list: [")
    (inner / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (inner / "loop.yaml").symlink_to("loop.yaml")
    os.mkfifo(inner / "fifo.yaml")
    (inner / "sub").mkdir()
    return inner


def follow(folder: Path, *names: str) -> list[Item]:
    main = folder / "config.yaml"
    main.write_text(f"include: {json.dumps(names)}\n{CONFIGURATION}")
    with open_source(str(main), follow_includes=True) as source:
        return list(read_litellm(source))


def test_included_files_are_read_on_request(folder: Path) -> None:
    own, included = follow(folder, "a.yaml")
    assert own.value["base_model_id"] == "azure/gpt-4o"
    assert (included.position, included.value["base_model_id"]) == ("a.yaml: model_list[0] (line 2)", "openai/a")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../secret.yaml", "is not in the same folder, so it was not read"),
        ("link.yaml", "is not in the same folder, so it was not read"),
        ("sub/../a.yaml", None),
        ("/etc/hostname", "is not in the same folder, so it was not read"),
        ("absent.yaml", "can't be read: No such file or directory"),
        ("sub", "can't be read: not a file"),
        ("loop.yaml", "can't be read: not the name of a file"),
        ("fifo.yaml", "can't be read: not a file"),
        ("a\0.yaml", "can't be read: not the name of a file"),
        ("broken.yaml", "line 2, column 1: did not find expected node content"),
        ("nested.yaml", "includes files itself, which the proxy does not read either"),
    ],
)
def test_only_files_of_the_same_folder_are_included(folder: Path, name: str, problem: str | None) -> None:
    _, item = follow(folder, name)
    assert item.problem == problem


def test_a_source_without_a_folder_follows_nothing() -> None:
    source = Source(BytesIO(), 0, follow_includes=True)
    assert source.included("a.yaml") == "was not read, since what has no name has no folder either"
