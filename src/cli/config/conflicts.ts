import { isIPv6 } from "node:net";
import { parseSocketAddress, type SocketAddress } from "../../model/socket-address.js";
import type { Problems } from "./problems.js";
import type { InletConfig, Located, OutletConfig, RelayConfig } from "./resources.js";

/** What every node has from the start; an outlet can't take such an address. */
const builtInAddresses = ["echo", "uppercase", "forwarding_service", "static_forwarding_service"];

/** Something that binds a TCP port of this machine. */
interface Bind {
  readonly address: SocketAddress;
  readonly path: string;
  readonly offset: number;
}

export interface Resources {
  readonly node: string | undefined;
  /** What the node itself binds: its listener, its HTTP server. */
  readonly binds: readonly { readonly text: string; readonly path: string; readonly offset: number }[];
  readonly relays: readonly Located<RelayConfig>[];
  readonly inlets: readonly Located<InletConfig>[];
  readonly outlets: readonly Located<OutletConfig>[];
}

/** Finds what can't exist side by side. Such a file would fail half way; it is to create nothing. */
export function findConflicts(problems: Problems, resources: Resources): void {
  const { relays, inlets, outlets, node } = resources;
  const owner = (at: string | undefined): string => (at === undefined || at === node ? "" : at);

  const relayNames = new Taken(problems);
  const registrations = new Taken(problems);
  for (const { config, isNamed, path, offset } of relays) {
    if (isNamed && config.name === undefined) continue; // refused already
    const name = config.name ?? "default";
    const key = `${owner(config.to)}/${name}`;
    if (!relayNames.take(key, `the relay name "${name}"`, path, offset("name")) || config.at === "") continue;
    const address = config.relayAddress ?? name;
    const said = `the relay address "${address}" at ${config.at}`;
    registrations.take(`${config.at} ${address}`, said, path, offset("relay-address"));
  }

  const aliases = new Taken(problems);
  const binds: Bind[] = resources.binds.flatMap(({ text, path, offset }) => bindsOf(text, path, offset));
  for (const { config, path, offset } of inlets) {
    if (config.alias !== undefined) {
      aliases.take(
        `${owner(config.at)}/${config.alias}`,
        `the alias "${config.alias}"`,
        path,
        offset("alias"),
      );
    }
    if (config.from !== undefined) binds.push(...bindsOf(config.from, path, offset("from")));
  }
  findBindConflicts(problems, binds);

  const addresses = new Taken(problems);
  for (const { config, isNamed, path, offset } of outlets) {
    if (isNamed && config.from === undefined) continue; // refused already
    const from = config.from ?? "outlet";
    const key = `${owner(config.at)}/${from}`;
    const at = offset("from");
    if (builtInAddresses.includes(from)) {
      problems.add(at, path, () => `the address "${from}" is a service of every node; expected another`);
    } else if (config.from !== undefined || !addresses.has(key)) {
      // an outlet without an address takes "outlet" if it is free, and a random one if it is not
      addresses.take(key, `the outlet address "${from}"`, path, at);
    }
  }
}

/** Things of which there can be one. */
class Taken {
  readonly #problems: Problems;
  readonly #offsets = new Map<string, number>();

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  has(key: string): boolean {
    return this.#offsets.has(key);
  }

  /** Says whether it was free. */
  take(key: string, what: string, path: string, offset: number): boolean {
    const before = this.#offsets.get(key);
    if (before === undefined) {
      this.#offsets.set(key, offset);
      return true;
    }
    const said = () => `${what} is taken already at ${this.#problems.place(before)}; expected another`;
    this.#problems.add(offset, path, said);
    return false;
  }
}

function bindsOf(text: string, path: string, offset: number): Bind[] {
  const address = parseSocketAddress(text);
  return address.port === 0 ? [] : [{ address, path, offset }]; // port 0 takes a free one
}

function findBindConflicts(problems: Problems, binds: readonly Bind[]): void {
  const byPort = new Map<number, Bind[]>();
  for (const bind of binds) {
    const others = byPort.get(bind.address.port) ?? [];
    byPort.set(bind.address.port, others);
    const other = others.find(({ address }) => overlap(address.host, bind.address.host));
    if (other === undefined) others.push(bind);
    else {
      problems.add(bind.offset, bind.path, () => {
        const where = problems.place(other.offset);
        return `port ${bind.address.port} is bound already by ${other.path} at ${where}; expected another address`;
      });
    }
  }
}

/** Whether a port can't be bound on both hosts at once. */
function overlap(a: string, b: string): boolean {
  const [one, two] = [a, b].map((host) =>
    host.toLowerCase() === "localhost" ? "127.0.0.1" : host.toLowerCase(),
  );
  return one === two || covers(one!, two!) || covers(two!, one!);
}

/** `::` is bound for IPv4 too. What a name stands for is not known here. */
function covers(wild: string, host: string): boolean {
  return wild === "::" || (wild === "0.0.0.0" && !isIPv6(host));
}
