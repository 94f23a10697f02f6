import { until } from "../../e2e/support/until.js";
import { Link } from "./link.js";
import { Nodes } from "./nodes.js";
import { OckamNode, type OckamPace } from "./ockam-node.js";
import { PortwayNode } from "./portway-node.js";

/** How the client reaches the host. A link accepts for a host that is dead: then Ockam's client waits for 30 s. */
export type Way = "link" | "direct";

/** Portway hosts `forward_to_o` for a node of Ockam. */
export function portwayHost(way: Way, pace: OckamPace = { pingMs: 500, retryMs: 500 }) {
  return Nodes.with(async (nodes) => {
    const host = nodes.add(await PortwayNode.create("n2"));
    const link = nodes.add(await Link.to(host.port));
    const client = nodes.add(new OckamNode());
    await client.relay("o", way === "link" ? link.port : host.port, pace);
    await until("the relay is made", async () => (await client.session("o")).isUp);
    return { host, link, client, [Symbol.asyncDispose]: () => nodes[Symbol.asyncDispose]() };
  });
}

/** Ockam hosts `forward_to_p` for a node of Portway, which has a hop. */
export function ockamHost(way: Way) {
  return Nodes.with(async (nodes) => {
    const hostNode = async (at?: string) => {
      const { node, port } = await OckamNode.listening(at);
      nodes.add(node);
      await node.relayService();
      return { node, port };
    };
    let host = await hostNode();
    const { port } = host;
    const link = nodes.add(await Link.to(port));
    const client = nodes.add(await PortwayNode.create("n3"));
    // Before the relay: what comes in on its connection reaches the hops that were there when it was made.
    await client.hop("hop");
    await client.relay("p", way === "link" ? link.port : port);
    return {
      port,
      link,
      client,
      kill9: () => host.node.kill9(),
      restart: async () => {
        host = await hostNode(`127.0.0.1:${port}`);
      },
      [Symbol.asyncDispose]: () => nodes[Symbol.asyncDispose](),
    };
  });
}
