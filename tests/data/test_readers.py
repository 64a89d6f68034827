"""The official layout and UI-PRMD's: what is read, and what each fault is called."""

import shutil

import numpy as np
import pytest
import torch

from cofinal_lib import data
from cofinal_lib.data import load, readers
from cofinal_lib.data.registry import CLIP_FOLDER
from cofinal_lib.errors import CofinalError
from cofinal_lib.runs import RunSpec

RG_HEADER = "Video_Name\tDifficulty_Score    Execution_Score Total_Score\tPenalty\tVideo_length\n"


@pytest.fixture
def rg(tmp_path):
    """Ball_001 and _003 to train, Ball_002 to test, a Clubs routine beside them."""
    rng = np.random.default_rng(0)
    (tmp_path / CLIP_FOLDER).mkdir()
    for name, clips in (("Ball_001", 5), ("Ball_002", 3), ("Ball_003", 7), ("Clubs_001", 2)):
        np.save(tmp_path / CLIP_FOLDER / f"{name}.npy", rng.normal(size=(clips, 1024)).astype(np.float32))
    rows = ["Ball_001\t10.5\t8.3\t18.80\t0.00\t92", "Clubs_001\t1.0\t2.0\t3.00\t0.00\t90"]
    rows += ["Ball_003 9.0 8.0 17.00 0.00 92"]
    (tmp_path / "train.txt").write_text(RG_HEADER + "\n".join(rows) + "\n")
    (tmp_path / "test.txt").write_text(RG_HEADER + "Ball_002 7.2 4.2 10.80 0.60 93\n")
    return tmp_path


@pytest.fixture
def fisv(tmp_path):
    (tmp_path / CLIP_FOLDER).mkdir()
    for name in "123":
        np.save(tmp_path / CLIP_FOLDER / f"{name}.npy", np.ones((2, 1024), np.float16) * int(name))
    (tmp_path / "train.txt").write_text("1 28.71 29.36 1\n3 28.79 27.89 1")
    (tmp_path / "test.txt").write_text("2 20.5 21.5 0\n")
    return tmp_path


def test_rg_is_read_with_its_header_and_mixed_separators(rg):
    data = readers.read_official(rg, "rg/ball")
    assert data.ids == ("Ball_001", "Ball_003", "Ball_002")
    assert data.scores.tolist() == [18.8, 17.0, 10.8]
    assert data.is_train.tolist() == [True, True, False]
    assert data.lengths.tolist() == [5, 7, 3] and data.features.shape == (3, 7, 1024)
    assert (data.features[0, 5:] == 0).all() and data.crop == 68 and data.source == "official"
    stored = np.load(rg / CLIP_FOLDER / "Ball_002.npy")
    assert torch.equal(data.features[2, :3], torch.from_numpy(stored))


def test_fisv_has_no_header_and_loses_no_routine(fisv):
    tes, pcs = (readers.read_official(fisv, t) for t in ("fisv/tes", "fisv/pcs"))
    assert tes.ids == ("1", "3", "2") and tes.scores.tolist() == [28.71, 28.79, 20.5]
    assert pcs.scores.tolist() == [29.36, 27.89, 21.5] and pcs.features.dtype == torch.float32


def test_the_digest_sees_every_change(rg):
    digest = readers.read_official(rg, "rg/ball").digest
    assert digest == readers.read_official(rg, "rg/ball").digest
    path = rg / CLIP_FOLDER / "Ball_003.npy"
    clips = np.load(path)
    clips[6, 1023] += 1e-6
    np.save(path, clips)
    assert digest != readers.read_official(rg, "rg/ball").digest


def break_npy(folder, change):
    path = folder / CLIP_FOLDER / "Ball_003.npy"
    change(path)


def resave(path, change):
    np.save(path, change(np.load(path)))


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def put(value):
    def change(clips):
        clips[4, 7] = value
        return clips

    return lambda path: resave(path, change)


