"""RealNVP (Dinh et al. 2017, arXiv:1605.08803) of points in the plane.

    python recipes/real_nvp_moons.py
    python recipes/real_nvp_moons.py --data ring --coupling spline --steps 30000
    python recipes/real_nvp_moons.py --data grid --coupling spline --steps 30000

Published for two moons: validation NLL 1.299 nats (keras.io, 300 epochs). Measured:
results/real_nvp_moons*.json.
"""

from keras_gen.training import Options, RunOptions, command_line


def main(
    data: str = "moons",
    coupling: str = "affine",
    num_couplings: int = 6,
    num_bins: int = 16,
    batch_size: int = 250,
    steps: int | None = None,
    epochs: int | None = None,
    seed: int = 0,
    options: Options = RunOptions(sample_every=500),
):
    """Trains a flow of points and draws its density beside the true one.

    Args:
        data: moons, ring, grid or swiss_roll.
        coupling: affine, additive or spline.
        num_couplings: how many; they move the two coordinates in turn.
        num_bins: of a spline.
        batch_size: points in a batch, over all replicas.
        steps: training steps in all; 3,600, 300 epochs of the moons, where epochs is not given.
        epochs: passes through the data in all; with both, the lesser counts.
        seed: decides weights and the order of the data.
        options: where the run goes and how it is run.
    """
    arguments = dict(locals())

    # Imported here: --help answers without TensorFlow.
    import keras

    from keras_gen.data import load
    from keras_gen.export import export_model
    from keras_gen.lab.densities import save_densities, save_warped_grid
    from keras_gen.metrics import flow_metrics
    from keras_gen.models import PointRealNVP
    from keras_gen.training import Run, total_steps

    run = Run(
        "real_nvp_moons",
        arguments,
        family="flows",
        title="RealNVP of points",
        paper="arXiv:1605.08803",
    )
    train, test = (load(data, split=split).as_images() for split in ("train", "test"))
    total = total_steps(steps, epochs, train.steps_per_epoch(batch_size), 3_600)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, total)

    with run.strategy.scope():
        model = PointRealNVP(num_couplings, coupling=coupling, num_bins=num_bins)
        # XLA halves the time of splines, and of nothing else here.
        model.compile(keras.optimizers.Adam(rate), jit_compile=coupling == "spline")
    run.fit(model, train, batch_size=batch_size, steps=total)

    if run.is_chief:
        print(f"\nSavedModel: {export_model(model, run.export_folder)}")
        save_densities(model, test, run.folder / "density.png")
        save_warped_grid(model, test, run.folder / "grid.png")
        true = -test.log_density(test.examples).mean()
        best = {"nll_of_the_true_density_nats": (true, f"{len(test):,} {data} test points")}
        run.finish(model, {**flow_metrics(model, test, seed=seed), **best})
    return run


if __name__ == "__main__":
    command_line(main)
