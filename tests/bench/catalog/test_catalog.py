from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toklab.bench.catalog.catalog import datasets, metrics, tokenizers
from toklab.bench.catalog.registry import RegistryError
from toklab.tokenizers.interface import InferenceSettings, TokenizerError
from wheels import build_wheel, install_wheel

EXAMPLE = Path(__file__).parents[3] / "examples" / "plugin"
MY_CARD = EXAMPLE.parent / "cards" / "my-vidtok.toml"

USE_EXAMPLE = """
import json, sys
from pathlib import Path
from toklab.bench.catalog.catalog import datasets, metrics, tokenizers
catalog = tokenizers()
listed = [(entry.name, entry.origin) for entry in catalog if entry.name.startswith("example")]
imported_by_listing = "toklab_example.pooling" in sys.modules or "torch" in sys.modules
import torch
from toklab.bench.metrics.interface import MeasuredWindow, WindowBatch
from toklab.tokenizers.interface import InferenceSettings
clip = torch.rand(2, 3, 4, 20, 20) * 2 - 1
frames = {}
for name, _ in listed:
    tokenizer = catalog.entry(name).build(InferenceSettings())
    encoded = tokenizer.encode(clip)
    metric = metrics().get("example-brightness")()
    arrays = metric.measure(WindowBatch(clip, tokenizer.decode(encoded), encoded, tokenizer.spec))
    windows = [MeasuredWindow("a", i, 4, each) for i, each in enumerate(arrays)]
    frames[name] = metric.aggregate(windows, {}).count
stills = datasets().get("example-stills")(Path.cwd())
print(json.dumps([listed, imported_by_listing, frames, [source.key for source in stills.sources()],
    [str(broken) for kind in (catalog, datasets(), metrics()) for broken in kind.probe_plugins()]]))
"""


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch):
    """Sets TOKLAB_PLUGINS."""
    return lambda *items: monkeypatch.setenv("TOKLAB_PLUGINS", ",".join(items))


def run(code: str, site: Path, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code]
    finished = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.mark.slow
def test_an_installed_package_is_found(tmp_path: Path) -> None:
    copy = tmp_path / "source"
    shutil.copytree(EXAMPLE, copy)
    install_wheel(build_wheel(copy, tmp_path), tmp_path / "site")
    (tmp_path / "stills").mkdir()
    (tmp_path / "stills" / "b.png").touch()
    listed, imported, frames, sources, broken = json.loads(run(USE_EXAMPLE, tmp_path / "site", tmp_path / "stills"))
    origin = "toklab-example 1.2.3"
    assert listed == [["example-pooling", origin], ["example-pooling-4", origin]]
    assert not imported
    assert frames == {"example-pooling": 8, "example-pooling-4": 8}
    assert sources == ["b.png"]
    assert broken == []


def test_the_environment_adds_a_tokenizer_that_is_built_on_demand(plugins) -> None:
    plugins("fake=fake_plugins:build_scaling", "tokenizers.second=fake_plugins:build_scaling")
    entry = tokenizers().entry("fake")
    assert entry.origin == "TOKLAB_PLUGINS"
    assert entry.describe()["family"] == "plugin"
    tokenizer = entry.build(InferenceSettings())
    assert tokenizer.spec == entry.spec()
    assert entry.weights_identity().startswith("state:")
    assert entry.weights_identity() == tokenizers().entry("second").weights_identity()
    assert entry.identity == tokenizers().entry("second").identity
    assert {p.device.type for m in entry.build_on_meta().modules().values() for p in m.parameters()} == {"meta"}


def test_the_environment_adds_datasets_and_metrics(plugins) -> None:
    plugins("datasets.fake=fake_plugins:FakeDataset", "metrics.fake=fake_plugins:FakeMetric")
    assert datasets().get("fake")(None).sources() == []
    assert metrics().get("fake")().name == "fake"
    assert "fake" not in tokenizers()


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("absent=no_such_module:f", "No module named 'no_such_module'"),
        ("absent=fake_plugins:nothing", "has no attribute 'nothing'"),
        ("absent=fake_plugins:NOT_CALLABLE", "must be a callable that takes"),
        ("absent=no_such_package.cards", "No module named 'no_such_package'"),
        ("absent", "isn't written name=module:object"),
        ("bicubic-4chn=fake_plugins:build_scaling", "two tokenizers are called 'bicubic-4chn'"),
    ],
)
def test_a_broken_plugin_breaks_only_itself(plugins, item: str, reason: str) -> None:
    plugins(item, "works=fake_plugins:build_scaling")
    catalog = tokenizers()
    (broken,) = catalog.probe_plugins()
    assert reason in broken.reason
    assert broken.origin == "TOKLAB_PLUGINS"
    assert catalog.entry("works").spec().name == "scaling"
    assert catalog.entry("bicubic-4chn").origin == "built-in"


def test_a_plugin_that_fails_says_so_when_it_is_used(plugins) -> None:
    plugins("absent=no_such_module:f", "other=fake_plugins:build_nothing")
    with pytest.raises(RegistryError, match="the tokenizer 'absent' of TOKLAB_PLUGINS can't be imported"):
        tokenizers().entry("absent").build(InferenceSettings())
    with pytest.raises(RegistryError, match="gives a NoneType, no VideoTokenizer"):
        tokenizers().entry("other").build(InferenceSettings())
    assert len(tokenizers().entry("absent").identity) == 16


def test_cards_are_entries(tmp_path: Path) -> None:
    entry = tokenizers().entry("bicubic-4chn")
    facts = entry.describe()
    assert (facts["title"], facts["group"], facts["weights"], facts["causal"]) == (
        "Bicubic",
        "continuous-4",
        "none",
        True,
    )
    assert entry.weights_identity() == "none"
    assert entry.hint() == ""
    assert entry.build(InferenceSettings()).encode(torch.zeros(1, 3, 1, 16, 16)).num_tokens > 0
    with pytest.raises(RegistryError, match="did you mean bicubic-4chn"):
        tokenizers().entry("bicubic4chn")
    pulled = tokenizers().entry("vidtok_kl_causal_488_4chn")
    if pulled.hint():
        with pytest.raises(TokenizerError, match="toklab weights pull vidtok_kl_causal_488_4chn"):
            pulled.weights_identity()


def test_a_card_that_is_edited_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(folder: Path, channels: int) -> None:
        folder.mkdir(exist_ok=True)
        text = MY_CARD.read_text()
        for key in ("z_channels", "latent_channels"):
            text = text.replace(f"{key} = 4", f"{key} = {channels}")
        (folder / "my-vidtok.toml").write_text(text)

    def latent_channels(folder: Path) -> int | None:
        return tokenizers((folder,)).entry("my-vidtok").spec().latent_channels

    write(tmp_path / "cards", 4)
    assert latent_channels(tmp_path / "cards") == 4
    assert tokenizers((tmp_path / "cards",)) is tokenizers((tmp_path / "cards",))
    write(tmp_path / "cards", 16)
    assert latent_channels(tmp_path / "cards") == 16
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere" / "cards", 8)
    for place, channels in ((tmp_path, 16), (tmp_path / "elsewhere", 8)):
        monkeypatch.chdir(place)
        assert latent_channels(Path("cards")) == channels


def test_everything_that_ships_can_be_imported() -> None:
    for registry in (datasets(), metrics()):
        assert [callable(registry.get(name)) for name in registry] == [True] * len(registry)
        assert registry.broken == []
