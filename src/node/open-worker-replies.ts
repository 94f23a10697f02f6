import type { Entrance } from "../model/message.js";
import type { Route } from "../model/route.js";
import type { QueuedMessage } from "./open-worker-queue.js";

/** What an answer to a message needs to know of it. */
export interface ReplyPath {
  readonly return: Route;
  readonly trace: Buffer | undefined;
  readonly entrance: Entrance | undefined;
}

const maxReplyPaths = 4096;
const maxReplyPathBytes = 1024 * 1024;

/** The ways back of the messages that were sent to a client last, by their ids. */
export class ReplyPaths {
  readonly #paths = new Map<number, ReplyPath>();
  #bytes = 0;
  #oldestId = 1;

  remember({ id, message }: QueuedMessage): void {
    const { return: back, trace, entrance } = message;
    this.#forget(id);
    this.#paths.set(id, { return: back, trace, entrance });
    this.#bytes += bytesOf({ return: back, trace });
    // One that is sent again comes back in front.
    this.#oldestId = Math.min(this.#oldestId, id);
    while (this.#paths.size > maxReplyPaths || this.#bytes > maxReplyPathBytes) {
      this.#forget(this.#oldestId);
      this.#oldestId += 1;
    }
  }

  get(id: number): ReplyPath | undefined {
    return this.#paths.get(id);
  }

  clear(): void {
    this.#paths.clear();
    this.#bytes = 0;
  }

  #forget(id: number): void {
    const path = this.#paths.get(id);
    if (path === undefined) return;
    this.#paths.delete(id);
    this.#bytes -= bytesOf(path);
  }
}

function bytesOf({ return: back, trace }: Pick<ReplyPath, "return" | "trace">): number {
  return back.byteLength + (trace?.length ?? 0);
}
