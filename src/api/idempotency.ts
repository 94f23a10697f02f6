import { createHash } from "node:crypto";
import { type DescMethodUnary, type Message, toBinary } from "@bufbuild/protobuf";
import { PortwayError } from "../base/errors.js";
import { abortable } from "../base/signals.js";

/** A call that carries a `request_id`. */
export interface IdentifiedCall {
  /** Whose id it is: two callers never meet in one id. */
  readonly caller: string;
  readonly requestId: string;
  readonly method: DescMethodUnary;
  readonly request: Message;
  readonly signal: AbortSignal;
}

interface Answer {
  readonly fingerprint: string;
  readonly methodName: string;
  readonly promise: Promise<Message>;
  /** Infinity while the call runs. */
  untilMs: number;
  /** The caller's end; when it is what failed the call, others may try again. */
  readonly signal: AbortSignal;
}

export interface AnswersOptions {
  readonly capacity: number;
  readonly nowMs?: () => number;
}

const keepMs = 600_000;

/**
 * Gives a repeated call its first answer, so that a client may send a change again when it does not know what became of
 * it. A repetition that comes while the first call runs waits for it. Only successes are kept: a failed call changed
 * nothing, and may be tried again with the same id.
 *
 * At most `capacity` answers are kept, each for ten minutes; the oldest that is finished gives way.
 */
export class Answers {
  readonly #answers = new Map<string, Answer>();
  readonly #capacity: number;
  readonly #nowMs: () => number;

  constructor(options: AnswersOptions) {
    this.#capacity = options.capacity;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  get size(): number {
    return this.#answers.size;
  }

  /**
   * The answer of `call`, from `run` or from before. Throws `bad_argument` if the id was used for another method or
   * another request.
   */
  async answer(call: IdentifiedCall, run: () => Promise<Message>): Promise<Message> {
    const requestId = call.requestId.toLowerCase();
    const key = `${call.caller}\0${requestId}`;
    const request = { ...call.request, requestId };
    const fingerprint = createHash("sha256").update(toBinary(call.method.input, request)).digest("base64");
    for (;;) {
      const known = this.#find(key);
      if (known === undefined) return this.#first(key, fingerprint, call, run);
      if (known.methodName !== call.method.name || known.fingerprint !== fingerprint) {
        throw new PortwayError(
          "bad_argument",
          `request_id ${call.requestId} was used before for ${known.methodName === call.method.name ? "another request" : known.methodName}: expected a new id for each change`,
          { field: "request_id", request_id: call.requestId },
        );
      }
      try {
        return await abortable(known.promise, call.signal);
      } catch (error) {
        if (call.signal.aborted || !known.signal.aborted) throw error;
        // The first caller went away and took its call along: this one is now the first.
      }
    }
  }

  #find(key: string): Answer | undefined {
    const known = this.#answers.get(key);
    if (known === undefined || known.untilMs > this.#nowMs()) return known;
    this.#answers.delete(key);
    return undefined;
  }

  async #first(
    key: string,
    fingerprint: string,
    call: IdentifiedCall,
    run: () => Promise<Message>,
  ): Promise<Message> {
    this.#makeRoom();
    const promise = run();
    const answer: Answer = {
      fingerprint,
      methodName: call.method.name,
      promise,
      untilMs: Number.POSITIVE_INFINITY,
      signal: call.signal,
    };
    this.#answers.set(key, answer);
    try {
      const message = await promise;
      answer.untilMs = this.#nowMs() + keepMs;
      return message;
    } catch (error) {
      if (this.#answers.get(key) === answer) this.#answers.delete(key);
      throw error;
    }
  }

  #makeRoom(): void {
    const now = this.#nowMs();
    for (const [key, { untilMs }] of this.#answers) {
      if (untilMs > now) break;
      this.#answers.delete(key);
    }
    if (this.#answers.size < this.#capacity) return;
    let oldest: string | undefined;
    for (const [key, { untilMs }] of this.#answers) {
      oldest ??= key;
      if (untilMs === Number.POSITIVE_INFINITY) continue;
      oldest = key;
      break;
    }
    if (oldest !== undefined) this.#answers.delete(oldest);
  }
}
