"""Normalizing flows: exact densities and exact inversion."""

from keras_gen.models.flows.glow import Glow
from keras_gen.models.flows.nice import NICE
from keras_gen.models.flows.point_real_nvp import PointRealNVP
from keras_gen.models.flows.real_nvp import RealNVP

__all__ = ["NICE", "Glow", "PointRealNVP", "RealNVP"]
