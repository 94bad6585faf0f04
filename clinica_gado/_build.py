"""What setuptools leaves out of editable installs, put back in."""

from setuptools.command.editable_wheel import editable_wheel


class EditableWheel(editable_wheel):
    """Install the data files too, so that `clinica_gado.pth` reaches site-packages.

    For editable installs setuptools answers "no data" whatever the distribution says.
    """

    def run(self) -> None:
        """Build the editable wheel with the distribution's own answer about data files."""
        self.distribution.has_data = self.distribution.has_data_files
        super().run()
