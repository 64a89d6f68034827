"""Pinned files: the mirror, the checks, and what each failure is called. No test here needs a network."""

import hashlib
import http.server
import shutil
import threading
import time
import warnings

import pytest

from cofinal_lib.data import at_hand, registry, scores_at_hand, state
from cofinal_lib.errors import CofinalError


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A web server on this machine, serving tmp_path/site, and an empty cache."""
    site = tmp_path / "site"
    site.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, directory=site, **kwargs)

        def log_message(self, *args):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    monkeypatch.delenv("COFINAL_MIRROR", raising=False)
    monkeypatch.setenv("COFINAL_CACHE", str(tmp_path / "cache"))
    yield site, f"http://127.0.0.1:{httpd.server_address[1]}"
    httpd.shutdown()


def serve(server, monkeypatch, content: bytes, promised: bytes):
    site, address = server
    (site / "labels.txt").write_bytes(content)
    digest = hashlib.sha256(promised).hexdigest()
    monkeypatch.setitem(registry.FILES, "rg/labels.txt", (f"{address}/labels.txt", digest))


def test_a_file_is_fetched_once(server, monkeypatch):
    serve(server, monkeypatch, b"whole", b"whole")
    path = registry.fetch("rg/labels.txt")
    assert path.read_bytes() == b"whole"
    (server[0] / "labels.txt").unlink()
    assert registry.fetch("rg/labels.txt") == path


def test_a_wrong_checksum_leaves_nothing(server, monkeypatch, tmp_path):
    serve(server, monkeypatch, b"half", b"whole")
    with pytest.raises(CofinalError, match="did not arrive whole"):
        registry.fetch("rg/labels.txt")
    assert not [p for p in (tmp_path / "cache").rglob("*") if p.is_file()]


def test_no_network_and_no_such_page(server, monkeypatch):
    serve(server, monkeypatch, b"whole", b"whole")
    (server[0] / "labels.txt").unlink()
    with pytest.raises(CofinalError, match="cannot download .*HTTPError.*COFINAL_MIRROR"):
        registry.fetch("rg/labels.txt")
    monkeypatch.setitem(registry.FILES, "rg/labels.txt", ("http://127.0.0.1:1/labels.txt", "0" * 64))
    with pytest.raises(CofinalError, match="cannot download .*ConnectionError.*check the network"):
        registry.fetch("rg/labels.txt")


def test_a_cache_that_cannot_be_written(server, monkeypatch, tmp_path):
    serve(server, monkeypatch, b"whole", b"whole")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COFINAL_CACHE", str(tmp_path / "file"))
    with pytest.raises(CofinalError, match="cannot write .*labels.txt: Not a directory"):
        registry.fetch("rg/labels.txt")


def test_a_mirror_is_checked_too(mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("COFINAL_MIRROR", str(tmp_path))
    with pytest.raises(CofinalError, match="train.txt is missing: COFINAL_MIRROR is set"):
        registry.fetch("rg/train.txt")
    (tmp_path / "rg").mkdir()
    shutil.copy(mirror / "rg" / "train.txt", tmp_path / "rg")
    assert registry.fetch("rg/train.txt").parent == tmp_path / "rg"
    with (tmp_path / "rg" / "train.txt").open("a") as file:
        file.write("\n")
    with pytest.raises(CofinalError, match="train.txt has the wrong SHA-256"):
        registry.fetch("rg/train.txt")
    monkeypatch.setenv("COFINAL_MIRROR", str(tmp_path / "nowhere"))
    for asked in (
        lambda: registry.fetch("rg/train.txt"),
        lambda: at_hand("rg/ball"),
        lambda: at_hand("uiprmd/deep-squat"),
    ):
        with pytest.raises(CofinalError, match="nowhere, which is no folder"):
            asked()


def test_threads_that_fetch_leave_the_process_its_warnings(mirror, monkeypatch):
    """Threads that hide warnings at the same time bring back each other's list: after that nobody was warned."""
    hiding = set()

    class Watched(warnings.catch_warnings):
        def __enter__(self):
            hiding.add(threading.current_thread())
            return super().__enter__()

    monkeypatch.setattr(warnings, "catch_warnings", Watched)
    registry.fetch_dataset("uiprmd")
    assert hiding <= {threading.main_thread()}


def test_one_file_that_fails_ends_the_fetching(monkeypatch):
    asked = []

    def refuse(name):
        asked.append(name)
        time.sleep(0.01)
        raise CofinalError(f"no {name}")

    monkeypatch.setattr(registry, "fetch", refuse)
    with pytest.raises(CofinalError, match="no fisv/"):
        registry.fetch_dataset("fisv")
    assert len(asked) < 100  # of 504


def test_unknown_names():
    with pytest.raises(CofinalError, match="unknown data set 'rugby'; expected one of rg, fisv"):
        registry.fetch_dataset("rugby")
    with pytest.raises(CofinalError, match="not a registered file"):
        registry.fetch("rg/valid.txt")


def test_every_file_is_pinned_by_commit_and_digest():
    assert len(registry.FILES) == 511
    for url, digest in registry.FILES.values():
        commit = url.removeprefix(registry.GITHUB).split("/")[3]
        assert len(commit) == 40 and int(commit, 16) and len(digest) == 64 and int(digest, 16)


def test_scores_at_hand_fall_back_to_the_twins_and_say_so(monkeypatch, tmp_path):
    monkeypatch.setenv("COFINAL_MIRROR", str(tmp_path))
    scores = scores_at_hand("rg")
    assert scores.attrs["source"] == "twin" and "COFINAL_MIRROR" in scores.attrs["why"]
    assert scores.groupby(["target", "split"]).size().tolist() == [50, 200] * 4
    assert not at_hand("uiprmd/deep-squat") and at_hand("twin/ball")


def test_a_link_that_leads_nowhere_has_no_share_in_the_state_of_a_data_set(monkeypatch, tmp_path):
    monkeypatch.setenv("COFINAL_MIRROR", str(tmp_path))
    (tmp_path / "fisv").mkdir()
    (tmp_path / "fisv" / "train.txt").write_text("1 28.71 29.36 1\n")
    before = state("fisv/pcs")
    (tmp_path / "fisv" / "1.npy").symlink_to(tmp_path / "moved.npy")
    assert state("fisv/pcs") == before
    (tmp_path / "moved.npy").write_text("here again")
    assert state("fisv/pcs") != before


def test_official_scores(mirror):
    rg, fisv = scores_at_hand("rg"), scores_at_hand("fisv")
    assert rg.attrs["source"] == "official"
    assert rg.groupby(["target", "split"]).size().tolist() == [50, 200] * 4
    assert fisv.groupby(["target", "split"]).size().tolist() == [100, 400] * 2
    ball = rg[(rg["target"] == "ball") & (rg["split"] == "test")]["score"]
    assert (ball.min(), ball.max()) == (3.85, 23.2)
