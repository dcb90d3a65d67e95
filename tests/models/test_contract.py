"""What every model keeps, whatever it is: one table, one set of tests.

A new model is one row in MODELS. A model that is missing from it fails the suite.
"""

import inspect

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_gen.models
from keras_gen.export import export_model, load_exported
from keras_gen.latent import draw_latents
from keras_gen.models import (
    AAE,
    AVB,
    CAAE,
    DCGAN,
    FVSBN,
    GAN,
    IWAE,
    LSGAN,
    NICE,
    SAGAN,
    SNGAN,
    VAE,
    VAEGAN,
    WGAN,
    WGANGP,
    AlphaGAN,
    Autoencoder,
    BigGAN,
    ConditionalGAN,
    ConditionalPixelCNN,
    ConditionalVAE,
    ConvAutoencoder,
    ConvVAE,
    CycleGAN,
    DenoisingAutoencoder,
    GatedPixelCNN,
    GenerativeModel,
    Glow,
    GumbelGAN,
    GumbelVAE,
    HackedGAN,
    LabelInformedAAE,
    PacGAN,
    PixelCNN,
    PixelRNN,
    PointRealNVP,
    ProGAN,
    QuadrantCVAE,
    RealNVP,
    SemiSupervisedAAE,
    SequenceLSTM,
    SparseAutoencoder,
    StyleGAN,
)
from keras_gen.training import checkpoints

IMAGE_SHAPE = (8, 8, 1)
BATCH = 4

