"""Where public files come from: pinned address and SHA-256 of each, and the folder that stands in for the network."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from tqdm import tqdm

from cofinal_lib.errors import CofinalError

GITHUB = "https://raw.githubusercontent.com"
GDLT_COPY = f"{GITHUB}/WHR666777/CVPR22_GDLT/0f06f2bea7ae886f172bf4b6f20583562334073a/fis-v"
ACTION_NET = f"{GITHUB}/qinghuannn/ACTION-NET/a60149c94d535ba198739613de8004c32577dba4/data"
MS_LSTM = f"{GITHUB}/chmxu/MS_LSTM/103b31e2c17e1676aa648c3e5e8759801dcded88/data"
REHAB = (
    f"{GITHUB}/avakanski/A-Deep-Learning-Framework-for-Assessing-Physical-Rehabilitation-Exercises"
    "/838d3a46b04467610fa07f07827bccc8f2e6cec1/Data"
)
COFINAL = f"{GITHUB}/ZhouKanglei/CoFInAl_AQA/fe1f4c1e9c79f60a9a9abd5bcafea43b5ba82019"
CLIP_FOLDER = "swintx_avg_fps25_clip32"  # the folder name GDLT's authors published their features under

# name here -> (address, SHA-256)
FILES = {
    "rg/train.txt": (
        f"{ACTION_NET}/train.txt",
        "1f54d40d6a3caaaaa86ea085d7f5d53498b86cda3222a8f3dc6887ee5bef17e7",
    ),
    "rg/test.txt": (
        f"{ACTION_NET}/test.txt",
        "f56a103c365a1ab2f5f5d7f19e1cf1ffbf2f220f01b27c46ef39ed9dbb0d0bbb",
    ),
    "fisv/train.txt": (
        f"{GDLT_COPY}/train.txt",
        "321328596e2339c365a93912beed1784a597b22fa3df56312d28938f52c52a2d",
    ),
    "fisv/test.txt": (
        f"{GDLT_COPY}/test.txt",
        "572b4740fa3e7ef5c91169a3ee6e4d7380a17a895ec70415bef232b9ba292208",
    ),
    "fisv/train_dataset.txt": (
        f"{MS_LSTM}/train_dataset.txt",
        "b95cbe65f7118556cc3e6b49b6dadd088d5ac6f4bd524dabbd0c963e431ee543",
    ),
    "fisv/test_dataset.txt": (
        f"{MS_LSTM}/test_dataset.txt",
        "7df4fa1501bb22a5d1c3f56a01131c8af84caea2053995843430fe46d220435b",
    ),
    "uiprmd/Autoencoder_Output_Correct.csv": (
        f"{REHAB}/Autoencoder_Output_Correct.csv",
        "22bbd7ed39145b6daec7f3b016c8231ac9f7685d88d0157f3729c485f6b990a9",
    ),
    "uiprmd/Autoencoder_Output_Incorrect.csv": (
        f"{REHAB}/Autoencoder_Output_Incorrect.csv",
        "d261bef4247b6278a5928fdbcaac966ee261267f17b6e08f980b15fb06693a75",
    ),
    "uiprmd/Labels_Correct.csv": (
        f"{REHAB}/Labels_Correct.csv",
        "818fd20221f66433adfc1cbad6026f4d31e9ee61c5ecfc73c122b7417cb78dc4",
    ),
    "uiprmd/Labels_Incorrect.csv": (
        f"{REHAB}/Labels_Incorrect.csv",
        "294901d635dfd00f3a2332ce921fb1c7ecd47342faadde41165825b1dfd9823e",
    ),
    "cofinal/train_log-cofinal-Ball.txt": (
        f"{COFINAL}/temp_log/RG/VST/cofinal/train_log-cofinal-Ball.txt",
        "d2a33e8085134e5caacd84793fc2a3413de1a98044a624e23c5172f8bc54dac5",
    ),
}
for _line in files("cofinal_lib.data").joinpath("fisv_sha256.txt").read_text().splitlines():
    _name, _digest = _line.split()
    FILES[_name] = (f"{GDLT_COPY}/{CLIP_FOLDER}/{Path(_name).name}", _digest)

DATASETS = ("rg", "fisv", "uiprmd", "cofinal")


def mirror() -> Path | None:
    """The folder of COFINAL_MIRROR, which stands in for the network; None where it is not set.

    Raises:
        CofinalError: it names no folder.
    """
    named = os.environ.get("COFINAL_MIRROR")
    if not named:
        return None
    folder = Path(named)
    if not folder.is_dir():
        raise CofinalError(f"COFINAL_MIRROR names {folder}, which is no folder; unset it or point it at one")
    return folder


@lru_cache
def _pooch():
    """Pooch, imported late and without the warning of its tqdm that Jupyter's widgets are not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pooch
    pooch.utils.get_logger().setLevel("ERROR")  # one line for a reader, and it is ours
    return pooch


def cache() -> Path:
    """Where fetched files are kept: COFINAL_CACHE, or the user's cache folder."""
    return Path(os.environ.get("COFINAL_CACHE") or _pooch().os_cache("cofinal"))


def fetch(name: str) -> Path:
    """Return the local path of one registered file: from the mirror, else the cache, else downloaded and checked.

    Args:
        name: a key of FILES, such as "rg/train.txt".

    Raises:
        CofinalError: unknown name, not in the mirror, wrong SHA-256, no network, no room on the disk.

    Feature files of a mirror may be rounded copies; those are read as they are, and a run's record names the digest
    of what was loaded. All other files must have the registered SHA-256.
    """
    if name not in FILES:
        raise CofinalError(f"{name} is not a registered file; the data sets are {', '.join(DATASETS)}")
    url, digest = FILES[name]
    folder = mirror()
    if folder is not None:
        path = folder / name
        if not path.is_file():
            raise CofinalError(f"{path} is missing: COFINAL_MIRROR is set, so nothing is downloaded; add the file")
        if not name.endswith(".npy") and _pooch().file_hash(str(path)) != digest:
            raise CofinalError(f"{path} has the wrong SHA-256 (expected {digest[:12]}...); replace it from {url}")
        return path
    path = cache() / name
    try:
        _pooch().retrieve(url, f"sha256:{digest}", fname=path.name, path=path.parent)
    except ValueError as error:  # pooch's word for a hash that differs
        raise CofinalError(f"{url} did not arrive whole (SHA-256 differs from {digest[:12]}...); try again") from error
    except OSError as error:
        if getattr(error, "errno", None) is not None and not hasattr(error, "request"):
            raise CofinalError(f"cannot write {path}: {error.strerror}") from error
        raise CofinalError(
            f"cannot download {url} ({type(error).__name__}); check the network, "
            "or set COFINAL_MIRROR to a folder that holds the files"
        ) from error
    return path


def fetch_dataset(dataset: str, progress: bool = False) -> Path:
    """Fetch every registered file of "rg", "fisv", "uiprmd" or "cofinal", and return the folder that holds them.

    Raises:
        CofinalError: unknown data set, or as in `fetch`.

    Fis-V is 282 MB in 504 files. RG comes without features: their published links are dead.
    """
    names = [name for name in FILES if name.startswith(f"{dataset}/")]
    if not names:
        raise CofinalError(f"unknown data set {dataset!r}; expected one of {', '.join(DATASETS)}")
    _pooch()  # before there are threads, for what is warned of is one setting of them all
    with ThreadPoolExecutor(8) as pool:
        for _ in tqdm(pool.map(fetch, names), total=len(names), desc=dataset, disable=not progress):
            pass  # one that fails ends the loop, and `map` then begins no other
    return (mirror() or cache()) / dataset
