"""Two sets of images without pairs, and training batches that hold an image of each in turn."""

import dataclasses
import hashlib
import os
from pathlib import Path

import tensorflow as tf

from keras_gen.data.dataset import DataSet
from keras_gen.data.errors import DataError
from keras_gen.data.loading import load_or_stand_in
from keras_gen.data.pipeline import in_turn

DOMAINS = ("a", "b")
# Seeds are below 2**63: the other domain's seed is another one for every seed.
_OTHER_SEED = 2**62


@dataclasses.dataclass(frozen=True, eq=False)
class UnpairedSet:
    """Images of two domains; has what a run and a recipe take of a `DataSet`.

    A batch of 2 B from `batches` has images of a at its even places and of b at its odd ones. Each
    domain has an order of its own, a pure function of the seed and the step, so that sets which are
    pairs, image by image, are not shown as such. An epoch is a pass through the larger domain; the
    smaller one is gone through several times in it.

    Made by `load_unpaired`.

    Attributes:
        a: a `DataSet`.
        b: a `DataSet` with images of the same shape and value range.

    Raises:
        DataError: images of two shapes or value ranges.
    """

    a: DataSet
    b: DataSet

    def __post_init__(self):
        """Check that one network takes both."""
        shapes = [data.example_shape for data in (self.a, self.b)]
        described = " and ".join(
            f"{data.name} ({data.split}) of {'x'.join(map(str, data.example_shape))}"
            for data in (self.a, self.b)
        )
        if len(shapes[0]) != 3 or len(shapes[1]) != 3:
            raise DataError(f"Domains must be sets of images, not {described}.")
        if shapes[0][2] != shapes[1][2]:
            raise DataError(
                f"The domains have another number of channels each: {described}. Give two sets in "
                "colour or two in grey."
            )
        if shapes[0] != shapes[1]:
            raise DataError(
                f"The domains have images of two sizes: {described}. Give image_size "
                "(--image-size) to bring them to one."
            )
        if self.a.value_range != self.b.value_range:
            raise DataError(f"value_range: {self.a.value_range} of a, {self.b.value_range} of b.")

    def __len__(self):
        """The number of images of both domains."""
        return len(self.a) + len(self.b)

    @property
    def name(self):
        """Both names, or the one that both share."""
        return self._joined(data.name for data in (self.a, self.b))

    @property
    def split(self):
        """Both splits, or the one that both share."""
        return self._joined(data.split for data in (self.a, self.b))

    @property
    def example_shape(self):
        """The shape of an image of either, `(H, W, C)`."""
        return self.a.example_shape

    @property
    def value_range(self):
        """That of both."""
        return self.a.value_range

    @property
    def notes(self):
        """Those of both, with the name of the set."""
        return tuple(f"{data.name}: {note}" for data in (self.a, self.b) for note in data.notes)

    @property
    def stand_in_for(self):
        """What was asked for where one of the sets merely stands in; else None."""
        missing = [data.stand_in_for for data in (self.a, self.b) if data.stand_in_for]
        return self._joined(missing) if missing else None

    @property
    def binarization(self):
        """None: images stay as they are."""
        return None

    @property
    def fingerprint(self):
        """SHA-256 (hex) of both fingerprints."""
        return hashlib.sha256(f"{self.a.fingerprint} {self.b.fingerprint}".encode()).hexdigest()

    def steps_per_epoch(self, batch_size):
        """The number of batches in a pass through the larger domain: `max(N) // (batch_size / 2)`.

        Raises:
            DataError: an odd batch, or one larger than twice the smaller domain.
        """
        if batch_size % 2:
            raise DataError(f"batch_size={batch_size} holds two domains: give an even number.")
        return max(data.steps_per_epoch(batch_size // 2) for data in (self.a, self.b))

    def batches(self, batch_size, *, seed, start_step=0, labels=False, num_shards=1, shard=0):
        """As `DataSet.batches`, with images of a and b in turn; a shard has images of both.

        Raises:
            DataError: as `DataSet.batches` and `steps_per_epoch`, or labels asked for.
        """
        self.steps_per_epoch(batch_size)
        if labels:
            raise DataError("labels were asked of two domains: their batches hold images alone.")
        where = {"start_step": start_step, "num_shards": num_shards, "shard": shard}
        halves = (
            self.a.batches(batch_size // 2, seed=seed, **where),
            self.b.batches(batch_size // 2, seed=(seed + _OTHER_SEED) % 2**63, **where),
        )
        return tf.data.Dataset.zip(halves).map(in_turn)

    @staticmethod
    def _joined(texts):
        return " and ".join(dict.fromkeys(texts))


def load_unpaired(data, *, split="train", image_size=None, value_range=(-1.0, 1.0), strict=False):
    """Load one split of two domains.

    Args:
        data: two names or folders, each as `load` takes it, such as `("mnist", "usps")`; or one,
            whose domains are splits: a set of tensorflow-datasets with the splits trainA, trainB,
            testA and testB, or a folder with sub-folders of these names.
        split: "train", "test" or another that both domains have.
        image_size: as in `load`.
        value_range: as in `load`.
        strict: as in `load_or_stand_in`.

    Returns:
        An `UnpairedSet`.

    Raises:
        DataError: a domain that is missing, empty or unlike the other one, or as `load`.
    """
    names = [data] if isinstance(data, str | os.PathLike) else list(data)
    if len(names) not in (1, 2):
        raise DataError(
            f"data={data!r}: give two names or folders, or one whose splits trainA and trainB are "
            "the domains."
        )
    arguments = {"image_size": image_size, "value_range": value_range, "strict": strict}
    if len(names) == 2:
        domains = [load_or_stand_in(name, split=split, **arguments) for name in names]
    elif Path(names[0]).expanduser().is_dir():
        folders = _domain_folders(Path(names[0]).expanduser(), split)
        domains = [load_or_stand_in(folder, split="all", **arguments) for folder in folders]
    else:
        domains = [
            load_or_stand_in(names[0], split=f"{split}{domain.upper()}", **arguments)
            for domain in DOMAINS
        ]
    return UnpairedSet(*domains)


def _domain_folders(folder, split):
    """The sub-folders of both domains.

    Raises:
        DataError: one is missing.
    """
    wanted = [folder / f"{split}{domain.upper()}" for domain in DOMAINS]
    missing = [path.name for path in wanted if not path.is_dir()]
    if missing:
        found = sorted(path.name for path in folder.iterdir() if path.is_dir()) or ["none"]
        raise DataError(
            f"The folder {folder} has no sub-folder {' and '.join(missing)} (it has "
            f"{', '.join(found)}). Give a folder with trainA, trainB, testA and testB, or two "
            "folders, one for each domain."
        )
    return wanted
