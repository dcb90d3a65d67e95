"""Package metadata, dependencies and extras."""

import pathlib

from setuptools import find_packages, setup

_HERE = pathlib.Path(__file__).parent

TEST = ["pytest>=8.0", "pytest-xdist>=3.6", "hypothesis>=6.100"]
BENCH = ["torch>=2.6"]  # the CPU build does
DEV = [*TEST, "ruff>=0.9"]

setup(
    name="keras_gen",
    version="0.1.0",
    description="Reference suite of deep generative models for Keras 3 on TensorFlow",
    long_description=(_HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["keras_gen", "keras_gen.*"]),
    package_data={"keras_gen.metrics": ["weights/*.npz"]},
    python_requires=">=3.10",
    # Lower bounds are versions that the tests were run with, all together, on Python 3.10.
    install_requires=[
        "tensorflow>=2.20",
        "keras>=3.12",
        "tensorboard>=2.20",
        "tensorflow-datasets>=4.9.9",
        "importlib_resources",  # tensorflow-datasets imports it without declaring it
        "numpy>=1.26.4",
        "scikit-learn>=1.5",
        "scipy>=1.11.4",
        "matplotlib>=3.8.4",
        "Pillow>=10.1",
        "requests>=2.31",
        "tyro>=1.0",
        "lazy_loader>=0.4",
    ],
    extras_require={"test": TEST, "dev": DEV, "interop": ["openvino>=2026.4"], "bench": BENCH},
    classifiers=[
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
