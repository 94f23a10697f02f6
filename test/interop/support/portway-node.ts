import { Machine } from "../../e2e/support/machine.js";
import { freePort } from "../../e2e/support/ports.js";
import { patienceMs } from "../../e2e/support/until.js";

/** A node of Portway with a listener, on a machine of its own: what its user types. */
export class PortwayNode implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly machine = new Machine();

  private constructor(name: string, port: number) {
    this.name = name;
    this.port = port;
  }

  static async create(name: string): Promise<PortwayNode> {
    const node = new PortwayNode(name, await freePort());
    try {
      await node.start();
      return node;
    } catch (error) {
      await node[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What made it, once more: for a daemon that was killed. */
  async start(): Promise<void> {
    await this.machine.run(`node create ${this.name} --tcp-listener-address=127.0.0.1:${this.port}`);
  }

  /** The worker of a connection to a port of 127.0.0.1. */
  async connect(port: number): Promise<string> {
    const said = await this.machine.run(`tcp-connection create --from ${this.name} --to 127.0.0.1:${port}`);
    return said.replace("/worker/", "");
  }

  /** The worker of a UDP connection to a port of 127.0.0.1. */
  async udpConnect(port: number): Promise<string> {
    const said = await this.machine.run(`udp-connection create --from ${this.name} --to 127.0.0.1:${port}`);
    return said.replace("/worker/", "");
  }

  /** Listens for datagrams; its port. */
  async udpListener(): Promise<number> {
    const said = await this.machine.run(`udp-listener create 127.0.0.1:0 --at ${this.name}`);
    return Number(said.split("/udp/")[1]);
  }

  async hop(address: string): Promise<void> {
    await this.machine.run(`service start hop --addr ${address} --at ${this.name}`);
  }

  /** Sends a text along addresses; the answer. */
  send(to: readonly string[], text: string, limitMs = patienceMs): Promise<string> {
    const route = to.map((address) => `/service/${address}`).join("");
    const flags = ["--from", this.name, "--to", route, "--timeout", `${limitMs}ms`];
    return this.machine.run(["message", "send", text, ...flags]);
  }

  /** Keeps a relay at the node on a port of 127.0.0.1. */
  async relay(name: string, port: number): Promise<void> {
    await this.machine.run(`relay create ${name} --at /dnsaddr/localhost/tcp/${port} --to ${this.name}`);
  }

  async relayStatus(name: string) {
    const { relay } = await this.machine.client.relays.getRelay({
      name: `nodes/${this.name}/relays/${name}`,
    });
    return relay!.status!;
  }

  async outlet(address: string, target: string): Promise<void> {
    await this.machine.run(`tcp-outlet create --at ${this.name} --from /service/${address} --to ${target}`);
  }

  /** An inlet that leads through the node on a port of 127.0.0.1 along addresses that end with an outlet. */
  async inlet(name: string, port: number, to: readonly string[]): Promise<number> {
    const inletPort = await freePort();
    const route = to.map((address) => `/service/${address}`).join("");
    await this.machine.run(
      `tcp-inlet create ${name} --at ${this.name} --from 127.0.0.1:${inletPort} --to /ip4/127.0.0.1/tcp/${port}${route}`,
    );
    return inletPort;
  }

  async inletStatus(name: string) {
    const { inlet } = await this.machine.client.portals.getInlet({
      name: `nodes/${this.name}/inlets/${name}`,
    });
    return inlet!.status!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine[Symbol.asyncDispose]();
  }
}
