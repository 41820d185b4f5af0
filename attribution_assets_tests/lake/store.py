"""An S3 object store of the tests' own, on loopback: moto's, with its access log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

import requests
from boto3.session import Session
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from attribution_assets.warehouse.lake.objects import InBucket
from attribution_assets_tests.command import PROCESSES

KEY, SECRET, TOKEN = "AKIDOFTHETESTS", "s3cret-key-of-the-tests", "t0ken-of-the-tests"

NUMBERS = count(1)


@dataclass(frozen=True)
class Store:
    """A store at a URL, with its log."""

    url: str
    log: Path

    @property
    def requests(self) -> list[str]:
        """The method, the path and the query of each request that it got, the newest last."""
        return self.log.read_text().splitlines()

    @property
    def environment(self) -> dict[str, str]:
        """What the environment says of the store, with keys."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_SESSION_TOKEN": TOKEN,
        }

    def new_folder(self) -> InBucket:
        """A folder in a bucket that nobody has used yet."""
        bucket = f"lakes-{next(NUMBERS)}"
        self.client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        return InBucket(bucket, "of/shop")

    @property
    def client(self) -> Any:
        return Session(KEY, SECRET, region_name="eu-central-1").client("s3", endpoint_url=self.url)

    def put(self, file: InBucket, content: bytes) -> None:
        self.client.put_object(Bucket=file.bucket, Key=file.key, Body=content)

    @contextmanager
    def that_knows_no_key(self) -> Iterator[None]:
        """Until the end of the block, every key is a wrong one."""
        requests.post(f"{self.url}/moto-api/reset-auth", data=b"0", timeout=10)
        yield
        requests.post(f"{self.url}/moto-api/reset-auth", data=b"inf", timeout=10)


class Quiet(WSGIRequestHandler):
    """Keeps connections, as every store does, and prints nothing."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the store has a log of its own."""


@contextmanager
def object_store() -> Iterator[Store]:
    """The store is a process of its own: delta-rs reads a history without letting other threads of its process work."""
    with TemporaryDirectory() as folder:
        log = Path(folder) / "requests"
        asked, asks = PROCESSES.Pipe(duplex=False)
        server = PROCESSES.Process(target=serve, args=(log, asks), daemon=True)
        server.start()
        yield Store(f"http://127.0.0.1:{asked.recv()}", log)
        server.kill()
        server.join()


def serve(log: Path, port: Connection) -> None:
    """Answers for ever, and sends the port at which it does."""
    application, lock = DomainDispatcherApplication(create_backend_app), Lock()

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        written.write(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}?{environ['QUERY_STRING']}\n")
        with lock if "HTTP_IF_NONE_MATCH" in environ else nullcontext():  # moto looks and writes in two steps
            answered: Iterable[bytes] = application(environ, start_response)
            return answered

    with log.open("w", buffering=1) as written:
        server = make_server("127.0.0.1", 0, answer, threaded=True, request_handler=Quiet)
        port.send(server.server_port)
        server.serve_forever()