FEATURE_FAULTS = {
    "missing": (lambda p: p.unlink(), r"lacks 1 feature file \(Ball_003.npy\) of 3"),
    "extra": (
        lambda p: shutil.copy(p, p.with_name("Ball_999.npy")),
        r"holds 1 feature file \(Ball_999.npy\)",
    ),
    "another width": (
        lambda p: resave(p, lambda c: np.hstack([c, c])),
        r"Ball_003.npy: clips are 2048 wide; .*1024",
    ),
    "odd width": (lambda p: resave(p, lambda c: c[:, :1000]), "Ball_003.npy: clips are 1000 wide"),
    "half an archive": (lambda p: p.write_bytes(b"PK\x03\x04, cut off"), "Ball_003.npy is not a whole .npy file"),
    "a header that does not end": (
        lambda p: p.write_bytes(p.read_bytes().replace(b", }", b", {", 1)),
        "Ball_003.npy is not a whole .npy file",
    ),
    "too large for float32": (
        lambda p: resave(p, lambda c: c.astype(np.float64) * 1e300),
        "Ball_003.npy: clip 0, dimension 0 is .*e[+]",
    ),
    "NaN": (put(np.nan), "Ball_003.npy: clip 4, dimension 7 is nan"),
    "infinity": (put(np.inf), "Ball_003.npy: clip 4, dimension 7 is inf"),
    "no clips": (lambda p: resave(p, lambda c: c[:0]), "Ball_003.npy: the routine has no clips"),
    "one dimension": (lambda p: resave(p, lambda c: c[0]), r"Ball_003.npy: expected \(clips, 1024\)"),
    "half a file": (halve, "Ball_003.npy is not a whole .npy file"),
    "no bytes": (lambda p: p.write_bytes(b""), "Ball_003.npy is not a whole .npy file"),
    "pickled code": (
        lambda p: np.save(p, np.array([{}], dtype=object), allow_pickle=True),
        "is not a whole .npy file",
    ),
    "an archive": (lambda p: (np.savez(p.with_suffix(""), a=1), p.with_suffix(".npz").rename(p)), "expected"),
}


@pytest.mark.parametrize("fault", FEATURE_FAULTS)
def test_a_faulty_feature_file_is_named(rg, fault):
    change, message = FEATURE_FAULTS[fault]
    break_npy(rg, change)
    with pytest.raises(CofinalError, match=message) as caught:
        readers.read_official(rg, "rg/ball")
    assert "\n" not in str(caught.value)


LABEL_FAULTS = {
    "column count": ("Ball_003 9.0 8.0 17.00 0.00\n", "train.txt, line 4: expected 6 columns .*, found 5"),
    "non-number": (
        "Ball_003 9.0 8.0 17,00 0.00 92\n",
        "train.txt, line 4: total of video Ball_003 is '17,00'",
    ),
    "nan": ("Ball_003 9.0 8.0 nan 0.00 92\n", "total of video Ball_003 is 'nan'"),
    "duplicate": (
        "Ball_001 9.0 8.0 17.00 0.00 92\n",
        "line 4: video Ball_001 stands twice, first in .*line 2",
    ),
    "in both splits": ("Ball_002 9.0 8.0 17.00 0.00 92\n", "test.txt, line 2: video Ball_002 stands twice"),
}


@pytest.mark.parametrize("fault", LABEL_FAULTS)
def test_a_faulty_label_line_is_named(rg, fault):
    line, message = LABEL_FAULTS[fault]
    labels = rg / "train.txt"
    labels.write_text("".join(labels.read_text().splitlines(keepends=True)[:3]) + line)
    with pytest.raises(CofinalError, match=message):
        readers.read_official(rg, "rg/ball")


def test_a_label_file_that_is_no_text_is_named(fisv):
    (fisv / "test.txt").write_bytes(b"2 20.5 \xff\xfe 0\n")
    with pytest.raises(CofinalError, match="test.txt is not text: expected the test routines"):
        readers.read_official(fisv, "fisv/tes")


