import numpy as np
import pytest
from PIL import Image

from keras_gen.data import DataError, DataSet, UnpairedSet, load_unpaired


def numbered(name, first, count):
    """Images of one pixel, whose value is their number."""
    values = np.arange(first, first + count, dtype="uint8").reshape(-1, 1, 1, 1)
    return DataSet(name, "train", values, value_range=(0.0, 255.0))


@pytest.fixture
def unpaired():
    """Sixty images of a, 0 to 59, and twenty of b, 100 to 119."""
    return UnpairedSet(numbered("sixty", 0, 60), numbered("twenty", 100, 20))


def numbers(images):
    return np.asarray(images).ravel().round().astype(int)


def epoch(data, batch_size=8, seed=0, start_step=0):
    steps = data.steps_per_epoch(batch_size)
    batches = data.batches(batch_size, seed=seed, start_step=start_step).take(steps)
    return [numbers(batch) for batch in batches]


def test_batches_hold_an_image_of_each_domain_in_turn(unpaired):
    for batch in epoch(unpaired):
        assert batch.shape == (8,)
        assert (batch[0::2] < 60).all() and (batch[1::2] >= 100).all()


def test_an_epoch_is_a_pass_through_the_larger_domain(unpaired):
    assert unpaired.steps_per_epoch(8) == 15 and len(unpaired) == 80
    seen = np.concatenate(epoch(unpaired))
    assert sorted(seen[0::2]) == list(range(60))
    np.testing.assert_array_equal(np.bincount(seen[1::2] - 100), [3] * 20)


def test_aligned_domains_are_not_shown_as_the_pairs_that_they_are():
    aligned = UnpairedSet(numbered("a", 0, 100), numbered("b", 100, 100))
    seen = np.concatenate(epoch(aligned))
    pairs = np.sum(seen[0::2] + 100 == seen[1::2])
    assert pairs <= 5  # one of 100 by chance
    again = np.concatenate(epoch(aligned, start_step=aligned.steps_per_epoch(8)))
    assert (
        len(
            set(zip(seen[0::2], seen[1::2], strict=True))
            & set(zip(again[0::2], again[1::2], strict=True))
        )
        <= 5
    )


def test_batches_are_a_function_of_seed_and_step(unpaired):
    whole = [numbers(batch) for batch in unpaired.batches(8, seed=1).take(40)]
    late = [numbers(batch) for batch in unpaired.batches(8, seed=1, start_step=33).take(7)]
    np.testing.assert_array_equal(whole[33:], late)
    other = [numbers(batch) for batch in unpaired.batches(8, seed=2).take(40)]
    assert not np.array_equal(whole, other)
    halves = [np.asarray(other)[:, i::2] for i in (0, 1)]
    for half, first in zip((0, 1), halves, strict=True):
        assert not np.array_equal(np.asarray(whole)[:, half::2], first)


def test_shards_make_up_the_batch_and_have_both_domains(unpaired):
    whole = [numbers(batch) for batch in unpaired.batches(8, seed=1).take(20)]
    shards = [
        [numbers(b) for b in unpaired.batches(8, seed=1, num_shards=2, shard=shard).take(20)]
        for shard in (0, 1)
    ]
    np.testing.assert_array_equal(np.concatenate(shards, axis=1), whole)


def test_what_a_run_records_of_the_data_tells_both_domains(unpaired):
    assert unpaired.name == "sixty and twenty" and unpaired.split == "train"
    assert unpaired.example_shape == (1, 1, 1) and unpaired.value_range == (0.0, 255.0)
    assert unpaired.stand_in_for is None and unpaired.notes == ()
    exchanged = UnpairedSet(unpaired.b, unpaired.a)
    assert len(unpaired.fingerprint) == 64 and exchanged.fingerprint != unpaired.fingerprint


def test_a_batch_that_does_not_fit_is_refused(unpaired):
    with pytest.raises(DataError, match="batch_size=7 holds two domains"):
        unpaired.batches(7, seed=0)
    with pytest.raises(DataError, match="20 examples of twenty"):
        unpaired.steps_per_epoch(42)
    with pytest.raises(DataError, match="labels were asked of two domains"):
        unpaired.batches(8, seed=0, labels=True)


# ---------------------------------------------------------------------- loading


