import { setTimeout as sleep } from "node:timers/promises";
import { durationArgument, integerArgument } from "./argument.js";
import type { Cli } from "./cli.js";
import { formatDuration } from "./duration.js";
import { failureOf } from "./failure.js";

export interface RetryOptions {
  readonly retryCount?: string;
  /** The value of `--retry`; false for `--no-retry`. */
  readonly retry?: string | boolean;
  readonly retryDelay?: string;
}

const defaultDelayMs = 5000;
const defaultCount = 3;
const maxCount = 1_000_000;
const maxDelayMs = 24 * 3_600_000;

/** What may be different at the next attempt. Everything else is not tried again. */
const retriable = new Set([
  "CONNECT_FAILED",
  "NOT_CONNECTED",
  "NO_REPLY",
  "TIMED_OUT",
  "QUEUE_FULL",
  "DAEMON_UNREACHABLE",
  "DRAINING",
  "ADDRESS_IN_USE",
]);

/**
 * Does `attempt`, again after a failure that may pass, as often as the flags or the environment say: never where
 * neither says anything; a count alone waits 5 s in between, a delay alone tries 3 times more. Up to half the delay
 * is added at random.
 */
export async function withRetries<T>(
  cli: Cli,
  options: RetryOptions,
  attempt: () => Promise<T>,
  pause: (delayMs: number) => Promise<unknown> = sleep,
): Promise<T> {
  const { count, delayMs } = retriesOf(cli, options);
  for (let made = 0; ; made += 1) {
    try {
      return await attempt();
    } catch (error) {
      const { reason, message } = await failureOf(error);
      if (made >= count || !retriable.has(reason)) throw error;
      const waitMs = Math.round(delayMs * (1 + Math.random() / 2));
      cli.notices.info(`${message}; attempt ${made + 2} of ${count + 1} in ${formatDuration(waitMs)}`);
      await pause(waitMs);
    }
  }
}

function retriesOf(cli: Cli, options: RetryOptions): { readonly count: number; readonly delayMs: number } {
  const { retryCount, retry, retryDelay } = options;
  const count =
    given("--retry-count", retryCount) ??
    given("--retry", retry) ??
    variable(cli, "PORTWAY_COMMAND_RETRY_COUNT");
  const delay = given("--retry-delay", retryDelay) ?? variable(cli, "PORTWAY_COMMAND_RETRY_DELAY");
  if (retry === false || (count === undefined && delay === undefined)) return { count: 0, delayMs: 0 };
  return {
    count: count === undefined ? defaultCount : integerArgument(count.name, count.text, 0, maxCount),
    delayMs: delay === undefined ? defaultDelayMs : durationArgument(delay.name, delay.text, maxDelayMs),
  };
}

/** A value, and what it was given by. */
interface Given {
  readonly name: string;
  readonly text: string;
}

function given(name: string, text: string | boolean | undefined): Given | undefined {
  return typeof text === "string" ? { name, text } : undefined;
}

function variable(cli: Cli, name: string): Given | undefined {
  return given(name, cli.io.env[name] || undefined);
}
