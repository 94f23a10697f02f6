"""A connection to a Portway daemon's API, and its errors in words."""

import os
from collections.abc import Sequence
from pathlib import Path

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

Metadata = Sequence[tuple[str, str]]

# A message of another node has up to 16 MiB; gRPC takes 4 MiB unless told.
OPTIONS = [("grpc.max_receive_message_length", 32 * 1024 * 1024)]


def connect() -> tuple[grpc.Channel, Metadata]:
    """A channel to PORTWAY_ADDRESS, and what every call has to carry."""
    address = os.environ.get("PORTWAY_ADDRESS", "127.0.0.1:4600")
    token = os.environ.get("PORTWAY_TOKEN") or _token_file().read_text().strip()
    return grpc.insecure_channel(address, OPTIONS), [("authorization", f"Bearer {token}")]


def _token_file() -> Path:
    return Path(os.environ.get("PORTWAY_HOME") or Path.home() / ".portway") / "token"


def explain(error: grpc.RpcError) -> str:
    """The code, the stable reason (an ErrorInfo) and the message of a failed call."""
    reason = ""
    status = rpc_status.from_call(error)
    for detail in status.details if status else []:
        info = ErrorInfo()
        if detail.Unpack(info):
            reason = f" ({info.reason})"
    return f"{error.code().name}{reason}: {error.details()}"
