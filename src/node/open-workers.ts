import { randomBytes } from "node:crypto";
import type { Clock } from "../base/clock.js";
import { PortwayError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { Address } from "../model/address.js";
import type { Router } from "../routing/router.js";
import type { OpenWorkerSpec, ResumeWorker, WorkerControl, WorkerStream } from "./engine.js";
import { OpenWorker } from "./open-worker.js";

export const maxOpenWorkers = 1024;

export interface OpenWorkersOptions {
  readonly node: string;
  readonly router: Router;
  readonly clock: Clock;
  readonly log: Log;
  readonly waitLimitMs?: number;
}

/** The workers of a node whose programs are elsewhere, by their tokens. */
export class OpenWorkers implements Disposable {
  readonly #options: OpenWorkersOptions;
  readonly #workers = new Map<string, OpenWorker>();

  constructor(options: OpenWorkersOptions) {
    this.#options = options;
  }

  /** Throws `address_taken`, `bad_address`, `too_many`. */
  open(spec: OpenWorkerSpec, woken: () => void): WorkerStream {
    const { node, router, clock, log, waitLimitMs } = this.#options;
    if (this.#workers.size >= maxOpenWorkers) {
      const said = `node ${node} has ${maxOpenWorkers} open workers, which is the most`;
      throw new PortwayError("too_many", said, { node, max: maxOpenWorkers });
    }
    const address = spec.address === "" ? Address.random() : Address.parse(spec.address);
    if (address.type !== 0) {
      const said = `the address "${spec.address}" is not local: a worker has an address of type 0`;
      throw new PortwayError("bad_address", said, { address: spec.address });
    }
    const token = `${node}.${randomBytes(24).toString("base64url")}`;
    const worker = new OpenWorker({
      router,
      clock,
      address,
      token,
      spec,
      ended: () => {
        this.#workers.delete(token);
        log.info("worker.ended", { address: address.text });
      },
      ...(waitLimitMs !== undefined && { waitLimitMs }),
    });
    this.#workers.set(token, worker);
    log.info("worker.opened", { address: address.text });
    return worker.attach(woken, false);
  }

  /** Throws `worker_not_found`; `bad_argument` for a message that was not sent yet. */
  resume({ token, acknowledgedId }: ResumeWorker, woken: () => void): WorkerStream {
    const worker = this.#find(token);
    if (acknowledgedId > 0) worker.acknowledge(acknowledgedId);
    this.#options.log.info("worker.resumed", { address: worker.address.text });
    return worker.attach(woken, true);
  }

  /** Throws `worker_not_found`. */
  steer(token: string): WorkerControl {
    return this.#find(token);
  }

  [Symbol.dispose](): void {
    const { node } = this.#options;
    for (const worker of [...this.#workers.values()]) {
      worker.close(new PortwayError("stopped", `node ${node} was stopped`, { node }));
    }
  }

  #find(token: string): OpenWorker {
    const worker = this.#workers.get(token);
    if (worker !== undefined) return worker;
    throw workerGone();
  }
}

/** Says nothing of the token: it is a secret. */
export function workerGone(): PortwayError {
  const said = "no open worker has this token: it was closed, or its resume window has passed";
  return new PortwayError("worker_not_found", said);
}

/** The node that a token is of; undefined if it is none. */
export function nodeOfToken(token: string): string | undefined {
  return /^([A-Za-z0-9_-]{1,63})\.[A-Za-z0-9_-]{32}$/.exec(token)?.[1];
}
