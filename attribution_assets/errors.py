"""The exceptions for problems that the person who runs the pipeline can fix, by the status a web server would answer."""


class AttributionError(Exception):
    """Says in one line what is wrong, where, and what to do. Shown without a traceback by the `attribution` command."""


class NotFoundError(AttributionError):
    """Something named does not exist, and no run creates it: a conversion, a channel, a day, a model. HTTP: 404."""


class NotReadyError(AttributionError):
    """Something does not exist yet: there is no database file, or a run has not written it. HTTP: 409."""


class BusyError(AttributionError):
    """Another process kept the file locked for too long. The same call may succeed later. HTTP: 503."""
