"""Sends an alert to a webhook and by e-mail; knows neither Dagster nor what was sent before."""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from email.message import EmailMessage
from functools import partial
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from attribution_assets.analysis.alerts import Alert
from attribution_assets.settings import Settings

TIMEOUT_SECONDS = 10
"""How long a webhook or a mail server may take to answer."""

logger = logging.getLogger(__name__)

Send = Callable[[Alert], None]
"""Sends the alert. Raises NotSentError, which shows neither a URL nor a password."""


class NotSentError(Exception):
    """An alert could not be sent; the text says why in a few words."""


def targets(settings: Settings) -> Mapping[str, Send]:
    """What is told of alerts, by what it is called in messages; nothing where none is set."""
    found: dict[str, Send] = {}
    if settings.alert_url:
        found["webhook"] = partial(_post, settings.alert_url)
    if settings.alert_email and settings.smtp_url:
        found["mail server"] = partial(_mail, settings.smtp_url, settings.alert_sender, settings.alert_email)
    return found


def _post(url: SecretStr, alert: Alert) -> None:
    import requests

    try:
        with (
            _without_messages_that_show_urls(),
            requests.post(
                url.get_secret_value(),
                json={"text": alert.as_slack()},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,  # the URL is a secret between us and this host
                stream=True,  # what the answer says does not matter, however long it is
            ) as response,
        ):
            status = response.status_code
    except requests.Timeout:
        raise NotSentError(f"no answer within {TIMEOUT_SECONDS} s") from None
    except (requests.RequestException, OSError, ValueError):
        raise NotSentError("the connection failed") from None
    if not 200 <= status < 300:
        raise NotSentError(f"it answered {status}")


@contextmanager
def _without_messages_that_show_urls() -> Iterator[None]:
    """At some levels, urllib3 logs the path of every request."""
    logger = logging.getLogger("urllib3.connectionpool")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled


def _mail(url: SecretStr, sender: str | None, recipients: Sequence[str], alert: Alert) -> None:
    parts = urlsplit(url.get_secret_value())
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    try:
        message = EmailMessage()
        message["Subject"] = alert.title
        message["From"] = sender or (user if "@" in user else f"attribution@{socket.gethostname()}")
        message["To"] = ", ".join(recipients)
        message.set_content(alert.as_text())
        with closing(_connected(parts.scheme, parts.hostname or "", parts.port)) as server:
            if user:
                if not isinstance(server.sock, ssl.SSLSocket):
                    raise NotSentError("it offers no encryption, so the password was not sent to it")
                server.login(user, password)
            if refused := server.send_message(message):
                logger.warning("The mail server refused %s of %s recipients of an alert.", len(refused), len(recipients))
            with suppress(smtplib.SMTPException, OSError):  # it has the e-mail already
                server.quit()
    except TimeoutError:
        raise NotSentError(f"no answer within {TIMEOUT_SECONDS} s") from None
    except ssl.SSLError:
        raise NotSentError("its certificate or encryption is not accepted") from None
    except smtplib.SMTPRecipientsRefused:
        raise NotSentError("it refused every recipient") from None
    except smtplib.SMTPResponseException as error:
        raise NotSentError(f"it answered {error.smtp_code}") from None
    except (smtplib.SMTPException, OSError, ValueError):
        raise NotSentError("the connection failed") from None


def _connected(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    """A connection to the server, encrypted from the start with `smtps`, else where the server offers it."""
    tls = ssl.create_default_context()
    if scheme == "smtps":
        return smtplib.SMTP_SSL(host, port or 465, timeout=TIMEOUT_SECONDS, context=tls)
    server = smtplib.SMTP(host, port or 587, timeout=TIMEOUT_SECONDS)
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=tls)
    return server
