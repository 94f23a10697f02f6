/** A list that was longer keeps no memory: a burst is rare, and its owner may be idle for days. */
const maxKeptItems = 1024;

/** A list that keeps its memory when it is emptied: for what is filled and emptied once per message. */
export class RecycledList<T> {
  readonly #items: (T | undefined)[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** The item at `index`, which must be there. */
  at(index: number): T {
    return this.#items[index] as T;
  }

  push(item: T): void {
    // What once was in the list is overwritten: pushing to an emptied array would allocate anew.
    if (this.#length === this.#items.length) this.#items.push(item);
    else this.#items[this.#length] = item;
    this.#length += 1;
  }

  /** Empties the list; keeps none of its items alive. */
  clear(): void {
    if (this.#length > maxKeptItems) this.#items.length = 0;
    else for (let index = 0; index < this.#length; index += 1) this.#items[index] = undefined;
    this.#length = 0;
  }
}

/** Releases what is held and empties the list. */
export function releaseAll(held: RecycledList<{ release(): void }>): void {
  for (let at = 0; at < held.length; at += 1) held.at(at).release();
  held.clear();
}
