"""The exceptions for problems that the person who runs the pipeline can mend, in the kinds that a web server tells apart."""


class AttributionError(Exception):
    """Says in one line what is wrong, where, and what to do. Shown without a traceback by the `attribution` command."""


class NotFoundError(AttributionError):
    """What was asked for by name does not exist, and no run makes it: a conversion, a channel, a day, a model. HTTP: 404."""


class NotReadyError(AttributionError):
    """What was asked for is still to be made: there is no database file, or a run has not written it yet. HTTP: 409."""


class BusyError(AttributionError):
    """Another process kept the file to itself for as long as it was waited for. The same call may succeed later. HTTP: 503."""
