import { PortwayError } from "../../base/errors.js";
import { formatSocketAddress, type SocketAddress } from "../../model/socket-address.js";

const firstPort = 49_152;
const lastPort = 65_535;

/** Where the memory transports of a process find each other. Hosts are names without a meaning. */
export class MemoryNetwork<Listening> {
  readonly #bound = new Map<string, Listening>();
  #nextPort = firstPort;

  /** An address that nothing is bound to, with the host of `wanted`; its port too, unless that is 0. */
  address(wanted: SocketAddress): SocketAddress {
    if (wanted.port !== 0) return { host: wanted.host, port: wanted.port };
    for (let left = lastPort - firstPort; left >= 0; left -= 1) {
      const address = { host: wanted.host, port: this.#nextPort };
      this.#nextPort = this.#nextPort === lastPort ? firstPort : this.#nextPort + 1;
      if (!this.#bound.has(formatSocketAddress(address))) return address;
    }
    const said = `can't listen on ${formatSocketAddress(wanted)}: every port is in use`;
    throw new PortwayError("address_not_available", said, { address: formatSocketAddress(wanted) });
  }

  /** Throws `address_in_use`. */
  bind(address: SocketAddress, listening: Listening): void {
    const where = formatSocketAddress(address);
    if (this.#bound.has(where)) {
      throw new PortwayError("address_in_use", `can't listen on ${where}: the port is in use`, {
        address: where,
      });
    }
    this.#bound.set(where, listening);
  }

  release(address: SocketAddress): void {
    this.#bound.delete(formatSocketAddress(address));
  }

  find(address: SocketAddress): Listening | undefined {
    return this.#bound.get(formatSocketAddress(address));
  }
}
