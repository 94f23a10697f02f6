/** Time, so that tests can make their own. Milliseconds; `wallMs` since 1970, `monotonicMs` since some start. */
export interface Clock {
  wallMs(): number;
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`. The timer does not keep the process alive. Disposing it cancels it. */
  after(delayMs: number, run: () => void): Disposable;
}

const hrtime = process.hrtime;

/** As performance.now(), which looks up more than it does where it is called once per message. */
function monotonicMs(): number {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs,
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    timer.unref();
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