def test_a_label_file_that_windows_saved_loses_no_routine(fisv):
    labels = fisv / "train.txt"
    labels.write_text(labels.read_text(), encoding="utf-8-sig")
    assert readers.read_official(fisv, "fisv/tes").ids == ("1", "3", "2")


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("content", ["", "\n\n", "video tes pcs deductions\n"])
def test_a_split_without_routines_is_named(fisv, split, content):
    (fisv / f"{split}.txt").write_text(content)
    with pytest.raises(CofinalError, match=f"{split}.txt holds no routines: expected the {split} routines"):
        readers.read_official(fisv, "fisv/tes")


def test_a_damaged_first_line_is_no_header(fisv):
    (fisv / "train.txt").write_text("1 28.7l 29.36 1\n3 28.79 27.89 1\n")
    with pytest.raises(CofinalError, match="line 1: tes of video 1 is '28.7l'"):
        readers.read_official(fisv, "fisv/tes")


def test_folders_that_are_not_what_they_should_be(rg, tmp_path):
    with pytest.raises(CofinalError, match="has no pcs scores"):
        readers.read_official(rg, "fisv/pcs")
    with pytest.raises(CofinalError, match="name no video Hoop_"):
        readers.read_official(rg, "rg/hoop")
    (rg / "test.txt").unlink()
    with pytest.raises(CofinalError, match="test.txt is missing"):
        readers.read_official(rg, "rg/ball")
    with pytest.raises(CofinalError, match="unknown target 'rg/rope'; expected one of rg/ball"):
        load("rg/rope")


def test_rg_without_features_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv("COFINAL_MIRROR", raising=False)
    monkeypatch.setenv("COFINAL_CACHE", str(tmp_path))
    with pytest.raises(CofinalError, match="links to RG's features are dead; bring a folder"):
        load("rg/ball")


@pytest.mark.parametrize("targets", [("rg/hoop", "twin/hoop"), ("fisv/tes", "twin/tes"), ("fisv/pcs", "twin/pcs")])
def test_a_twin_written_in_the_official_layout_reads_back(tmp_path, targets, monkeypatch):
    monkeypatch.setattr(readers, "WIDTHS", (16,))
    official, name = targets
    names = ["twin/hoop"] if name == "twin/hoop" else ["twin/tes", "twin/pcs"]
    twins = {n: load(n, feature_dim=16, n_train=8) for n in names}
    readers.write_official(list(twins.values()), tmp_path / "copy")
    back, twin = readers.read_official(tmp_path / "copy", official), twins[name]
    assert torch.equal(back.features, twin.features[:, : back.features.shape[1]])
    assert torch.equal(back.lengths, twin.lengths) and torch.equal(back.is_train, twin.is_train)
    assert torch.allclose(back.scores, twin.scores, atol=1e-9)
    with pytest.raises(CofinalError, match="exists already"):
        readers.write_official(list(twins.values()), tmp_path / "copy")
    assert [p.name for p in tmp_path.iterdir()] == ["copy"]  # nothing half written is left


def test_uiprmd_protocol(mirror):
    data = load("uiprmd/deep-squat")
    assert data.features.shape == (180, 24, 40) and data.is_train.sum() == 126 and data.source == "movement"
    test_rows = [i for i in range(90) if i % 10 in (2, 5, 8)]
    assert data.rows("test").tolist() == test_rows + [90 + i for i in test_rows]
    train = data.features[data.is_train].double()
    assert train.mean((0, 1)).abs().max() < 1e-5 and (train.std((0, 1)) - 1).abs().max() < 1e-3
    assert float(data.scores[0]) == 0.95192