# name -> (class, constructor arguments that make it tiny). Of a class with several rows the last
# one is tested always and the others where slow tests are.
MODELS = {
    "GAN": (GAN, {"image_shape": IMAGE_SHAPE, "latent_dim": 3}),
    "GAN-minimax-k2-ema": (
        GAN,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "generator_loss": "minimax",
            "discriminator_steps": 2,
            "ema_decay": 0.9,
            "simultaneous": True,
        },
    ),
    "DCGAN": (DCGAN, {"image_shape": IMAGE_SHAPE, "latent_dim": 3, "filters": 4}),
    "DCGAN-k2-ema": (
        DCGAN,
        {
            "image_shape": (16, 16, 3),  # deep enough for every kind of layer
            "latent_dim": 3,
            "filters": 4,
            "kernel_size": 4,
            "latent_distribution": "normal",
            "discriminator_steps": 2,
            "ema_decay": 0.9,
        },
    ),
    "GumbelGAN": (
        GumbelGAN,
        {"image_shape": (6, 4, 1), "units": 5, "annealing_steps": 2, "input_noise": 0.1},
    ),
    "GumbelGAN-minimax-straight_through": (
        GumbelGAN,
        {
            "image_shape": (6, 4, 1),
            "units": 5,
            "generator_loss": "minimax",
            "straight_through": True,
        },
    ),
    "SequenceLSTM": (SequenceLSTM, {"image_shape": (6, 4, 1), "units": 5}),
    "ConditionalGAN-k2-ema": (
        ConditionalGAN,
        {
            "image_shape": IMAGE_SHAPE,
            "num_classes": 3,
            "latent_dim": 3,
            "discriminator_steps": 2,
            "ema_decay": 0.9,
        },
    ),
    "LSGAN-ema": (
        LSGAN,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "filters": 4,
            "ema_decay": 0.9,
        },
    ),
    # A wide box: the test of one optimizer at a time must not see weights move by clipping alone.
    "WGAN-ema": (
        WGAN,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "filters": 4,
            "critic_steps": 2,
            "clip": 5.0,
            "ema_decay": 0.9,
        },
    ),
    "WGANGP-one_sided-ema": (
        WGANGP,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "filters": 4,
            "critic_steps": 2,
            "penalty_weight": 5.0,
            "one_sided": True,
            "ema_decay": 0.9,
        },
    ),
    # Not the hinge loss: while all scores are within its margins, the last bias has no gradient.
    "SNGAN-non_saturating-ema": (
        SNGAN,
        {
            "image_shape": (16, 16, 3),
            "latent_dim": 3,
            "filters": 4,
            "loss": "non_saturating",
            "latent_distribution": "uniform",
            "ema_decay": 0.9,
        },
    ),
    "SAGAN-k2": (
        SAGAN,
        {
            "image_shape": IMAGE_SHAPE,
            "num_classes": 3,
            "latent_dim": 3,
            "filters": 4,
            "attention_size": 0,
            "discriminator_steps": 2,
        },
    ),
    "SAGAN-attention-ema": (
        SAGAN,
        {
            "image_shape": (12, 16, 1),
            "num_classes": 3,
            "latent_dim": 3,
            "filters": 4,
            "attention_size": 8,
            "ema_decay": 0.9,
        },
    ),
    "BigGAN": (
        BigGAN,
        {
            "image_shape": IMAGE_SHAPE,
            "num_classes": 3,
            "latent_dim": 4,
            "filters": 2,
            "attention_size": 0,
            "orthogonal_weight": 0.01,
            "discriminator_steps": 1,
            "ema_decay": 0.9,
        },
    ),
    "HackedGAN-ema": (
        HackedGAN,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "filters": 4,
            "latent_distribution": "spherical",
            "hacks": (
                "label_smoothing",
                "noisy_labels",
                "label_flips",
                "instance_noise",
                "generator_dropout",
                "historical_averaging",
            ),
            "ema_decay": 0.9,
        },
    ),
    "PacGAN-minimax": (
        PacGAN,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "filters": 4,
            "packing": 2,
            "generator_loss": "minimax",
        },
    ),
    "CycleGAN-no_pool": (
        CycleGAN,
        {
            "image_shape": (16, 16, 1),
            "filters": 2,
            "num_blocks": 1,
            "patch_size": 34,
            "pool_size": 0,
        },
    ),
    "CycleGAN": (
        CycleGAN,
        {
            "image_shape": (16, 12, 3),
            "filters": 2,
            "num_blocks": 1,
            "patch_size": 16,
            "identity_weight": 0.5,
            "pool_size": 3,
        },
    ),
    # The second training step is the first of another stage.
    "ProGAN": (
        ProGAN,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "filters": (4, 3),
            "phase_images": BATCH,
            "group_size": 2,
            "penalty_weight": 5.0,
            "ema_decay": 0.9,
        },
    ),
    "StyleGAN": (
        StyleGAN,
        {
            "image_shape": (16, 16, 1),
            "latent_dim": 3,
            "filters": (4, 4, 3),
            "mapping_layers": 1,
            "phase_images": BATCH,
            "mixing_probability": 0.5,
            "r1_weight": 1.0,
            "group_size": 2,
        },
    ),
    "Autoencoder": (
        Autoencoder,
        {"image_shape": IMAGE_SHAPE, "latent_dim": 3, "hidden_units": (6, 5)},
    ),
    "SparseAutoencoder": (
        SparseAutoencoder,
        {"image_shape": IMAGE_SHAPE, "latent_dim": 3, "hidden_units": (6,), "sparsity": 0.01},
    ),
    "ConvAutoencoder": (
        ConvAutoencoder,
        {"image_shape": (12, 12, 3), "filters": (4, 3, 2), "latent_dim": 3},
    ),
    "DenoisingAutoencoder": (
        DenoisingAutoencoder,
        {"image_shape": IMAGE_SHAPE, "filters": (4, 3)},
    ),
    "ConditionalVAE": (
        ConditionalVAE,
        {"image_shape": IMAGE_SHAPE, "num_classes": 3, "latent_dim": 2, "hidden_units": (6, 5)},
    ),
    "QuadrantCVAE": (
        QuadrantCVAE,
        {
            "image_shape": IMAGE_SHAPE,
            "seen_quadrants": 2,
            "code_dim": 2,
            "hidden_units": (6, 5),
            "num_exemplars": 3,
        },
    ),
    "DenoisingAutoencoder-masking": (
        DenoisingAutoencoder,
        {
            "image_shape": IMAGE_SHAPE,
            "filters": (4,),
            "corruption": "masking",
            "noise_level": 0.3,
        },
    ),
    "VAE": (VAE, {"image_shape": IMAGE_SHAPE, "latent_dim": 3, "hidden_units": (6, 5)}),
    "VAE-linear-gaussian-geometric": (
        VAE,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "hidden_units": (),
            "likelihood": "gaussian",
            "divergence": "js_geometric",
        },
    ),
    "VAE-logistic-log_normal-js": (
        VAE,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "hidden_units": (6,),
            "activation": "tanh",
            "likelihood": "discretized_logistic",
            "latent": "log_normal",
            "divergence": "js_monte_carlo",
            "beta": 0.5,
        },
    ),
    "GumbelVAE": (
        GumbelVAE,
        {
            "image_shape": IMAGE_SHAPE,
            "num_variables": 3,
            "num_classes": 4,
            "hidden_units": (6,),
            "annealing_rate": 0.1,
            "annealing_every": 2,
        },
    ),
    "GumbelVAE-bernoulli-straight_through": (
        GumbelVAE,
        {
            "image_shape": IMAGE_SHAPE,
            "latent": "bernoulli",
            "num_variables": 6,
            "hidden_units": (),
            "straight_through": True,
        },
    ),
    "IWAE": (
        IWAE,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "hidden_units": (6, 5),
            "importance_samples": 4,
        },
    ),
    "ConvVAE": (ConvVAE, {"image_shape": IMAGE_SHAPE, "filters": (4, 3), "dense_units": 5}),
    "FVSBN": (FVSBN, {"image_shape": IMAGE_SHAPE}),
    "PixelCNN-categorical": (
        PixelCNN,
        {
            "image_shape": (5, 4, 1),
            "filters": 4,
            "num_blocks": 1,
            "head_filters": 4,
            "likelihood": "categorical",
        },
    ),
    "GatedPixelCNN-logistic_mixture": (
        GatedPixelCNN,
        {
            "image_shape": (4, 4, 3),
            "filters": 3,
            "num_layers": 2,
            "head_filters": 6,
            "likelihood": "logistic_mixture",
        },
    ),
    "ConditionalPixelCNN": (
        ConditionalPixelCNN,
        {
            "image_shape": (5, 4, 1),
            "num_classes": 3,
            "filters": 4,
            "num_layers": 1,
            "head_filters": 4,
        },
    ),
    "PixelRNN-row": (
        PixelRNN,
        {
            "image_shape": (5, 4, 1),
            "variant": "row",
            "units": 3,
            "num_layers": 1,
            "head_filters": 4,
        },
    ),
    "PixelRNN": (
        PixelRNN,
        {"image_shape": (5, 4, 1), "units": 3, "num_layers": 1, "head_filters": 4},
    ),
    "NICE": (NICE, {"image_shape": IMAGE_SHAPE, "hidden_units": (6, 5)}),
    "RealNVP": (
        RealNVP,
        {"image_shape": (4, 4, 2), "scales": 1, "filters": 4, "num_blocks": 1},
    ),
    "Glow-additive-plain": (
        Glow,
        {
            "image_shape": IMAGE_SHAPE,
            "levels": 1,
            "steps": 1,
            "filters": 4,
            "coupling": "additive",
            "lu": True,
        },
    ),
    "Glow-conditional": (
        Glow,
        {"image_shape": IMAGE_SHAPE, "levels": 2, "steps": 1, "filters": 4, "num_classes": 3},
    ),
    "PointRealNVP": (PointRealNVP, {"num_couplings": 2, "hidden_units": (6, 5)}),
    "PointRealNVP-spline": (
        PointRealNVP,
        {"num_couplings": 2, "hidden_units": (6,), "coupling": "spline", "num_bins": 4},
    ),
    "AVB-implicit-k2": (
        AVB,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "hidden_units": (6,),
            "noise_dim": 4,
            "noise_basis": 0,
            "contrast": "prior",
            "adversary_units": (6,),
            "adversary_steps": 2,
        },
    ),
    "AVB": (
        AVB,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "hidden_units": (6, 5),
            "noise_dim": 4,
            "noise_basis": 3,
            "contrast": "full",
            "adversary_units": (6, 5),
        },
    ),
    "AAE-swiss_roll": (
        AAE,
        {"image_shape": IMAGE_SHAPE, "latent_dim": 2, "hidden_units": (6,), "prior": "swiss_roll"},
    ),
    "AAE": (AAE, {"image_shape": IMAGE_SHAPE, "latent_dim": 3, "hidden_units": (6, 5)}),
    "LabelInformedAAE": (
        LabelInformedAAE,
        {"image_shape": IMAGE_SHAPE, "num_classes": 3, "hidden_units": (6, 5)},
    ),
    "SemiSupervisedAAE": (
        SemiSupervisedAAE,
        {"image_shape": IMAGE_SHAPE, "num_classes": 3, "latent_dim": 2, "hidden_units": (6, 5)},
    ),
    "CAAE-own": (
        CAAE,
        {
            "image_shape": (32, 32, 1),  # smaller maps would be normalized over few values
            "num_classes": 3,
            "latent_dim": 16,
            "filters": 8,
            "image_weight": 0.1,
            "variation_weight": 0.1,
            "asked": "own",
        },
    ),
    "CAAE": (
        CAAE,
        {
            "image_shape": (32, 32, 1),
            "num_classes": 3,
            "latent_dim": 16,
            "filters": 8,
            "asked": "random",
        },
    ),
    "AlphaGAN": (
        AlphaGAN,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "hidden_units": (6, 5),
            "discriminator_units": (6, 5),
            "code_discriminator_units": (6,),
            "reconstruction_weight": 10.0,
        },
    ),
    "VAEGAN-minimax": (
        VAEGAN,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "hidden_units": (6,),
            "discriminator_units": (6,),
            "generator_loss": "minimax",
        },
    ),
    "VAEGAN": (
        VAEGAN,
        {
            "image_shape": IMAGE_SHAPE,
            "latent_dim": 3,
            "hidden_units": (6, 5),
            "discriminator_units": (6, 5),
            "feature_layer": 2,
            "feature_weight": 0.5,
        },
    ),
    "ConvVAE-gaussian": (
        ConvVAE,
        {
            "image_shape": (12, 8, 3),
            "latent_dim": 3,
            "filters": (4,),
            "likelihood": "gaussian",
            "latent": "log_normal",
            "beta": 0.5,
        },
    ),
}


