// The tutorial of Portway's README as a program: nodes, a relay, a message through it, and a portal over it.
import { parseArgs } from "node:util";
import { createClient } from "@connectrpc/connect";
import { MessageService, PayloadEncoding } from "../gen/portway/v1/message_service_pb.js";
import { type Node, NodeService, ServiceKind } from "../gen/portway/v1/node_service_pb.js";
import { PortalService } from "../gen/portway/v1/portal_service_pb.js";
import { RelayService } from "../gen/portway/v1/relay_service_pb.js";
import { State } from "../gen/portway/v1/resource_pb.js";
import { connect, explain } from "./api.js";

const wait = { seconds: 10n };
const options = { timeoutMs: 30_000 };

async function tutorial(target: string, service: string): Promise<void> {
  const transport = await connect();
  const nodes = createClient(NodeService, transport);
  const relays = createClient(RelayService, transport);
  const portals = createClient(PortalService, transport);
  const messages = createClient(MessageService, transport);

  // What was there before is not deleted at the end.
  const undo: (() => Promise<unknown>)[] = [];
  const unlessThere = (made: { alreadyExisted: boolean }, remove: () => Promise<unknown>) => {
    if (!made.alreadyExisted) undo.unshift(remove);
  };
  const createNode = async (nodeId: string): Promise<Node> => {
    const made = await nodes.createNode({ nodeId }, options);
    unlessThere(made, () => nodes.deleteNode({ name: made.node!.name }, options));
    return made.node!;
  };

  try {
    // n2 can be dialed; n3 can only dial out, and gets an address on n2.
    const n2 = await createNode("n2");
    const peerAddress = n2.status!.tcpListenerAddress;
    const n3 = await createNode("n3");
    const hop = await nodes.createService({ parent: n3.name, service: { kind: ServiceKind.HOP } }, options);
    unlessThere(hop, () => nodes.deleteService({ name: hop.service!.name }, options));
    const [host, port] = peerAddress.split(":");
    const made = await relays.createRelay(
      { parent: n3.name, relayId: "n3", relay: { at: `/ip4/${host}/tcp/${port}` }, wait },
      options,
    );
    const relay = made.relay!;
    unlessThere(made, () => relays.deleteRelay({ name: relay.name }, options));
    const { state, failure } = relay.status!.liveness!;
    if (state !== State.ACTIVE) throw new Error(`the relay is not up: ${failure?.lastError}`);

    // n1 dials n2, and reaches n3 through the relay.
    const n1 = await createNode("n1");
    const { tcpConnection } = await nodes.createTcpConnection(
      { parent: n1.name, tcpConnection: { peerAddress }, wait },
      options,
    );
    const through = `/worker/${tcpConnection!.status!.workerAddress}/service/forward_to_n3`;
    const reply = await messages.sendMessage(
      {
        node: n1.name,
        to: `${through}/service/${service}`,
        payload: new TextEncoder().encode("hello"),
        encoding: PayloadEncoding.BARE,
      },
      options,
    );
    console.log(new TextDecoder().decode(reply.payload));

    // A portal: what connects to the inlet at n1 reaches the target as n3 sees it.
    const outlet = await portals.createOutlet({ parent: n3.name, outlet: { target } }, options);
    unlessThere(outlet, () => portals.deleteOutlet({ name: outlet.outlet!.name }, options));
    const to = `${through}/service/hop/service/${outlet.outlet!.status!.address}`;
    const { inlet } = await portals.createInlet({ parent: n1.name, inlet: { to }, wait }, options);
    const response = await fetch(`http://${inlet!.status!.boundAddress}/`, {
      signal: AbortSignal.timeout(options.timeoutMs),
    });
    console.log(response.status, (await response.text()).trim());
  } finally {
    for (const remove of undo) await remove();
  }
}

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { service: { type: "string", default: "uppercase" } },
});
const [target] = positionals;
if (target === undefined || positionals.length > 1) {
  console.error("usage: tutorial [--service NAME] HOST:PORT (of an HTTP server)");
  process.exit(2);
}
try {
  await tutorial(target, values.service);
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
