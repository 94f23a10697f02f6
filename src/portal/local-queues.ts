/** Bytes that all sessions of the process together may keep for their local programs, each up to its own limit. */
const maxBytes = 256 * 1024 * 1024;

/**
 * What waits for local programs, of all sessions of the process together. Each has a limit of its own that is far below
 * this; ten thousand whose programs read nothing are what this is for.
 */
class LocalQueues {
  #bytes = 0;

  /** More, or less, waits now. */
  changed(bytes: number): void {
    this.#bytes += bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** From here on a session takes a message only when nothing of it waits, and keeps no more memory than the message. */
  get areFull(): boolean {
    return this.#bytes >= maxBytes;
  }
}

export const localQueues = new LocalQueues();