# Rows that stand for all where what is tested is the plumbing that every model inherits.
PLUMBING = (
    "DCGAN-k2-ema",
    "WGANGP-one_sided-ema",
    "ConditionalVAE",
    "VAE-logistic-log_normal-js",
    "ConditionalPixelCNN",
)


def rows(always=None):
    """The names of MODELS, the slow ones marked: all but `always`, by default a class' last."""
    always = always or {cls: name for name, (cls, _) in MODELS.items()}.values()
    return [pytest.param(name, marks=[] if name in always else pytest.mark.slow) for name in MODELS]


# The last row of each class with a training step of its own, and what stands for those without.
OWN_STEP = {
    *PLUMBING,
    "Glow-conditional",  # initialized by its first batch
    *{cls: name for name, (cls, _) in MODELS.items() if "train_step" in vars(cls)}.values(),
}


# For tests of what `GenerativeModel` does for all models alike.
on_plumbing = pytest.mark.parametrize("build", rows(PLUMBING), indirect=True, scope="module")


@pytest.fixture(params=rows(), scope="module")
def build(request):
    """A function that makes the compiled model, and the arguments it is made with.

    It takes what `compile` takes. With `run_eagerly=True` a step takes a fraction of the time that
    its graph takes to be traced: enough where what is tested is the model's arithmetic and not the
    graph.
    """
    cls, arguments = MODELS[request.param]

    def make(**options):
        model = cls(**arguments)
        model.compile(**options)
        return model

    make.cls, make.arguments = cls, arguments
    return make


