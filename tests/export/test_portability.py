import numpy as np
import pytest


def test_openvino_decodes_as_tensorflow_does(exported_folder, exported, latents):
    openvino = pytest.importorskip("openvino", reason="needs the extra `interop`")
    # Without the hint OpenVINO computes in bfloat16 where the processor can.
    decode = openvino.Core().compile_model(
        str(exported_folder / "1"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    for batch in (1, 3, 17):
        images = decode({"latents": latents[:batch]})["images"]
        np.testing.assert_allclose(images, exported.decode(latents[:batch]), rtol=0, atol=1e-4)
