"""Score routines with a checkpoint that the authors of a method released: a plain state dict, never executed."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from cofinal_lib.data.features import FeatureSet
from cofinal_lib.errors import CofinalError
from cofinal_lib.rivals import METHODS
from cofinal_lib.train import predict_all

SCORE_CAP = 25.0  # points that count as 1 in the authors' programs, whatever the data set


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Names and tensors of a checkpoint file; anything else in it is refused, not executed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of pickles that it then refuses
            state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CofinalError(f"{path} is missing; expected a checkpoint file") from None
    except OSError:  # no right to read it, say: the command line names the file and why
        raise
    except Exception:  # on a faulty file torch raises what its parsers do
        raise CofinalError(
            f"{path} was not loaded: it is cut short, or holds more than named tensors, which could execute code; "
            "expected a plain state dict"
        ) from None
    if not isinstance(state, dict) or not state or not all(isinstance(v, Tensor) for v in state.values()):
        raise CofinalError(f"{path} holds no state dict; expected parameter names with tensors")
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def released_model(method: str, path: Path, **options) -> torch.nn.Module:
    """The model of a released checkpoint, in evaluation mode; `options` are what no shape in it shows.

    Its scores come in points: SCORE_CAP of them, or `score_cap`, where the checkpoint says 1.

    Raises:
        CofinalError: a method without released checkpoints, a missing or faulty file, or options that do not fit it.
    """
    Method = METHODS.get(method)
    if not hasattr(Method, "from_released"):
        able = [name for name, Method in METHODS.items() if hasattr(Method, "from_released")]
        raise CofinalError(f"no released checkpoint of {method!r} can be read; expected one of {', '.join(able)}")
    state = read_state_dict(path)
    try:
        return Method.from_released(state, **({"score_cap": SCORE_CAP} | options))
    except CofinalError:
        raise
    except KeyError as error:
        raise CofinalError(f"{path} is no checkpoint of {method}: it has no {error.args[0]}") from None
    except (RuntimeError, ValueError, AssertionError, IndexError, ZeroDivisionError) as error:  # shapes or options
        reason = " ".join(str(error).split())[:300]
        raise CofinalError(f"{path} does not fit {method}: {reason}") from None
    except TypeError as error:
        raise CofinalError(f"{method}: {error}") from None


def score(model: torch.nn.Module, data: FeatureSet) -> pd.DataFrame:
    """Predict every routine: columns video, split, score (the judges', points), predicted (points).

    Raises:
        CofinalError: the model reads features of another width, or of images.
    """
    if getattr(model.config, "static", None) == "images":
        raise CofinalError("ACTION-NET's checkpoint reads images' features beside clips', which no data set here has")
    wanted = getattr(model.config, "feature_dim", data.feature_dim)
    if wanted != data.feature_dim:
        raise CofinalError(f"{data.target} has features of {data.feature_dim}, the checkpoint reads {wanted}")
    split = np.where(data.is_train.numpy(), "train", "test")
    predicted = predict_all(model, data)[:, 0]
    return pd.DataFrame({"video": data.ids, "split": split, "score": data.scores.numpy(), "predicted": predicted})
