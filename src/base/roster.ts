/**
 * Items that come and go often, in the order in which they came. What leaves is let go of at once; a Set would hand it
 * on: each time that V8 makes a new table for one, the old table keeps what was in it, and the new one, until the next
 * collection of everything.
 */
export class Roster<T> {
  readonly #ring = new Member<T>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Disposing the result takes the item out; disposing it again does nothing. */
  add(item: T): Disposable {
    this.#size += 1;
    return new Member(item, this.#ring, this.#left);
  }

  /** Those that are in it now; it may change while they are gone through. */
  items(): T[] {
    const items: T[] = [];
    for (let at = this.#ring.after; at !== this.#ring; at = at.after) items.push(at.item!);
    return items;
  }

  /** Takes all of them out. */
  empty(): T[] {
    const items = this.items();
    while (this.#ring.after !== this.#ring) this.#ring.after[Symbol.dispose]();
    return items;
  }

  readonly #left = (): void => {
    this.#size -= 1;
  };
}

class Member<T> implements Disposable {
  item: T | undefined;
  before: Member<T>;
  after: Member<T>;
  #left: (() => void) | undefined;

  /** Without a ring it is one of its own. */
  constructor(item?: T, ring?: Member<T>, left?: () => void) {
    this.item = item;
    this.after = ring ?? this;
    this.before = ring?.before ?? this;
    this.before.after = this;
    this.after.before = this;
    this.#left = left;
  }

  [Symbol.dispose](): void {
    if (this.#left === undefined) return;
    this.#left();
    this.#left = undefined;
    this.before.after = this.after;
    this.after.before = this.before;
    this.before = this;
    this.after = this;
    this.item = undefined;
  }
}
