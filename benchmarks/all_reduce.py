"""A plan on paper for many GPUs: how much of a replica's time is training, by model and link.

    python -m benchmarks.all_reduce
    python -m benchmarks.all_reduce --device-flops 67e12 --links 50 450 --latency 5e-6

Nothing is measured here. From results/benchmarks.json come the floating-point operations of a step
and the number of parameters, and from the command line what the devices and links can do. The step
of a replica takes its operations at a share of the device's peak. With n replicas a ring moves
2 (n - 1) / n gradients of 4 bytes over each link, and each of an optimizer's reductions waits for
2 (n - 1) messages. If nothing overlaps,

    efficiency = step / (step + reduce)

At 50 % n replicas do the work of n / 2. With the batch per replica the step grows and the reduction
does not: the last columns are the least batches per replica with 50 % and with 90 %. WGAN-GP, whose
critic's gradients are summed five times a step, is left out, and so are the reductions of
synchronized batch normalization.

The defaults are a guess at eight A100: 19.5 TFLOP/s in float32 and 300 GB/s each way over NVLink
by the data sheet, Ethernet of 10 and 100 Gbit/s, and a tenth of the peak for such small networks.
"""

import json
import pathlib

import tyro

_OPTIMIZERS = {"dcgan": 2, "conditional_gan": 2, "sn_gan": 2}  # of the others one


def plan(entry, replicas, device_flops, bandwidth, latency):
    """Times of a step on one of several replicas, in seconds.

    Args:
        entry: one of `comparisons` in results/benchmarks.json.
        replicas: n.
        device_flops: floating-point operations a second that a replica does.
        bandwidth: of each link, in bytes a second.
        latency: of a message, in seconds.

    Returns:
        `(step, reduce)`.
    """
    ours = next(way for way in entry["ways"] if way["flops"])
    step = ours["flops"] * entry["items"] / device_flops
    reductions = _OPTIMIZERS.get(entry["name"], 1)
    transfer = 2 * (replicas - 1) / replicas * 4 * ours["parameters"] / bandwidth
    return step, transfer + 2 * (replicas - 1) * latency * reductions


def main(
    results: pathlib.Path = pathlib.Path("results/benchmarks.json"),
    device_flops: float = 19.5e12,
    share: float = 0.1,
    links: tuple[float, ...] = (1.25, 12.5, 300.0),
    latency: float = 10e-6,
    replicas: int = 8,
):
    """Prints a row for each comparison and link.

    Args:
        results: the file of the figures.
        device_flops: peak of one GPU, a second.
        share: of the peak that such networks reach.
        links: gigabytes a second each way.
        latency: seconds of a message.
        replicas: how many, n.
    """
    if not results.exists():
        raise SystemExit(f"{results} is missing: make it with `python -m benchmarks.run`.")
    headings = ("Model", "Batch", "Link", "Step", "All-reduce", "Efficiency", "50 % at", "90 % at")
    print(f"| {' | '.join(headings)} |\n{'| --- ' * len(headings)}|")
    for entry in json.loads(results.read_text(encoding="utf-8"))["comparisons"]:
        if entry["precision"] != "float32" or entry["name"] == "wgan_gp":
            continue
        for link in links:
            step, reduce = plan(entry, replicas, share * device_flops, 1e9 * link, latency)
            batch = entry["items"]
            cells = [
                entry["title"].split(",")[0],
                batch,
                f"{link:g} GB/s",
                f"{1e3 * step:.3g} ms",
                f"{1e3 * reduce:.3g} ms",
                f"{step / (step + reduce):.0%}",
                *(f"{max(1, round(odds * batch * reduce / step)):,}" for odds in (1, 9)),
            ]
            print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    tyro.cli(main)
