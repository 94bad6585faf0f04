"""Errors a user can act on: each message says what is wrong, where, and what to do."""

from __future__ import annotations

from clinica.utils.exceptions import ClinicaException


class GadoError(ClinicaException):
    """Base of every error shown to the user as one line, without a traceback."""


class SelectionError(GadoError):
    """The dataset, a filter or a user's table does not say which images to take."""


class InputImageError(GadoError):
    """An input image cannot be used as it is."""


class RegistrationError(GadoError):
    """An image could not be brought to the template."""


class ResourceError(GadoError):
    """A file shipped with the package is missing or altered."""


class BundleError(GadoError):
    """A model bundle is missing, altered, or not what its card says."""


class DeviceError(GadoError):
    """The requested computing device cannot be used."""


class OutputError(GadoError):
    """An output cannot be written."""


class SegmentationError(GadoError):
    """SPM is not there, does not run, or an image could not be segmented."""


class TrainingError(GadoError):
    """A training run cannot start, or cannot go on where it stopped."""