@pytest.fixture(scope="module")
def untrained(build):
    """One model for all tests that only look at it."""
    keras.utils.set_random_seed(0)
    return build()


@pytest.fixture(scope="module")
def trained(build):
    """A model after two epochs of two steps: `(model, weights before, history)`.

    Tests may train it on: none of them may expect more of it than that it was trained.
    """
    keras.utils.set_random_seed(0)
    model = build(run_eagerly=True)
    before = values(model.trainable_variables)
    history = model.fit(dataset(model, 2), epochs=2, verbose=0).history
    return model, before, history


def training_batch(model, seed=0):
    low, high = model.value_range
    shape = (BATCH * model.batches_per_step, *model.image_shape)
    return np.random.default_rng(seed).uniform(low, high, size=shape).astype("float32")


def labels_for(model, images):
    return np.arange(len(images)) % model.num_classes


def as_batch(model, images):
    """What the model trains on: images, with labels where it is conditional."""
    return (images, labels_for(model, images)) if model.conditional else images


def dataset(model, steps=1):
    images = np.stack([training_batch(model, seed) for seed in range(steps)])
    if not model.conditional:
        return tf.data.Dataset.from_tensor_slices(images)
    labels = np.stack([labels_for(model, batch) for batch in images])
    return tf.data.Dataset.from_tensor_slices((images, labels))


def evaluate(model, images, batch_size):
    batches = tf.data.Dataset.from_tensor_slices(as_batch(model, images)).batch(batch_size)
    return model.evaluate(batches, verbose=0, return_dict=True)


def values(variables):
    return [variable.numpy() for variable in variables]


def same(first, second):
    return len(first) == len(second) and all(
        np.array_equal(a, b) for a, b in zip(first, second, strict=True)
    )


def everything(model):
    """All that the next training step depends on."""
    optimizers = [v for optimizer in model.optimizers.values() for v in optimizer.variables]
    return values([*model.variables, *optimizers])


