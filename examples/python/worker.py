"""A worker in Python: an `uppercase` of its own, at an address of a node."""

import argparse
import signal
import sys
from queue import SimpleQueue

import grpc

from api import connect, explain
from portway.v1.message_service_pb2 import Close, Grant, OpenWorker, OpenWorkerRequest, Reply
from portway.v1.message_service_pb2_grpc import MessageServiceStub

# What may be on its way to us: this many messages, and this many bytes of payload.
WINDOW = Grant(messages=64, bytes=1024 * 1024)

# The API takes no larger payload.
MAX_REPLY_BYTES = 4 * 1024 * 1024


def work(node: str, address: str) -> None:
    channel, metadata = connect()
    requests: SimpleQueue[OpenWorkerRequest] = SimpleQueue()
    opening = OpenWorker(node=f"nodes/{node}", address=address, initial_grant=WINDOW)
    requests.put(OpenWorkerRequest(open=opening))
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: requests.put(OpenWorkerRequest(close=Close())))

    with channel:
        for response in MessageServiceStub(channel).OpenWorker(iter(requests.get, None), metadata=metadata):
            match response.WhichOneof("response"):
                case "opened":
                    print(f"{response.opened.name} is open", flush=True)
                case "message":
                    message = response.message
                    try:
                        payload = encode(decode(message.payload).upper())
                    except ValueError as error:
                        print(f"message {message.id} gets no answer: {error}", file=sys.stderr)
                    else:
                        requests.put(OpenWorkerRequest(reply=Reply(to_id=message.id, payload=payload)))
                    # Done with it: as much again may come.
                    grant = Grant(messages=1, bytes=len(message.payload))
                    requests.put(OpenWorkerRequest(grant=grant))
                case "starved":
                    requests.put(OpenWorkerRequest(grant=Grant(bytes=response.starved.payload_bytes)))
                case "result" if response.result.HasField("failure"):
                    print(f"a reply failed: {response.result.failure.message}", file=sys.stderr)


def decode(payload: bytes) -> str:
    """A BARE string: its length in bytes as LEB128, then UTF-8."""
    length = 0
    for at, byte in enumerate(payload[:10]):
        length |= (byte & 0x7F) << (7 * at)
        if byte < 0x80:
            text = payload[at + 1 :]
            if len(text) != length:
                raise ValueError(f"it is no BARE string: it says {length} bytes and has {len(text)}")
            return text.decode()
    raise ValueError("it is no BARE string: its length does not end")


def encode(text: str) -> bytes:
    data = text.encode()
    left, prefix = len(data), bytearray()
    while left > 0x7F:
        prefix.append(left & 0x7F | 0x80)
        left >>= 7
    payload = bytes(prefix) + bytes([left]) + data
    if len(payload) > MAX_REPLY_BYTES:
        raise ValueError(f"it would have {len(payload)} bytes, at most {MAX_REPLY_BYTES} can be sent")
    return payload


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("node", help="the id of the node: n3")
    parser.add_argument("address", help="the address to take on it: shout")
    arguments = parser.parse_args()
    try:
        work(arguments.node, arguments.address)
    except grpc.RpcError as error:
        sys.exit(explain(error))
    except OSError as error:
        sys.exit(str(error))
