import { freePort } from "../../e2e/support/ports.js";
import { until } from "../../e2e/support/until.js";
import { Nodes } from "./nodes.js";
import { OckamNode, type OckamPace } from "./ockam-node.js";
import { PortwayNode } from "./portway-node.js";

/** An inlet on one node and an outlet on another, of which one is Ockam's. It ends with its nodes. */
export interface Portal extends AsyncDisposable {
  readonly inletPort: number;
  /** The node with the outlet, as a machine that loses power. */
  kill9(): Promise<void>;
  /** The node with the inlet. */
  killInlet9(): Promise<void>;
  /** What made the node with the outlet, once more. */
  restart(): Promise<void>;
}

export interface Direction {
  readonly name: string;
  build(target: string, pace?: OckamPace): Promise<Portal>;
}

/** Where the inlet is ours. */
export const ourInlet: Direction = {
  name: "an inlet of Portway, an outlet of Ockam",
  build: (target) =>
    Nodes.with(async (nodes) => {
      const outletNode = async (at?: string) => {
        const { node, port } = await OckamNode.listening(at);
        nodes.add(node);
        await node.outlet("outlet", target);
        return { node, port };
      };
      let far = await outletNode();
      const near = nodes.add(await PortwayNode.create("n1"));
      const inletPort = await near.inlet("web", far.port, ["outlet"]);
      return {
        inletPort,
        kill9: () => far.node.kill9(),
        killInlet9: () => near.machine.kill9(),
        restart: async () => {
          far = await outletNode(`127.0.0.1:${far.port}`);
        },
        [Symbol.asyncDispose]: () => nodes[Symbol.asyncDispose](),
      };
    }),
};

/** Where the inlet is Ockam's. */
export const theirInlet: Direction = {
  name: "an inlet of Ockam, an outlet of Portway",
  build: (target, pace = {}) =>
    Nodes.with(async (nodes) => {
      const far = nodes.add(await PortwayNode.create("n1"));
      await far.outlet("outlet", target);
      const near = nodes.add(new OckamNode());
      const inletPort = await freePort();
      await near.inlet("web", { at: `127.0.0.1:${inletPort}`, port: far.port, route: ["outlet"], ...pace });
      await until("the inlet is made", async () => (await near.session("web")).isUp);
      return {
        inletPort,
        kill9: () => far.machine.kill9(),
        killInlet9: () => near.kill9(),
        restart: async () => {
          await far.start();
          await far.outlet("outlet", target);
        },
        [Symbol.asyncDispose]: () => nodes[Symbol.asyncDispose](),
      };
    }),
};
