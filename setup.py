"""Package metadata, dependencies and extras."""

import pathlib

from setuptools import find_packages, setup

_HERE = pathlib.Path(__file__).parent

TEST = ["pytest>=8", "hypothesis>=6.100"]
DEV = [*TEST, "ruff>=0.9"]

setup(
    name="keras_gen",
    version="0.1.0",
    description="Reference suite of deep generative models for Keras 3 on TensorFlow",
    long_description=(_HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    packages=find_packages(include=["keras_gen", "keras_gen.*"]),
    python_requires=">=3.10",
    install_requires=[
        "tensorflow>=2.20",
        "keras>=3.12",
        "tensorboard>=2.19",
        "tensorflow-datasets>=4.9.9",
        "importlib_resources",  # tensorflow-datasets imports it without declaring it
        "numpy>=1.26",
        "scikit-learn>=1.5",
        "scipy>=1.11",
        "matplotlib>=3.8",
        "Pillow>=10",
        "requests>=2.31",
        "tyro>=0.9",
    ],
    extras_require={"test": TEST, "dev": DEV},
    classifiers=[
        "License :: OSI Approved :: Apache Software License",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
