let turn = 0;
let isKnown = false;

/**
 * The number of the present turn of the event loop: two calls give the same one if they are made while the loop goes
 * through what has become ready, and another one after it has waited.
 */
export function currentTurn(): number {
  if (!isKnown) {
    isKnown = true;
    setImmediate(next);
  }
  return turn;
}

function next(): void {
  isKnown = false;
  turn += 1;
}

let due: (() => void)[] = [];
let isReading = false;
let isScheduled = false;
const resolved = Promise.resolve();

/**
 * Calls `run` once: when the read that is going on has been handled, or, outside of one, at the end of the present call
 * of the event loop. What is written then leaves before the next read, while its bytes are still near the processor.
 */
export function afterRead(run: () => void): void {
  due.push(run);
  if (isReading || isScheduled) return;
  isScheduled = true;
  void resolved.then(runScheduled);
}

/** Handles what was read: `handle`, then what it put off with `afterRead`. Must not be nested. */
export function handleRead(handle: (length: number) => void, length: number): void {
  isReading = true;
  try {
    handle(length);
  } finally {
    isReading = false;
    runDue();
  }
}

function runScheduled(): void {
  isScheduled = false;
  runDue();
}

function runDue(): void {
  while (due.length > 0) {
    const runs = due;
    due = [];
    for (const run of runs) run();
  }
}
