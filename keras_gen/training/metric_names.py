"""The names that measured values go by, and how a table prints them."""

# In the order in which tables list them.
METRICS = (
    "nll_nats",
    "elbo_nats",
    "parzen_log_likelihood_nats",
    "baseline_nll_nats",
    "neighbours_nll_nats",
    "bits_per_dim",
    "bce_per_pixel",
    "reconstruction_mse",
    "pca_mse",
    "psnr_in_db",
    "psnr_out_db",
    "active_units",
    "fd_mnist",
    "fd_fashion_mnist",
    "fd_inception",
    "fd_factors",
    "kd_mnist",
    "kd_fashion_mnist",
    "kd_inception",
    "kd_factors",
    "precision",
    "recall",
    "density",
    "coverage",
    "classifier_score",
    "class_entropy_nats",
    "sliced_wasserstein",
    "ppl_z_full",
    "ppl_z_end",
    "ppl_w_full",
    "ppl_w_end",
    "memorization_share",
    "duplicate_share",
    "bound_gap_nats",
    "prior_mmd",
    "probe_accuracy",
    "conditional_accuracy",
    "classification_error",
    "factor_accuracy",
    "progressed_accuracy",
    "entanglement",
    "entanglement_projected",
    "modes",
    "high_quality_share",
    "reverse_kl",
    "grammatical_share",
    "baseline_grammatical_share",
    "distinct_share",
    "length_distance",
    "inversion_error",
    "cycle_a_loss",
    "cycle_b_loss",
    "nll_of_the_true_density_nats",
    "images_per_second",
)
# What a brief table shows first, where a model has it; then the others, by the order above.
HEADLINES = (
    "kept_class_a_to_b",
    "kept_class_b_to_a",
    "progressed_accuracy",
    "classification_error",
    "nll_nats",
    "elbo_nats",
    "parzen_log_likelihood_nats",
    "bits_per_dim",
    "fd_mnist",
    "fd_fashion_mnist",
    "fd_factors",
    "reconstruction_mse",
    "entanglement",
    "entanglement_projected",
)
METRIC_ENDINGS = ("_loss", "_probability")
METRIC_BEGINNINGS = ("kept_", "truncated_")  # and the name of a factor; that of a metric


def is_known(name):
    """Whether a metric may go by this name."""
    return name in METRICS or name.endswith(METRIC_ENDINGS) or name.startswith(METRIC_BEGINNINGS)


def metric_order(name):
    """A key that sorts names: the fixed ones in their order, then the others by name."""
    return (METRICS.index(name) if name in METRICS else len(METRICS), name)


def headlines(names):
    """At most two of a result's metrics, those that say most of what its model is for."""
    others = [n for n in METRICS if n != "images_per_second" and not n.startswith("baseline_")]
    return [name for name in dict.fromkeys((*HEADLINES, *others)) if name in names][:2]


def printed_name(name):
    """The name in a table: a distance says whose features it is measured in.

    `FD[mnist]` is no FID: that name belongs to one network, Inception, and its weights.
    """
    kind, _, extractor = name.partition("_")
    return f"{kind.upper()}[{extractor}]" if kind in ("fd", "kd") and extractor else name
