"""The tutorial of Portway's README as a program: nodes, a relay, a message through it, and a portal over it."""

import argparse
import sys
from contextlib import ExitStack
from urllib.request import urlopen

import grpc
from google.protobuf.duration_pb2 import Duration

from api import connect, explain
from portway.v1 import message_service_pb2 as message
from portway.v1 import node_service_pb2 as node
from portway.v1 import portal_service_pb2 as portal
from portway.v1 import relay_service_pb2 as relay
from portway.v1.message_service_pb2_grpc import MessageServiceStub
from portway.v1.node_service_pb2_grpc import NodeServiceStub
from portway.v1.portal_service_pb2_grpc import PortalServiceStub
from portway.v1.relay_service_pb2_grpc import RelayServiceStub
from portway.v1.resource_pb2 import STATE_ACTIVE

CALL_SECONDS = 30
WAIT = Duration(seconds=10)


def tutorial(target: str, service: str) -> None:
    channel, metadata = connect()
    nodes = NodeServiceStub(channel)
    relays = RelayServiceStub(channel)
    portals = PortalServiceStub(channel)
    messages = MessageServiceStub(channel)

    with channel, ExitStack() as undo:

        def call(method, request):
            return method(request, timeout=CALL_SECONDS, metadata=metadata)

        def make(create, request, delete, delete_request, kind: str):
            """Creates a resource, and deletes it at the end unless it was there before."""
            made = call(create, request)
            resource = getattr(made, kind)
            if not made.already_existed:
                undo.callback(call, delete, delete_request(name=resource.name))
            return resource

        def make_node(name: str) -> node.Node:
            request = node.CreateNodeRequest(node_id=name)
            return make(nodes.CreateNode, request, nodes.DeleteNode, node.DeleteNodeRequest, "node")

        # n2 can be dialed; n3 can only dial out, and gets an address on n2.
        n2 = make_node("n2")
        n3 = make_node("n3")
        hop = node.CreateServiceRequest(parent=n3.name, service=node.ServiceSpec(kind=node.SERVICE_KIND_HOP))
        make(nodes.CreateService, hop, nodes.DeleteService, node.DeleteServiceRequest, "service")

        host, port = n2.status.tcp_listener_address.rsplit(":", 1)
        to_n2 = relay.RelaySpec(at=f"/ip4/{host}/tcp/{port}")
        request = relay.CreateRelayRequest(parent=n3.name, relay_id="n3", relay=to_n2, wait=WAIT)
        held = make(relays.CreateRelay, request, relays.DeleteRelay, relay.DeleteRelayRequest, "relay")
        if held.status.liveness.state != STATE_ACTIVE:
            sys.exit(f"the relay is not up: {held.status.liveness.failure.last_error}")

        # n1 dials n2, and reaches n3 through the relay.
        n1 = make_node("n1")
        peer = node.TcpConnectionSpec(peer_address=n2.status.tcp_listener_address)
        dial = node.CreateTcpConnectionRequest(parent=n1.name, tcp_connection=peer, wait=WAIT)
        connection = call(nodes.CreateTcpConnection, dial).tcp_connection
        through = f"/worker/{connection.status.worker_address}/service/forward_to_n3"

        reply = call(
            messages.SendMessage,
            message.SendMessageRequest(
                node=n1.name,
                to=f"{through}/service/{service}",
                payload=b"hello",
                encoding=message.PAYLOAD_ENCODING_BARE,
            ),
        )
        print(reply.payload.decode())

        # A portal: what connects to the inlet at n1 reaches the target as n3 sees it.
        request = portal.CreateOutletRequest(parent=n3.name, outlet=portal.OutletSpec(target=target))
        outlet = make(
            portals.CreateOutlet, request, portals.DeleteOutlet, portal.DeleteOutletRequest, "outlet"
        )
        route = portal.InletSpec(to=f"{through}/service/hop/service/{outlet.status.address}")
        open_inlet = portal.CreateInletRequest(parent=n1.name, inlet=route, wait=WAIT)
        inlet = call(portals.CreateInlet, open_inlet).inlet
        with urlopen(f"http://{inlet.status.bound_address}/", timeout=CALL_SECONDS) as response:
            print(response.status, response.read().decode())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="host:port of an HTTP server")
    parser.add_argument("--service", default="uppercase", help="the service of n3 that gets the message")
    arguments = parser.parse_args()
    try:
        tutorial(arguments.target, arguments.service)
    except grpc.RpcError as error:
        sys.exit(explain(error))
    except OSError as error:
        sys.exit(str(error))
