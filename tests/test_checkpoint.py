"""Released checkpoints: read without executing anything, refused in one line where they don't fit."""

import pickle
import warnings

import pandas as pd
import pytest
import torch

from cofinal_lib import checkpoint
from cofinal_lib.data import load
from cofinal_lib.errors import CofinalError
from cofinal_lib.rivals import GDLT, METHODS, ReleasedCoFInAl


@pytest.fixture(scope="module")
def twin():
    return load("twin/ball", feature_dim=16, n_train=8)


def released(Method, **sizes) -> dict[str, torch.Tensor]:
    """A state dict as the authors' code writes it: the projections are convolutions."""
    torch.manual_seed(0)
    state = Method(Method.Config(**sizes), torch.Generator().manual_seed(0)).state_dict()
    return {k: v.unsqueeze(-1) if k in ("in_proj.0.weight", "in_proj.3.weight") else v for k, v in state.items()}


@pytest.fixture
def file(tmp_path):
    torch.save(released(ReleasedCoFInAl, feature_dim=16, hidden_dim=16), tmp_path / "Ball_best.pkl")
    return tmp_path / "Ball_best.pkl"


def test_a_checkpoint_scores_each_routine_as_a_batch_of_its_own(file, twin):
    model = checkpoint.released_model("cofinal-released", file, score_cap=25.0)
    frame = checkpoint.score(model, twin)
    assert list(frame["video"]) == list(twin.ids) and (frame["split"] == "train").sum() == 8
    for i in (0, 20):
        n = int(twin.lengths[i])
        alone = model(twin.features[i : i + 1, :n], torch.tensor([n]))["score"].item()
        assert frame["predicted"][i] == pytest.approx(alone, abs=1e-4)


class Harm:
    def __reduce__(self):
        return (open, ("harm.txt", "w"))


def test_nothing_in_a_checkpoint_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"weight": Harm()}, "bad.pkl")
    with pytest.raises(CofinalError, match="bad.pkl was not loaded"):
        checkpoint.read_state_dict("bad.pkl")
    assert not (tmp_path / "harm.txt").exists()


def test_faulty_checkpoints_are_named(tmp_path, file):
    with pytest.raises(CofinalError, match="nowhere.pkl is missing"):
        checkpoint.read_state_dict(tmp_path / "nowhere.pkl")
    newer = pickle.dumps({"weight": torch.zeros(2)}, protocol=4)
    for damaged in (file.read_bytes()[:2000], newer, b"", b"\x80\x02.", b"\x80\x02h1.", b"\x80\x02}r"):
        (tmp_path / "half.pkl").write_bytes(damaged)
        with warnings.catch_warnings(record=True) as said, pytest.raises(CofinalError, match="cut short"):
            warnings.simplefilter("always")
            checkpoint.read_state_dict(tmp_path / "half.pkl")
        assert said == []
    with pytest.raises(IsADirectoryError):
        checkpoint.read_state_dict(tmp_path)
    torch.save([1, 2], tmp_path / "list.pkl")
    with pytest.raises(CofinalError, match="no state dict"):
        checkpoint.read_state_dict(tmp_path / "list.pkl")
    with pytest.raises(CofinalError, match="no checkpoint of hgcn: it has no scene_gen"):
        checkpoint.released_model("hgcn", file)
    torch.save(released(GDLT, feature_dim=16, hidden_dim=16), tmp_path / "gdlt.pkl")
    with pytest.raises(CofinalError, match="does not fit cofinal-released.*regressor_revert"):
        checkpoint.released_model("cofinal-released", tmp_path / "gdlt.pkl")
    with pytest.raises(CofinalError, match="does not fit gdlt.*divisible by num_heads"):
        checkpoint.released_model("gdlt", tmp_path / "gdlt.pkl", n_heads=3)
    flat = released(GDLT, feature_dim=16, hidden_dim=16)
    torch.save(flat | {"prototype.weight": flat["prototype.weight"].flatten()}, tmp_path / "flat.pkl")
    with pytest.raises(CofinalError, match="flat.pkl does not fit gdlt"):
        checkpoint.released_model("gdlt", tmp_path / "flat.pkl")
    with pytest.raises(CofinalError, match="no released checkpoint of 'c3d-svr'"):
        checkpoint.released_model("c3d-svr", file)


def test_scores_come_in_the_points_that_the_authors_divide_by(file, tmp_path, cofinal):
    assert checkpoint.released_model("cofinal-released", file).config.score_cap == 25.0
    assert checkpoint.released_model("cofinal-released", file, score_cap=40.0).config.score_cap == 40.0
    torch.save(released(ReleasedCoFInAl, hidden_dim=16), tmp_path / "pcs.pkl")
    arguments = ["--checkpoint", tmp_path / "pcs.pkl", "--dataset", "twin/pcs", "--out", tmp_path / "p.csv"]
    assert cofinal("score", *arguments).returncode == 0
    model = checkpoint.released_model("cofinal-released", tmp_path / "pcs.pkl", alpha=0.5, activation=3)
    assert model.config.score_cap == 25.0  # on Fis-V and its twins, too, whose own scores go up to 40
    expected = checkpoint.score(model, load("twin/pcs"))["predicted"]
    assert pd.read_csv(tmp_path / "p.csv")["predicted"].to_numpy() == pytest.approx(expected.to_numpy(), rel=1e-5)


def test_a_checkpoint_that_reads_images_is_refused():
    model = METHODS["action-net"](
        METHODS["action-net"].Config(feature_dim=16, n_clips=8, static="images", static_dim=16, n_images=8)
    )
    with pytest.raises(CofinalError, match="reads images' features beside clips', which no data set here has"):
        checkpoint.score(model, load("twin/ball", feature_dim=16, n_train=4))


def test_another_width_of_features_is_an_error(file):
    model = checkpoint.released_model("cofinal-released", file)
    with pytest.raises(CofinalError, match="features of 8, the checkpoint reads 16"):
        checkpoint.score(model, load("twin/ball", feature_dim=8, n_train=4))


def test_the_command_writes_every_prediction(cofinal, tmp_path):
    torch.save(released(ReleasedCoFInAl, hidden_dim=16), tmp_path / "Ball_best.pkl")
    arguments = ["--checkpoint", tmp_path / "Ball_best.pkl", "--dataset", "twin/ball", "--out", tmp_path / "p.csv"]
    result = cofinal("score", *arguments)
    assert result.returncode == 0 and "twin/ball, 50 test routines: SRCC" in result.stdout
    frame = pd.read_csv(tmp_path / "p.csv")
    assert len(frame) == 250 and frame["predicted"].between(-25, 50).all()
    broken = {name: value * torch.nan for name, value in checkpoint.read_state_dict(tmp_path / "Ball_best.pkl").items()}
    torch.save(broken, tmp_path / "nan.pkl")
    refused = cofinal("score", "--checkpoint", tmp_path / "nan.pkl", *arguments[2:-1], tmp_path / "nan.csv")
    assert refused.returncode == 2 and "nan.pkl predicts scores that are no finite numbers" in refused.stderr
    (tmp_path / "nan.pkl").unlink()
    (tmp_path / "a folder").mkdir()
    refused = cofinal("score", *arguments[:-1], tmp_path / "a folder")
    assert refused.returncode == 2 and "cannot write" in refused.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Ball_best.pkl", "a folder", "p.csv"]  # nothing half done
