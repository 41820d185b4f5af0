"""Where the IHC API is."""

from urllib.parse import urlsplit

ENDPOINT = "https://api.ihc-attribution.com/v1/compute_ihc"


def endpoint(url: str) -> str:
    """The URL to post to: as given, or with the service's path if it has none. Raises ValueError for an unusable URL."""
    parts = urlsplit(url)
    more = "@" in parts.netloc or "?" in url or "#" in url
    if parts.scheme not in ("http", "https") or not parts.hostname or more or parts.port == 0:
        raise ValueError("write it as https://host/path")
    return url if parts.path.strip("/") else url.rstrip("/") + urlsplit(ENDPOINT).path
