import { RecycledList } from "./recycled-list.js";

/** Something with work that can wait until the read that is going on has been handled. */
export interface Deferring {
  /** Does what was put off. */
  catchUp(): void;
}

const due = new RecycledList<Deferring>();
/** So many of those that are due have been called. */
let called = 0;
let isReading = false;
/** What is put off next is done at once. */
let isNextDue = false;
let isScheduled = false;
const resolved = Promise.resolve();

/**
 * Calls `catchUp` once: when the read that is going on has been handled (of what its last piece puts off, the first at
 * once), or, outside of one, at the end of the present call of the event loop. What is written then leaves before the
 * next read, while its bytes are still near the processor. If one throws, it is not called again, and those behind it
 * are called at the end of the present call.
 */
export function afterRead(deferring: Deferring): void {
  if (isNextDue) {
    // What this puts off in turn waits: one that made room for others, and those for others, would have no end.
    isNextDue = false;
    deferring.catchUp();
    return;
  }
  due.push(deferring);
  if (!isReading) schedule();
}

/**
 * The last piece of what was read is handed on now. A lone message then leaves before those who passed it on have done
 * their counting: that is done while the next process wakes up.
 */
export function lastPiece(): void {
  isNextDue = isReading;
}

function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  void resolved.then(runScheduled);
}

/** Has `reader` handle what was read, then what it put off with `afterRead`. Must not be nested. */
export function handleRead(reader: { read(length: number): void }, length: number): void {
  isReading = true;
  try {
    reader.read(length);
  } finally {
    isReading = false;
    isNextDue = false;
    runDue();
  }
}

function runScheduled(): void {
  isScheduled = false;
  runDue();
}

function runDue(): void {
  try {
    // Those that are added meanwhile are called as well.
    while (called < due.length) due.at(called++).catchUp();
  } finally {
    // Those behind one that threw have their turn.
    if (called < due.length) schedule();
    else {
      due.clear();
      called = 0;
    }
  }
}