def without_lists(config):
    """A configuration that went through JSON has lists for tuples."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}


def test_every_model_is_in_the_table():
    public = {
        value
        for value in vars(keras_gen.models).values()
        if inspect.isclass(value) and issubclass(value, GenerativeModel)
    }
    assert public - {GenerativeModel} == {cls for cls, _ in MODELS.values()}


def test_constructors_take_at_most_eight_scalars_strings_and_tuples(build):
    parameters = list(inspect.signature(build.cls.__init__).parameters.values())[1:]
    assert len([p for p in parameters if p.kind != p.VAR_KEYWORD]) <= 8
    for parameter in parameters:
        if parameter.kind != parameter.VAR_KEYWORD:
            assert isinstance(parameter.default, int | float | str | tuple | None)


def test_docstrings_name_the_paper_the_objective_and_the_differences(build):
    text = inspect.getmodule(build.cls).__doc__
    for part in ("arXiv:", "Differences from the paper:", "Shapes:"):
        assert part in text


def test_samples_are_float32_images_in_the_value_range(untrained):
    model = untrained
    images = np.asarray(model.sample(5, seed=1))
    assert images.shape == (5, *model.image_shape) and images.dtype == np.float32
    low, high = model.value_range
    assert images.min() >= low and images.max() <= high


def test_same_seed_same_images_other_seed_others_no_seed_fresh_ones(untrained):
    model = untrained
    first = np.asarray(model.sample(3, seed=7))
    np.testing.assert_array_equal(first, model.sample(3, seed=7))
    for other in (model.sample(3, seed=8), model.sample(3), model.sample(3)):
        assert not np.array_equal(first, other)
    assert not np.array_equal(model.sample(3), model.sample(3))


def test_sampling_many_equals_sampling_in_chunks(untrained, monkeypatch):
    model = untrained
    whole = np.asarray(model.sample(7, seed=1))
    monkeypatch.setattr(keras_gen.models.base, "_SAMPLE_CHUNK", 3)
    np.testing.assert_allclose(model.sample(7, seed=1), whole, atol=1e-6)


def test_sampling_leaves_the_model_as_it_was(untrained):
    model = untrained
    before = everything(model)
    model.sample(3)
    assert same(everything(model), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_images": 0}, "num_images=0"),
        ({"num_images": 2.5}, "num_images=2.5"),
        ({"num_images": 2, "seed": "seven"}, "seed='seven'"),
        ({"num_images": 2, "seed": 2**63}, "64 bits"),
        ({"num_images": 2, "truncation": 0}, "truncation=0"),
    ],
)
def test_sample_refuses_bad_arguments_by_name(untrained, arguments, message):
    with pytest.raises(ValueError, match=message):
        untrained.sample(**arguments)


def test_training_moves_the_weights_and_logs_finite_values(trained):
    model, before, history = trained
    assert set(history) == set(model.trackers)
    assert all(np.isfinite(value).all() for value in history.values())
    assert not any(
        np.array_equal(a, b) for a, b in zip(before, values(model.trainable_variables), strict=True)
    )
    assert int(model.train_steps) >= 4


@on_plumbing
def test_epoch_logs_are_means_over_the_epoch(build, untrained):
    still = {name: keras.optimizers.SGD(0.0) for name in untrained.optimizers}
    model = build(**still, run_eagerly=True)
    seen = []
    record = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _, logs: seen.append(logs))
    history = model.fit(dataset(model, 3), verbose=0, callbacks=[record]).history
    for name, (value,) in history.items():
        assert value == pytest.approx(np.mean([logs[name] for logs in seen]), rel=1e-5)


def test_each_optimizer_moves_its_own_network_only(build, untrained):
    for moving in untrained.optimizers:
        rates = {name: 0.1 if name == moving else 0.0 for name in untrained.optimizers}
        optimizers = {name: keras.optimizers.SGD(rate) for name, rate in rates.items()}
        model = build(**optimizers, run_eagerly=True)
        own = getattr(model, moving.removesuffix("_optimizer")).trainable_variables
        own = {id(variable) for variable in own}  # two optimizers may share a part of a network
        before = values(model.trainable_variables)
        model.fit(dataset(model), verbose=0)
        moved = {
            id(variable)
            for variable, value in zip(model.trainable_variables, before, strict=True)
            if not np.array_equal(value, variable.numpy())
        }
        assert moved and moved <= own, moving


def test_a_loaded_model_draws_the_same_images_and_trains_on_bit_for_bit(trained, tmp_path):
    model, *_ = trained
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert without_lists(loaded.get_config()) == without_lists(model.get_config())
    np.testing.assert_array_equal(model.sample(3, seed=1), loaded.sample(3, seed=1))
    assert same(everything(model), everything(loaded))
    for each in (model, loaded):
        each.fit(dataset(each), verbose=0)
    assert same(everything(model), everything(loaded))


def test_a_checkpoint_resumes_bit_for_bit(build, trained, tmp_path):
    model, *_ = trained
    resumed = build(run_eagerly=True)
    for variable in resumed.variables:  # nothing of its own may be left
        variable.assign(variable + 1)
    checkpoints.save(tmp_path, 4, model, {"kept": [1.5]})
    assert checkpoints.restore_latest(tmp_path, resumed) == (4, {"kept": [1.5]})
    assert same(everything(model), everything(resumed))
    for each in (model, resumed):
        each.fit(dataset(each), verbose=0)
    assert same(everything(model), everything(resumed))


def test_an_exported_model_draws_what_the_model_draws(trained, tmp_path):
    model, *_ = trained
    exported = load_exported(export_model(model, tmp_path / "exported"))
    assert tuple(exported.value_range) == model.value_range
    images = exported.sample(5, seed=3)
    np.testing.assert_allclose(images, model.sample(5, seed=3), atol=1e-6)
    assert not np.array_equal(images, exported.sample(5, seed=4))
    if "decode" in exported.description["signatures"]:
        ours = draw_latents(exported, 5, seed=3)  # a warning would be an error
        np.testing.assert_allclose(ours, draw_latents(model, 5, seed=3), rtol=1e-5, atol=1e-6)


def test_configuration_keeps_the_arguments(build, untrained):
    config = untrained.get_config()
    for name, value in build.arguments.items():
        assert config[name] == value
    copy = build.cls.from_config(config)
    assert copy.get_config() == config


def test_evaluation_repeats_and_updates_nothing(trained):
    model, *_ = trained
    images = training_batch(model)
    before = everything(model)
    first, second = (evaluate(model, images, batch_size=2) for _ in range(2))
    assert first == second and set(first) == set(model.trackers)
    assert same(everything(model)[: len(model.variables)], before[: len(model.variables)])


@on_plumbing
def test_the_mean_over_an_evaluation_is_that_over_its_images(build):
    model = build(run_eagerly=True)
    images = training_batch(model)[:3]

    def test_step(batch):
        images = batch[0] if model.conditional else batch
        return model.log(images, **{name: tf.reduce_mean(images) for name in model.trackers})

    model.test_step = test_step
    logs = evaluate(model, images, batch_size=2)
    for value in logs.values():
        assert value == pytest.approx(images.mean(), rel=1e-5)


def relative_difference(model, other):
    """Largest difference of two models' variables, relative to each variable's largest value.

    That is taken as 0.01 at least: a bias that has only just left zero has no scale of its own.
    """
    return max(
        np.abs(a - b).max() / max(np.abs(a).max(), 1e-2)
        for a, b in zip(values(model.variables), values(other.variables), strict=True)
        if a.dtype.kind == "f"
    )


# Always where a class has a training step of its own: one that inherits it brings networks alone,
# of layers whose tests know replicas. Adam's slots are no matter of the model:
# tests/training/test_processes.py tests them always.
@pytest.mark.parametrize("build", rows(OWN_STEP), indirect=True, scope="module")
@pytest.mark.parametrize(
    ("optimizer", "tolerance"),
    [("sgd", 1e-5), pytest.param("adam", 1e-4, marks=pytest.mark.slow)],
)
def test_two_replicas_compute_the_update_of_one_device(
    build, untrained, mirrored, optimizer, tolerance
):
    def optimizers():
        # At Adam's usual rate: its first steps are sign(gradient) * rate, so that a gradient which
        # is zero but for rounding moves its weight by the whole rate, either way.
        make = {
            "sgd": lambda: keras.optimizers.SGD(0.01),
            "adam": lambda: keras.optimizers.Adam(2e-4, beta_1=0.5),
        }[optimizer]
        return {name: make() for name in untrained.optimizers}

    # Those of its instance normalizations, of 4x3 pixels, reach 3e-5 with AVX-512.
    tolerance = max(tolerance, 1e-4) if build.cls is CycleGAN else tolerance
    differences = []
    # A rectifier at its kink makes another gradient of a rounding error: not from three starts.
    while len(differences) < 3 and min(differences, default=1.0) > tolerance:
        single = build(**optimizers(), run_eagerly=True)
        with mirrored.scope():
            double = build(**optimizers())
        start = values(single.variables)
        for variable, value in zip(double.variables, start, strict=True):
            variable.assign(value)
        for model in (single, double):
            model.fit(dataset(model, 2), verbose=0)
        differences.append(relative_difference(single, double))
        for variable in double.variables:
            first, second = mirrored.experimental_local_results(variable.value)
            np.testing.assert_array_equal(first, second, err_msg=variable.path)
    assert min(differences) <= tolerance, differences


@pytest.mark.parametrize(
    "clip", [{"clipnorm": 0.05}, {"global_clipnorm": 0.1}, {"clipvalue": 1e-3}], ids=str
)
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_two_replicas_clip_the_gradient_of_one_device(mirrored, clip, policy):
    """Keras alone clips the part of each replica."""
    keras.config.set_dtype_policy(policy)

    def make(**options):
        model = VAE(IMAGE_SHAPE, 3, (6,))
        sgd = keras.optimizers.SGD(1.0, **clip)
        if policy == "mixed_float16":
            sgd = keras.optimizers.LossScaleOptimizer(sgd, initial_scale=256.0)
        model.compile(sgd, **options)
        return model

    single = make(run_eagerly=True)
    with mirrored.scope():
        double = make()
    start = values(single.variables)
    for variable, value in zip(double.variables, start, strict=True):
        variable.assign(value)
    batch = training_batch(single)
    batch[BATCH // 2 :] = 0.0  # halves whose gradients differ
    for model in (single, double):
        model.fit(tf.data.Dataset.from_tensors(batch), verbose=0)
    assert relative_difference(single, double) <= (1e-5 if policy == "float32" else 1e-2)
    moved = [a - b.numpy() for a, b in zip(start, single.variables, strict=True)]
    moved = [each for each in moved if each.dtype.kind == "f"]
    bounds = {
        "clipnorm": max(np.linalg.norm(each) for each in moved),
        "global_clipnorm": np.linalg.norm(np.concatenate([each.ravel() for each in moved])),
        "clipvalue": max(np.abs(each).max() for each in moved),
    }
    ((kind, bound),) = clip.items()
    assert bounds[kind] == pytest.approx(bound, rel=1e-2)  # it was clipped


@on_plumbing
def test_a_replica_may_get_no_image_of_a_last_batch(build, mirrored):
    with mirrored.scope():
        model = build()
    images = np.concatenate([training_batch(model), training_batch(model, 1)])[: BATCH + 1]
    assert all(np.isfinite(value) for value in evaluate(model, images, batch_size=BATCH).values())


def test_two_replicas_train_a_model_that_one_device_compiles(mirrored):
    with mirrored.scope():
        model = VAE(IMAGE_SHAPE, 3, (6,))
        model.compile(jit_compile=True)
    model.fit(dataset(model, 2), verbose=0)
    assert model.train_steps.numpy() == 2
    assert model.get_compile_config()["jit_compile"]


@pytest.mark.parametrize(
    "build",
    ["VAE", "WGANGP-one_sided-ema", "ConditionalGAN-k2-ema", "PointRealNVP"],
    indirect=True,
    scope="module",
)
def test_several_steps_in_a_call_are_those_of_as_many_calls(build):
    weights = []
    for steps in (1, 2):
        keras.utils.set_random_seed(0)
        model = build(steps_per_execution=steps)
        assert model.steps_per_execution == steps  # Keras' own, which `fit` goes by
        model.fit(dataset(model, 4), shuffle=False, verbose=0)
        assert model.train_steps.numpy() == 4
        weights.append(model.get_weights())
    for one_by_one, together in zip(*weights, strict=True):
        np.testing.assert_allclose(together, one_by_one, rtol=1e-6, atol=1e-6)
    assert model.get_compile_config()["steps_per_execution"] == 2


def test_replicas_draw_different_noise(build, mirrored):
    with mirrored.scope():
        model = build()
    if not hasattr(model, "latents_for"):
        pytest.skip(f"{type(model).__name__} draws no latents in training")
    images = tf.zeros((64, *model.image_shape))
    noise = mirrored.run(lambda: model.latents_for(images, tf.constant([1, 2])))
    first, second = (np.ravel(part) for part in mirrored.experimental_local_results(noise))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.3


# A loss scale for two optimizers and for one.
@pytest.mark.parametrize(
    "build", rows(("WGANGP-one_sided-ema", "ConditionalVAE")), indirect=True, scope="module"
)
def test_an_overflow_on_one_replica_is_skipped_on_all(build, mirrored):
    """Keras' own loss scaling lets it through (it looks at the first replica only)."""
    keras.config.set_dtype_policy("mixed_float16")
    with mirrored.scope():
        model = build()
    model.fit(dataset(model), verbose=0)
    scales = [float(o.dynamic_scale.numpy()) for o in model.optimizers.values()]
    batch = training_batch(model)
    batch[len(batch) // 2 :] = np.inf  # the second replica's half
    model.fit(tf.data.Dataset.from_tensors(as_batch(model, batch)), verbose=0)
    # A network that never sees the images may step on.
    scales_after = [float(o.dynamic_scale.numpy()) for o in model.optimizers.values()]
    assert any(after < before for before, after in zip(scales, scales_after, strict=True))
    assert all(np.isfinite(value).all() for value in values(model.trainable_variables))


def test_keras_still_calls_what_the_plumbing_overrides():
    from keras.src.backend.tensorflow.trainer import TensorFlowTrainer

    assert callable(TensorFlowTrainer._maybe_symbolic_build)
    assert "_maybe_symbolic_build" in inspect.getsource(TensorFlowTrainer.fit)


def test_mixed_bfloat16_stays_finite_and_gives_float32(build):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = build(run_eagerly=True)
    history = model.fit(dataset(model, 2), verbose=0).history
    assert all(np.isfinite(value).all() for value in history.values())
    assert model.sample(2, seed=0).dtype == tf.float32


@on_plumbing
def test_mixed_float16_scales_the_loss_of_every_optimizer(build):
    keras.config.set_dtype_policy("mixed_float16")
    model = build(run_eagerly=True)
    for optimizer in model.optimizers.values():
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    history = model.fit(dataset(model, 3), verbose=0).history
    assert all(np.isfinite(value).all() for value in history.values())


@on_plumbing
def test_float16_makes_the_update_of_float32_but_for_rounding(build, untrained):
    def optimizer(policy):
        sgd = keras.optimizers.SGD(0.01)
        if policy == "float32":
            return sgd
        # A small scale to start with: at the default one the first steps overflow and are skipped.
        return keras.optimizers.LossScaleOptimizer(sgd, initial_scale=256.0)

    names, moves = list(untrained.optimizers), []
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        keras.utils.set_random_seed(0)  # the same weights and noise both times
        model = build(**{name: optimizer(policy) for name in names}, run_eagerly=True)
        before = values(model.trainable_variables)
        model.fit(dataset(model), verbose=0)
        after = values(model.trainable_variables)
        moves.append(np.concatenate([(b - a).ravel() for a, b in zip(before, after, strict=True)]))
    assert np.linalg.norm(moves[0]) > 0
    assert np.linalg.norm(moves[1] - moves[0]) <= 0.1 * np.linalg.norm(moves[0])


@on_plumbing
def test_a_file_keeps_the_precision_that_the_model_was_made_in(build, tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = build()
    model.save(tmp_path / "model.keras")
    keras.config.set_dtype_policy("float32")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert keras.config.dtype_policy().name == "float32"
    np.testing.assert_array_equal(model.sample(3, seed=1), loaded.sample(3, seed=1))


def test_one_optimizer_for_two_networks_is_refused(build, untrained):
    shared = keras.optimizers.Adam()
    names = list(untrained.optimizers)
    if len(names) > 1:
        with pytest.raises(ValueError, match="optimizer of its own"):
            build(**{name: shared for name in names})


# Of a class that inherits it, what it does not name would be kept and change nothing.
@pytest.mark.parametrize(
    "cls, argument",
    [
        (IWAE, {"beta": 5.0}),
        (GumbelVAE, {"divergence": "js_geometric"}),
        (WGANGP, {"clip": 3.0}),
        (LSGAN, {"generator_loss": "minimax"}),
        (HackedGAN, {"discriminator_steps": 3}),
        (ConvAutoencoder, {"hidden_units": (3,)}),
    ],
)
def test_an_argument_of_the_parent_alone_is_refused(cls, argument):
    with pytest.raises(TypeError, match=f"{cls.__name__} takes no {next(iter(argument))}"):
        cls(**argument)


def test_a_class_from_elsewhere_may_hand_arguments_on():
    class Mine(GAN):
        def __init__(self, depth, **kwargs):
            self.depth = depth
            super().__init__(**kwargs)

    model = Mine(depth=3, image_shape=IMAGE_SHAPE, latent_dim=3)
    assert model.get_config()["latent_dim"] == 3 and model.latent_dim == 3


@pytest.mark.parametrize("cls", [GAN, VAE, Autoencoder, ConditionalVAE, QuadrantCVAE])
@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 0), 8])
def test_an_image_shape_that_is_none_is_refused(cls, shape):
    with pytest.raises(ValueError, match="image_shape=.*: give .H, W, C., three positive"):
        cls(shape)


@pytest.mark.parametrize("name", ["ConditionalGAN-k2-ema", "ConditionalVAE", "CAAE"])
def test_a_label_out_of_range_is_refused_in_training_and_decoding(name):
    cls, arguments = MODELS[name]
    model = cls(**arguments)
    model.compile(run_eagerly=True)
    images = np.zeros((2 * BATCH, *model.image_shape), "float32")
    for label in (-1, model.num_classes):
        labels = np.full(2 * BATCH, label)
        with pytest.raises(tf.errors.InvalidArgumentError):
            model.train_step((tf.constant(images), tf.constant(labels)))
        with pytest.raises(tf.errors.InvalidArgumentError):
            model.decode(np.zeros((2 * BATCH, model.latent_dim), "float32"), labels)
