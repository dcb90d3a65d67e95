"""Tools for latent spaces of any model: interpolation, arithmetic, directions."""

from keras_gen.latent.access import decode_in_chunks, encode_in_chunks, of_class
from keras_gen.latent.arithmetic import Arithmetic, latent_arithmetic
from keras_gen.latent.ascent import Ascent, ascend, move_by_ascent
from keras_gen.latent.control import study_control
from keras_gen.latent.directions import (
    Boundary,
    Labelled,
    fit_boundaries,
    hold_other_factors,
    label_latents,
    move,
    project_out,
)
from keras_gen.latent.entanglement import (
    Entanglement,
    matching_amounts,
    measure_entanglement,
    save_entanglement,
)
from keras_gen.latent.interpolation import (
    Interpolation,
    interpolate,
    linear_interpolation,
    spherical_interpolation,
)
from keras_gen.latent.manifold import Manifold, draw_manifold
from keras_gen.latent.neighbours import Neighbours, latent_features, nearest_neighbours
from keras_gen.latent.pictures import (
    save_arithmetic,
    save_interpolation,
    save_manifold,
    save_neighbours,
    save_projection,
    save_traversal,
    save_truncation,
    save_truncation_curve,
)
from keras_gen.latent.prior import (
    draw_latents,
    latent_distribution,
    prior_quantiles,
    truncated_normal,
)
from keras_gen.latent.projection import Projection, project
from keras_gen.latent.styles import (
    save_noise,
    save_style_mixing,
    save_style_pictures,
    save_style_truncation,
)
from keras_gen.latent.traversal import Traversal, traverse
from keras_gen.latent.truncation import (
    Truncation,
    default_thresholds,
    sample_truncated,
    truncation_curve,
    truncation_kind,
)

__all__ = [
    "Arithmetic",
    "Ascent",
    "Boundary",
    "Entanglement",
    "Interpolation",
    "Labelled",
    "Manifold",
    "Neighbours",
    "Projection",
    "Traversal",
    "Truncation",
    "ascend",
    "decode_in_chunks",
    "default_thresholds",
    "draw_latents",
    "draw_manifold",
    "encode_in_chunks",
    "fit_boundaries",
    "hold_other_factors",
    "interpolate",
    "label_latents",
    "latent_arithmetic",
    "latent_distribution",
    "latent_features",
    "linear_interpolation",
    "matching_amounts",
    "measure_entanglement",
    "move",
    "move_by_ascent",
    "nearest_neighbours",
    "of_class",
    "prior_quantiles",
    "project",
    "project_out",
    "sample_truncated",
    "save_arithmetic",
    "save_entanglement",
    "save_interpolation",
    "save_manifold",
    "save_neighbours",
    "save_noise",
    "save_projection",
    "save_style_mixing",
    "save_style_pictures",
    "save_style_truncation",
    "save_traversal",
    "save_truncation",
    "save_truncation_curve",
    "spherical_interpolation",
    "study_control",
    "traverse",
    "truncated_normal",
    "truncation_curve",
    "truncation_kind",
]
