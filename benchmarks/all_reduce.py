"""A plan on paper for many GPUs: where adding replicas stops paying, by model and link.

    python -m benchmarks.all_reduce

Nothing is measured here. From results/benchmarks.json come the floating-point operations of a step
and the number of parameters. With n replicas a ring moves 2 (n - 1) / n gradients of 4 bytes over
each link; the step of a replica takes its operations at a share of the device's peak. Data
parallelism at a constant batch per replica stops paying where the first time exceeds the second,
if nothing overlaps: the last column is the least batch per replica at which it does not. WGAN-GP,
whose critic's gradients are summed five times a step, is left out.
"""

import json
import pathlib

import tyro

LINKS = {"10 Gbit/s": 1.25e9, "100 Gbit/s": 12.5e9, "NVLink 300 GB/s": 300e9}


def main(
    results: pathlib.Path = pathlib.Path("results/benchmarks.json"),
    device_flops: float = 60e12,
    share: float = 0.1,
    replicas: int = 8,
):
    """Prints a row for each comparison and link.

    Args:
        results: the file of the figures.
        device_flops: of one GPU, a second.
        share: of the peak that such small networks reach.
        replicas: how many, n.
    """
    print("| Model | Batch | GFLOP a step | Gradients | Link | All-reduce | Step | Least batch |")
    print("| --- " * 8 + "|")
    for entry in json.loads(results.read_text(encoding="utf-8"))["comparisons"]:
        ours = entry["ways"][0]
        if not ours["flops"] or entry["precision"] != "float32" or entry["name"] == "wgan_gp":
            continue
        batch, size = entry["items"], 4 * ours["parameters"]
        step = ours["flops"] * batch / (share * device_flops)
        for link, speed in LINKS.items():
            reduce = 2 * (replicas - 1) / replicas * size / speed
            cells = [
                entry["title"].split(",")[0],
                batch,
                f"{ours['flops'] * batch / 1e9:.3g}",
                f"{size / 2**20:.2f} MiB",
                link,
                f"{1e3 * reduce:.3g} ms",
                f"{1e3 * step:.3g} ms",
                f"{max(1, round(batch * reduce / step)):,}",
            ]
            print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    tyro.cli(main)
