"""Metrics of samples and likelihoods, for images, features or any model."""

from keras_gen.metrics.annealed_importance import (
    AnnealedEstimate,
    annealed_importance_log_likelihood,
)
from keras_gen.metrics.annealed_report import annealed_likelihood_metrics, pixel_logits
from keras_gen.metrics.bias import (
    extrapolated_frechet_distance,
    frechet_bias_curve,
    save_bias_curve,
)
from keras_gen.metrics.classifier_score import ClassifierScore, classifier_score
from keras_gen.metrics.classifiers import ClassifierExtractor, build_classifier, save_classifier
from keras_gen.metrics.completion import completion_nll_nats, neighbour_completions
from keras_gen.metrics.conditional_report import conditional_metrics_into, find_judge
from keras_gen.metrics.diversity import DiversityWarning
from keras_gen.metrics.embedding import embedding_figure
from keras_gen.metrics.evaluation import evaluate_samples
from keras_gen.metrics.evaluation_files import evaluate_into, extractor_for, write_evaluation
from keras_gen.metrics.exact_likelihood import (
    exact_likelihood_metrics,
    save_drawing,
    save_inpaintings,
)
from keras_gen.metrics.extraction import Extracted
from keras_gen.metrics.extractors import PixelExtractor, get_extractor
from keras_gen.metrics.factor_extractor import FactorExtractor
from keras_gen.metrics.factors import (
    build_factor_classifier,
    factor_accuracy,
    train_factor_classifier,
)
from keras_gen.metrics.flow_likelihood import flow_metrics, save_temperatures
from keras_gen.metrics.frechet import (
    FrechetDistance,
    frechet_distance,
    frechet_distance_from_moments,
)
from keras_gen.metrics.images import image_blocks, to_bytes
from keras_gen.metrics.inception import InceptionExtractor
from keras_gen.metrics.kernel import KernelDistance, kernel_distance
from keras_gen.metrics.likelihood import (
    ImportanceEstimate,
    active_units,
    bits_per_dim,
    elbo,
    importance_log_likelihood,
    kl_per_dimension,
    mean_and_standard_error,
    reconstruction_error,
    uniform_dequantize,
)
from keras_gen.metrics.likelihood_report import likelihood_metrics, save_reconstructions
from keras_gen.metrics.memorization import (
    Memorization,
    MemorizationCheck,
    memorization,
    save_memorization_grid,
)
from keras_gen.metrics.mixtures import (
    Mixture,
    ModeCoverage,
    grid_mixture,
    kl_to_uniform,
    mode_coverage,
    ring_mixture,
    save_scatter,
)
from keras_gen.metrics.modes import (
    StackedModes,
    class_histogram,
    duplicate_share,
    duplicate_threshold,
    expected_modes,
    stack_digits,
    stacked_modes,
)
from keras_gen.metrics.neighbours import PRDC, density_coverage, prdc, precision_recall
from keras_gen.metrics.pca import (
    autoencoder_metrics,
    pca_reconstructions,
    save_reconstructions_beside_pca,
)
from keras_gen.metrics.perceptual_path import (
    PathLength,
    path_length_metrics,
    perceptual_path_length,
)
from keras_gen.metrics.probes import (
    Probe,
    labelled_subset,
    linear_probe,
    probe_markdown,
    probe_table,
)
from keras_gen.metrics.report import Evaluation, printed_name, save_class_histogram
from keras_gen.metrics.representations import (
    convolutional_features,
    kmeans_features,
    pca_features,
    pixel_features,
)
from keras_gen.metrics.sliced_wasserstein import (
    SlicedWasserstein,
    sliced_wasserstein,
    sliced_wasserstein_pyramid,
)

__all__ = [
    "AnnealedEstimate",
    "annealed_importance_log_likelihood",
    "annealed_likelihood_metrics",
    "flow_metrics",
    "save_temperatures",
    "ClassifierExtractor",
    "ClassifierScore",
    "DiversityWarning",
    "Evaluation",
    "Extracted",
    "FactorExtractor",
    "FrechetDistance",
    "ImportanceEstimate",
    "InceptionExtractor",
    "KernelDistance",
    "Memorization",
    "MemorizationCheck",
    "Mixture",
    "ModeCoverage",
    "PRDC",
    "PathLength",
    "PixelExtractor",
    "Probe",
    "SlicedWasserstein",
    "StackedModes",
    "active_units",
    "autoencoder_metrics",
    "bits_per_dim",
    "build_classifier",
    "build_factor_classifier",
    "class_histogram",
    "classifier_score",
    "completion_nll_nats",
    "conditional_metrics_into",
    "convolutional_features",
    "density_coverage",
    "duplicate_share",
    "duplicate_threshold",
    "elbo",
    "embedding_figure",
    "evaluate_into",
    "evaluate_samples",
    "exact_likelihood_metrics",
    "expected_modes",
    "extractor_for",
    "find_judge",
    "extrapolated_frechet_distance",
    "factor_accuracy",
    "frechet_bias_curve",
    "frechet_distance",
    "frechet_distance_from_moments",
    "get_extractor",
    "grid_mixture",
    "image_blocks",
    "importance_log_likelihood",
    "kernel_distance",
    "kl_per_dimension",
    "kl_to_uniform",
    "kmeans_features",
    "labelled_subset",
    "likelihood_metrics",
    "linear_probe",
    "mean_and_standard_error",
    "memorization",
    "mode_coverage",
    "neighbour_completions",
    "path_length_metrics",
    "pca_features",
    "pca_reconstructions",
    "perceptual_path_length",
    "pixel_features",
    "pixel_logits",
    "prdc",
    "precision_recall",
    "printed_name",
    "probe_markdown",
    "probe_table",
    "reconstruction_error",
    "ring_mixture",
    "save_bias_curve",
    "save_class_histogram",
    "save_classifier",
    "save_memorization_grid",
    "save_drawing",
    "save_inpaintings",
    "save_reconstructions",
    "save_reconstructions_beside_pca",
    "save_scatter",
    "sliced_wasserstein",
    "sliced_wasserstein_pyramid",
    "stack_digits",
    "stacked_modes",
    "to_bytes",
    "train_factor_classifier",
    "uniform_dequantize",
    "write_evaluation",
]