def test_uiprmd_faults(mirror, tmp_path):
    for path in (mirror / "uiprmd").iterdir():
        shutil.copy(path, tmp_path)
    labels, clips = tmp_path / "Labels_Correct.csv", tmp_path / "Autoencoder_Output_Incorrect.csv"
    whole = labels.read_text().splitlines()
    labels.write_text("\n".join(whole[:-1]))
    with pytest.raises(CofinalError, match="Labels_Correct.csv has 89 scores for 90"):
        readers.read_uiprmd(tmp_path)
    labels.write_text("\n".join([*whole[:5], "high", *whole[6:]]))
    with pytest.raises(CofinalError, match="Labels_Correct.csv, row 6: 'high'"):
        readers.read_uiprmd(tmp_path)
    labels.write_text("\n".join(whole))
    for path in tmp_path.glob("Autoencoder_*"):
        rows = np.loadtxt(path, delimiter=",").reshape(-1, 24, 40)
        rows[..., 7] = 0.1
        np.savetxt(path, rows.reshape(-1, 960), delimiter=",")
    with pytest.raises(CofinalError, match="number 8 of a clip's 40 never varies"):
        readers.read_uiprmd(tmp_path)
    halve(clips)
    with pytest.raises(CofinalError, match=r"Autoencoder_Output_Incorrect.csv, row \d+: expected 960 numbers"):
        readers.read_uiprmd(tmp_path)


def test_the_official_fisv_features(mirror):
    data = load("fisv/pcs")
    assert len(data) == 500 and int(data.is_train.sum()) == 400 and data.feature_dim == 1024
    assert int(data.lengths.min()) == 124 and int(data.lengths.max()) == 302


# --------------------------------------------------------------------------------------- other backbones


@pytest.fixture
def i3d(fisv):
    (fisv / "i3d").mkdir()
    for name in "123":
        np.save(fisv / "i3d" / f"{name}.npy", np.full((4, 2048), int(name), np.float32))
    return fisv


def test_a_readers_i3d_features_lie_beside_vsts(i3d, monkeypatch):
    monkeypatch.setenv("COFINAL_MIRROR", str(i3d.parent))
    i3d.rename(i3d.parent / "fisv")
    vst, other = (readers.read_official(i3d.parent / "fisv", t) for t in ("fisv/pcs", "fisv/pcs@i3d"))
    assert torch.equal(load("fisv/pcs@i3d").features, other.features) and other.features.shape == (3, 4, 2048)
    assert (other.target, other.source, other.crop) == ("fisv/pcs@i3d", "official", vst.crop)
    assert torch.equal(other.scores, vst.scores) and other.digest != vst.digest
    assert data.at_hand("fisv/pcs@i3d") and data.at_hand("fisv/pcs") and not data.at_hand("fisv/pcs@c3d")


@pytest.mark.parametrize(
    "target, said",
    [
        ("fisv/pcs@c3d", "c3d is missing: expected one <video>.npy of .clips, 4096."),
        ("fisv/pcs@slowfast", "unknown target 'fisv/pcs@slowfast'; .* rg and fisv also with @i3d or @c3d"),
        ("twin/pcs@i3d", "unknown target"),
    ],
)
def test_faults_of_other_backbones_are_named(i3d, target, said):
    with pytest.raises(CofinalError, match=said):
        load(target, folder=i3d)


def test_features_of_another_width_are_no_i3d(i3d):
    np.save(i3d / "i3d" / "2.npy", np.ones((4, 4096), np.float32))
    with pytest.raises(CofinalError, match=r"i3d/2.npy: clips are 4096 wide; expected \(clips, 2048\) numbers"):
        load("fisv/pcs@i3d", folder=i3d)
    np.save(i3d / "i3d" / "1.npy", np.ones((4, 4096), np.float32))
    with pytest.raises(CofinalError, match=r"i3d/1.npy: clips are 4096 wide; expected \(clips, 1024 or 2048\) numbers"):
        load("fisv/pcs@i3d", folder=i3d)


def test_where_nobody_has_them_the_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("COFINAL_MIRROR", str(tmp_path))
    with pytest.raises(CofinalError, match="holds i3d/<video>.npy, .* as .*/fisv or by --folder, or take fisv/pcs"):
        load("fisv/pcs@i3d")


def test_a_method_knows_its_authors_options_whatever_the_backbone(i3d):
    same, other = (RunSpec(target, method="gdlt") for target in ("fisv/pcs", "fisv/pcs@i3d"))
    assert (other.score_cap, other.authors_options) == (same.score_cap, same.authors_options)
    assert other.config(load("fisv/pcs@i3d", folder=i3d)).feature_dim == 2048
