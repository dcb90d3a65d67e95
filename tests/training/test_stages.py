"""Grids at the ends of a growing model's stages."""

from types import SimpleNamespace

import numpy as np
from PIL import Image

from keras_gen.training import StageGrids


def test_each_stage_is_drawn_at_its_end_as_what_it_has_learned(tmp_path):
    drawn = []

    def sample(count, seed):
        drawn.append((model.step, count, seed))
        return np.full((count, 8, 8, 1), model.step / 10.0)

    model = SimpleNamespace(stage=0, step=0, sides=[4, 8], value_range=(0.0, 1.0), sample=sample)
    callback = StageGrids(tmp_path / "stages", seed=3, num_images=4)
    callback.set_model(model)
    callback.on_train_begin()
    for step in range(1, 6):
        model.step, model.stage = step, int(step >= 3)
        callback.on_train_batch_end(step)
    callback.on_train_end()
    assert drawn == [(3, 4, 3), (5, 4, 3)]
    assert {path.name for path in (tmp_path / "stages").iterdir()} == {"4x4.png", "8x8.png"}
    (tmp_path / "file").write_text("no folder")
    callback.folder = tmp_path / "file"
    callback.on_train_end()  # what cannot be written does not end a training
    with Image.open(tmp_path / "stages" / "8x8.png") as picture:
        assert np.asarray(picture).max() == 128
