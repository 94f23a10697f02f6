import { PortwayError } from "../../base/errors.js";
import { abortable, deferred } from "../../base/signals.js";
import { connectReason } from "../../base/socket-errors.js";
import { transportType } from "../../model/address.js";
import { formatSocketAddress, type SocketAddress } from "../../model/socket-address.js";
import { connectFailed, connectTimedOut } from "../connect-failed.js";
import type {
  Attach,
  Connection,
  DialWaitOptions,
  Listener,
  ListenerCounts,
  Transport,
} from "../transport.js";
import { AssemblyBudget } from "./assembly-budget.js";
import { addressesOf } from "./datagram-socket.js";
import { UdpDial } from "./udp-dial.js";
import { UdpListener } from "./udp-listener.js";
import { resolveUdpOptions, type UdpOptions } from "./udp-options.js";

/**
 * Messages over UDP, as src/wire/PROTOCOL.md section 9 says. Nothing is sent again and nobody is slowed down: a message
 * arrives whole or not at all.
 */
export class UdpTransport implements Transport {
  readonly type = transportType.udp;
  readonly isReliable = false;
  readonly #limits: Required<UdpOptions>;
  readonly #budget: AssemblyBudget;
  readonly #dials = new Set<UdpDial>();
  readonly #listeners = new Set<UdpListener>();
  #accepted = 0;
  #closed = false;

  constructor(options: UdpOptions = {}) {
    this.#limits = resolveUdpOptions(options);
    this.#budget = new AssemblyBudget(this.#limits.receiveBudgetBytes);
  }

  /**
   * Resolves when the peer has answered, at once for another Portway node; or when it has said nothing for
   * `dialSilenceMs`: there may be a node of another make, or nobody. Rejects if the machine there says that nothing
   * listens. Of a name with several addresses the first counts that is not refused.
   */
  async dial(peer: SocketAddress, attach: Attach, { signal }: DialWaitOptions = {}): Promise<Connection> {
    signal?.throwIfAborted();
    if (this.#closed) throw stopped();
    let failure: unknown;
    for (const address of await this.#lookUp(peer, signal)) {
      if (this.#closed) throw stopped();
      try {
        return await this.#dialAt(address, peer, attach, signal);
      } catch (error) {
        signal?.throwIfAborted();
        failure ??= error;
      }
    }
    throw failure;
  }

  async #lookUp(peer: SocketAddress, signal: AbortSignal | undefined): Promise<readonly string[]> {
    const { clock, dialTimeoutMs } = this.#limits;
    const late = deferred<never>();
    using _timer = clock.after(dialTimeoutMs, () =>
      late.reject(connectTimedOut(peer, `no answer within ${dialTimeoutMs} ms`)),
    );
    try {
      return await abortable(Promise.race([addressesOf(peer.host), late.promise]), signal);
    } catch (error) {
      if (error instanceof PortwayError || signal?.aborted === true) throw error;
      throw connectFailed(peer, connectReason(error as Error), error as Error);
    }
  }

  async #dialAt(
    address: string,
    peer: SocketAddress,
    attach: Attach,
    signal: AbortSignal | undefined,
  ): Promise<Connection> {
    const dial: UdpDial = new UdpDial({
      limits: this.#limits,
      budget: this.#budget,
      peer,
      address,
      attach,
      gone: () => this.#dials.delete(dial),
    });
    this.#dials.add(dial);
    try {
      return await abortable(dial.outcome, signal);
    } catch (error) {
      dial.fail("the attempt was ended");
      // It may have become ready in the meantime: nobody has it then.
      dial.close();
      throw error;
    }
  }

  async listen(bind: SocketAddress, attach: Attach): Promise<Listener> {
    if (this.#closed) throw stopped();
    // A closed listener has its socket for as long as it has peers: who listens there again shares it with them.
    const closed = [...this.#listeners].find(({ isOpen, bound }) => !isOpen && isSame(bound, bind));
    if (closed !== undefined) {
      closed.reopen(attach);
      return new Lease(closed);
    }
    const listener = await UdpListener.bind(bind, {
      limits: this.#limits,
      budget: this.#budget,
      attach,
      admit: () => this.#accepted < this.#limits.maxAcceptedConnections,
      joined: () => {
        this.#accepted += 1;
      },
      left: () => {
        this.#accepted -= 1;
      },
      released: (released) => this.#listeners.delete(released),
    });
    this.#listeners.add(listener);
    if (this.#closed) {
      listener.close();
      throw new PortwayError(
        "stopped",
        `the node was stopped before it listened on ${formatSocketAddress(bind)}`,
      );
    }
    return new Lease(listener);
  }

  close(): void {
    this.#closed = true;
    for (const listener of [...this.#listeners]) {
      listener.close();
      listener.closePeers();
    }
    for (const dial of [...this.#dials]) dial.close();
  }
}

/** A listener until it is closed: the socket below it may outlast it, and be listened on again. */
class Lease implements Listener {
  readonly bound: SocketAddress;
  readonly #listener: UdpListener;
  #isClosed = false;

  constructor(listener: UdpListener) {
    this.#listener = listener;
    this.bound = listener.bound;
  }

  get counts(): ListenerCounts {
    return this.#listener.counts;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#listener.close();
  }
}

function isSame(one: SocketAddress, other: SocketAddress): boolean {
  return one.host === other.host && one.port === other.port;
}

function stopped(): PortwayError {
  return new PortwayError("stopped", "the node is stopped");
}
