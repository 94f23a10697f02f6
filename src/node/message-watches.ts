import type { Clock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import type { Message } from "../model/message.js";
import type { Arrival } from "../routing/arrival.js";
import type { Router, Tap } from "../routing/router.js";
import type { DropReason, WorkerInfo } from "../routing/worker.js";
import type { MessageEvent, MessageWatch, WatchMessages } from "./engine.js";
import { QueuedMessageWatch } from "./message-watch.js";

export const maxMessageWatches = 16;

export interface MessageWatchesOptions {
  readonly node: string;
  readonly router: Router;
  readonly clock: Clock;
}

/** Those who watch the messages of a node. The router has a tap only while there are any. */
export class MessageWatches implements Tap, Disposable {
  readonly #options: MessageWatchesOptions;
  readonly #watches = new Set<QueuedMessageWatch>();

  constructor(options: MessageWatchesOptions) {
    this.#options = options;
  }

  /** Throws `too_many`, `bad_address`, `bad_route`. */
  open(watch: WatchMessages, woken: () => void): MessageWatch {
    const { node, router } = this.#options;
    if (this.#watches.size >= maxMessageWatches) {
      const said = `the messages of node ${node} have ${maxMessageWatches} watchers, which is the most`;
      throw new PortwayError("too_many", said, { node, max: maxMessageWatches });
    }
    const opened = new QueuedMessageWatch(watch, woken, (closed) => this.#close(closed));
    this.#watches.add(opened);
    router.tap = this;
    return opened;
  }

  received(message: Message, worker: WorkerInfo | undefined): void {
    const entrance = message.entrance as Arrival | undefined;
    // What a blocked one brings has been shown before.
    if (entrance?.isBlocked !== true) this.#show("received", message, worker, "");
  }

  message(message: Message, worker: WorkerInfo | undefined, outcome: DropReason | undefined): void {
    if (outcome !== undefined) this.#show("dropped", message, worker, outcome);
    else this.#show(worker?.kind === "connection" ? "forwarded" : "delivered", message, worker, "");
  }

  [Symbol.dispose](): void {
    const { node } = this.#options;
    const error = new PortwayError("stopped", `node ${node} was stopped`, { node });
    for (const watch of [...this.#watches]) watch.end(error);
  }

  #show(
    kind: MessageEvent["kind"],
    message: Message,
    worker: WorkerInfo | undefined,
    dropReason: string,
  ): void {
    const watched = { kind, message, worker, dropReason, timeMs: this.#options.clock.wallMs() };
    for (const watch of this.#watches) watch.offer(watched);
  }

  #close(watch: QueuedMessageWatch): void {
    this.#watches.delete(watch);
    if (this.#watches.size === 0) this.#options.router.tap = undefined;
  }
}
