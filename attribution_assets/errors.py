"""The one exception for problems that the person who runs the pipeline can mend."""


class AttributionError(Exception):
    """Says in one line what is wrong, where, and what to do. Shown without a traceback by the `attribution` command."""