def write(folder, count, size=(8, 8), channels=3):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for number in range(count):
        pixels = rng.integers(255, size=(*size, channels), dtype="uint8")
        Image.fromarray(pixels.squeeze()).save(folder / f"{number:03d}.png")


@pytest.fixture
def folder(tmp_path):
    for name, count in (("trainA", 6), ("trainB", 5), ("testA", 3), ("testB", 2)):
        write(tmp_path / name, count)
    return tmp_path


def test_a_folder_of_two_domains_is_laid_out_as_the_authors_do(folder):
    train, test = load_unpaired(folder), load_unpaired(str(folder), split="test")
    assert [len(each) for each in (train.a, train.b, test.a, test.b)] == [6, 5, 3, 2]
    assert train.value_range == (-1.0, 1.0) and train.example_shape == (8, 8, 3)
    assert load_unpaired([folder], image_size=4).example_shape == (4, 4, 3)


def test_two_folders_are_two_domains(tmp_path):
    write(tmp_path / "one" / "train", 4)
    write(tmp_path / "one" / "test", 2)
    write(tmp_path / "other" / "train", 3, size=(6, 6))
    write(tmp_path / "other" / "test", 2, size=(6, 6))
    data = (tmp_path / "one", tmp_path / "other")
    train = load_unpaired(data, image_size=8)
    assert (len(train.a), len(train.b), train.example_shape) == (4, 3, (8, 8, 3))
    with pytest.raises(DataError, match="two sizes.*8x8x3.*6x6x3.*--image-size"):
        load_unpaired(data)


def test_two_names_are_two_domains():
    data = load_unpaired(("digits", "digits"), split="test", image_size=8)
    assert len(data.a) == len(data.b) and data.name == "digits"
    assert data.a.labels is not None


def test_a_missing_set_is_stood_in_for(monkeypatch, tmp_path):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.warns(UserWarning, match="usps is not prepared"):
        data = load_unpaired(("digits", "usps"), image_size=8)
    assert data.stand_in_for == "usps" and data.a.stand_in_for is None
    with pytest.warns(UserWarning, match="facades_unpaired128 is not prepared"):
        data = load_unpaired("facades_unpaired128", image_size=8)
    assert data.stand_in_for == "facades_unpaired128"
    with pytest.raises(DataError, match="not prepared"):
        load_unpaired(("digits", "usps"), image_size=8, strict=True)


def test_a_missing_domain_is_named_with_what_is_there(folder):
    for path in (folder / "trainB").iterdir():
        path.unlink()
    (folder / "trainB").rmdir()
    with pytest.raises(DataError, match=r"no sub-folder trainB \(it has testA, testB, trainA\)"):
        load_unpaired(folder)
    with pytest.raises(DataError, match="no sub-folder validA and validB"):
        load_unpaired(folder, split="valid")


def test_an_empty_domain_is_named(folder):
    for path in (folder / "trainB").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="trainB holds no images; it is empty"):
        load_unpaired(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere does not exist"):
        load_unpaired((tmp_path / "nowhere", "digits"))
    with pytest.raises(DataError, match="nowhere does not exist"):
        load_unpaired(tmp_path / "nowhere")


def test_a_file_that_is_no_image_is_named(folder):
    (folder / "trainA" / "003.png").write_text("not an image")
    with pytest.raises(DataError, match="003.png"):
        load_unpaired(folder)


def test_grey_and_coloured_domains_are_refused(tmp_path):
    write(tmp_path / "trainA", 4, channels=1)
    write(tmp_path / "trainB", 4, channels=3)
    with pytest.raises(DataError, match="number of channels.*trainA.*8x8x1.*trainB.*8x8x3"):
        load_unpaired(tmp_path)


def test_one_set_without_domains_is_refused():
    with pytest.raises(DataError, match="'trainA' is not a split of digits"):
        load_unpaired("digits")


@pytest.mark.parametrize("data", [(), ("digits", "digits", "digits")])
def test_another_number_of_domains_is_refused(data):
    with pytest.raises(DataError, match="give two names or folders"):
        load_unpaired(data)


def test_points_are_no_domain():
    with pytest.raises(DataError, match="must be sets of images"):
        load_unpaired(("ring", "ring"))
