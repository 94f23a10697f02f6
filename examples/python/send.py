"""A message to a service along any route, and its answer."""

import argparse
import sys

import grpc

from api import connect, explain
from portway.v1.message_service_pb2 import PAYLOAD_ENCODING_BARE, SendMessageRequest
from portway.v1.message_service_pb2_grpc import MessageServiceStub

CALL_SECONDS = 30


def send(node: str, route: str, text: str) -> str:
    channel, metadata = connect()
    request = SendMessageRequest(
        node=f"nodes/{node}", to=route, payload=text.encode(), encoding=PAYLOAD_ENCODING_BARE
    )
    with channel:
        reply = MessageServiceStub(channel).SendMessage(request, timeout=CALL_SECONDS, metadata=metadata)
    return reply.payload.decode()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("node", help="the id of the node that it goes out from: n1")
    parser.add_argument("route", help="where to: /service/uppercase")
    parser.add_argument("text", help="what to say: hello")
    arguments = parser.parse_args()
    try:
        print(send(arguments.node, arguments.route, arguments.text))
    except grpc.RpcError as error:
        sys.exit(explain(error))
    except OSError as error:
        sys.exit(str(error))
