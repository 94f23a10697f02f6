import assert from "node:assert/strict";
import { WorkerKind } from "../../../gen/portway/v1/node_service_pb.js";
import type { Inlet } from "../../../gen/portway/v1/portal_service_pb.js";
import { Machine } from "./machine.js";
import { freePort } from "./ports.js";
import { residentBytes } from "./processes.js";

export interface TutorialOptions {
  /** How n3 is reached from n2: by the relay that n3 registered there, or because n2 dials it. */
  readonly by: "relay" | "bridge";
  /** One runs all three nodes; or one for each. */
  readonly daemons: 1 | 3;
  /** `host:port` behind the outlet on n3. */
  readonly target: string;
}

/**
 * The tutorial of the README, built with its own commands: an inlet on n1, n2 in between, an outlet on n3. It ends with
 * its machines.
 */
export class Tutorial implements AsyncDisposable {
  readonly n1: Machine;
  readonly n2: Machine;
  readonly n3: Machine;
  readonly n2Port: number;
  /** `/worker/…` of n1's connection to n2, as `tcp-connection create` printed it. */
  readonly connection: string;
  /** The route from n1 to the workers of n3. */
  readonly toN3: string;
  /** The route from n1 to the outlet. */
  readonly toOutlet: string;
  readonly inletPort: number;

  private constructor(fields: Fields) {
    this.n1 = fields.n1;
    this.n2 = fields.n2;
    this.n3 = fields.n3;
    this.n2Port = fields.n2Port;
    this.connection = fields.connection;
    this.toN3 = fields.toN3;
    this.toOutlet = fields.toOutlet;
    this.inletPort = fields.inletPort;
  }

  static async build({ by, daemons, target }: TutorialOptions): Promise<Tutorial> {
    const n2 = new Machine();
    const [n1, n3] = daemons === 1 ? [n2, n2] : [new Machine(), new Machine()];
    try {
      const [n2Port, n3Port, inletPort] = [await freePort(), await freePort(), await freePort()];
      await n2.run(`node create n2 --tcp-listener-address=127.0.0.1:${n2Port}`);
      await n3.run(`node create n3 --tcp-listener-address=127.0.0.1:${n3Port}`);
      await n3.run(`tcp-outlet create --at n3 --from /service/outlet --to ${target}`);
      const between = by === "relay" ? await relayed(n3, daemons, n2Port) : await bridged(n2, n3Port);
      await n1.run("node create n1");
      const connection = await n1.run(`tcp-connection create --from n1 --to 127.0.0.1:${n2Port}`);
      assert.match(connection, /^\/worker\/[0-9a-f]{32}$/);
      const toN3 = `${connection}${between}`;
      const toOutlet = `${toN3}${by === "relay" ? "/service/hop" : ""}/service/outlet`;
      await n1.run(`tcp-inlet create web --at n1 --from 127.0.0.1:${inletPort} --to ${toOutlet}`);
      return new Tutorial({ n1, n2, n3, n2Port, connection, toN3, toOutlet, inletPort });
    } catch (error) {
      await Promise.allSettled([...new Set([n1, n2, n3])].map((each) => each[Symbol.asyncDispose]()));
      throw error;
    }
  }

  get machines(): readonly Machine[] {
    return [...new Set([this.n1, this.n2, this.n3])];
  }

  /** What made n2, once more: for a daemon that was killed. */
  async startN2(): Promise<void> {
    await this.n2.run(`node create n2 --tcp-listener-address=127.0.0.1:${this.n2Port}`);
  }

  /** An outlet on n3 and an inlet on n1 that leads to it; the inlet's port. */
  async portal(name: string, target: string): Promise<number> {
    await this.n3.client.portals.createOutlet({ parent: "nodes/n3", outletId: name, outlet: { target } });
    const created = await this.n1.client.portals.createInlet({
      parent: "nodes/n1",
      inletId: name,
      inlet: { bindAddress: "127.0.0.1:0", to: this.toOutlet.replace(/outlet$/, name) },
    });
    return portOf(created.inlet);
  }

  async inletStatus(name = "web") {
    const { inlet } = await this.n1.client.portals.getInlet({ name: `nodes/n1/inlets/${name}` });
    return inlet!.status!;
  }

  async outletStatus(name = "outlet") {
    const { outlet } = await this.n3.client.portals.getOutlet({ name: `nodes/n3/outlets/${name}` });
    return outlet!.status!;
  }

  async relayStatus() {
    const { relay } = await this.n3.client.relays.getRelay({ name: "nodes/n3/relays/n3" });
    return relay!.status!;
  }

  /** Of n1's connection to n2. */
  async connectionStatus() {
    const { tcpConnections } = await this.n1.client.nodes.listTcpConnections({ parent: "nodes/n1" });
    return tcpConnections.find(({ status }) => `/worker/${status?.workerAddress}` === this.connection)!
      .status!;
  }

  /** How many workers n1, n2 and n3 have; the addresses of probes, which come and go, not counted. */
  async workers(): Promise<readonly number[]> {
    const nodes = [this.n1, this.n2, this.n3].map(async ({ client }, at) => {
      const { workers } = await client.nodes.listWorkers({ parent: `nodes/n${at + 1}`, pageSize: 1000 });
      return workers.filter(({ kind }) => kind !== WorkerKind.REPLY).length;
    });
    return await Promise.all(nodes);
  }

  /** Resident memory of the daemons. */
  async memory(): Promise<readonly number[]> {
    return (await Promise.all(this.machines.map((machine) => machine.pid()))).map(residentBytes);
  }

  /** How often n1's link to n2 and n3's have been established. */
  async links(): Promise<readonly bigint[]> {
    const ofN3 = await this.n3.client.nodes.listTcpConnections({ parent: "nodes/n3" });
    const dialed = ofN3.tcpConnections.filter(({ status }) => status?.owner === "relays/n3");
    return [(await this.connectionStatus()).links, ...dialed.map(({ status }) => status!.links)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = await Promise.allSettled(this.machines.map((each) => each[Symbol.asyncDispose]()));
    const failed = ended.flatMap((each) => (each.status === "rejected" ? [each.reason as Error] : []));
    if (failed.length > 0) throw new Error(failed.map(({ message }) => message).join("\n"));
  }
}

/** Where an inlet is bound. */
export function portOf(inlet: Inlet | undefined): number {
  return Number(inlet!.status!.boundAddress.split(":")[1]);
}

type Fields = Pick<
  Tutorial,
  "n1" | "n2" | "n3" | "n2Port" | "connection" | "toN3" | "toOutlet" | "inletPort"
>;

async function relayed(n3: Machine, daemons: 1 | 3, n2Port: number): Promise<string> {
  await n3.run("service start hop --at n3");
  const at = daemons === 1 ? "/node/n2" : `/dnsaddr/localhost/tcp/${n2Port}`;
  const said = await n3.run(`relay create n3 --at ${at} --to ${daemons === 1 ? "/node/n3" : "n3"}`);
  assert.match(said, /forward_to_n3/);
  return "/service/forward_to_n3";
}

async function bridged(n2: Machine, n3Port: number): Promise<string> {
  // Before the connection: what comes in on one reaches the hops that were there when it was made.
  await n2.run("service start hop --at n2");
  const connection = await n2.run(`tcp-connection create --from n2 --to 127.0.0.1:${n3Port}`);
  return `/service/hop${connection}`;
}
