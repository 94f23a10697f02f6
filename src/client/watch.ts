import type { Client } from "@connectrpc/connect";
import type { NodeService, WatchNodesResponse } from "../../gen/portway/v1/node_service_pb.js";
import type { PortalService, WatchPortalsResponse } from "../../gen/portway/v1/portal_service_pb.js";
import type { RelayService, WatchRelaysResponse } from "../../gen/portway/v1/relay_service_pb.js";
import { WatchEventType } from "../../gen/portway/v1/resource_pb.js";
import { Backoff } from "../base/backoff.js";
import { failureOf } from "./errors.js";
import { type Pace, systemPace } from "./options.js";

export interface WatchOptions {
  /** Ends the watch; without it, leaving the loop does. */
  readonly signal?: AbortSignal;
  /**
   * A stream that says nothing for so long is given up and opened again; 75 s if not given. A daemon says something at
   * least every 30 s.
   */
  readonly silenceMs?: number;
  /** How long the daemon may be away before the watch fails with what was met last; without end if not given. */
  readonly giveUpAfterMs?: number;
  /** For tests: how a wait between two attempts is waited, and what time it is. */
  readonly pace?: Pace;
}

export interface WatchPartsOptions extends WatchOptions {
  /** `nodes/{node}`; all nodes if not given. */
  readonly parent?: string;
}

/**
 * The nodes and what changes about them, for as long as somebody reads: ADDED for each that is there, SYNCED, then
 * changes. A stream that is lost is opened again behind the last event. If too much was missed for that, all is told
 * anew, and what has gone meanwhile is told as DELETED, as it was last known. So whoever keeps a map by name and heeds
 * ADDED, MODIFIED and DELETED has what the daemon has, at each SYNCED. Throws what opening it again will not mend.
 */
export function watchNodes(
  nodes: Pick<Client<typeof NodeService>, "watchNodes">,
  options: WatchOptions = {},
): AsyncGenerator<WatchNodesResponse, void, undefined> {
  return resumed(
    (startRevision, signal) => nodes.watchNodes({ startRevision }, { signal }),
    ({ node }) => node?.name,
    options,
  );
}

/** Relays and relay registrations, as watchNodes. */
export function watchRelays(
  relays: Pick<Client<typeof RelayService>, "watchRelays">,
  { parent = "", ...options }: WatchPartsOptions = {},
): AsyncGenerator<WatchRelaysResponse, void, undefined> {
  return resumed(
    (startRevision, signal) => relays.watchRelays({ parent, startRevision }, { signal }),
    ({ resource }) => resource.value?.name,
    options,
  );
}

/** Inlets and outlets, as watchNodes. */
export function watchPortals(
  portals: Pick<Client<typeof PortalService>, "watchPortals">,
  { parent = "", ...options }: WatchPartsOptions = {},
): AsyncGenerator<WatchPortalsResponse, void, undefined> {
  return resumed(
    (startRevision, signal) => portals.watchPortals({ parent, startRevision }, { signal }),
    ({ resource }) => resource.value?.name,
    options,
  );
}

interface WatchEvent {
  type: WatchEventType;
  revision: string;
}

const firstDelayMs = 50;
const maxDelayMs = 5_000;
const defaultSilenceMs = 75_000;

async function* resumed<E extends WatchEvent>(
  open: (startRevision: string, signal: AbortSignal) => AsyncIterable<E>,
  nameOf: (event: E) => string | undefined,
  { signal, silenceMs = defaultSilenceMs, giveUpAfterMs = Infinity, pace = systemPace }: WatchOptions,
): AsyncGenerator<E, void, undefined> {
  const backoff = new Backoff({ firstMs: firstDelayMs, maxMs: maxDelayMs, random: () => pace.random() });
  const never = new AbortController().signal;
  /** What is there, as it was last told. */
  const known = new Map<string, E>();
  /** While all is told anew: what was there before and was not told yet. */
  let missing: Set<string> | undefined;
  let revision = "";
  let heardMs = pace.nowMs();
  for (;;) {
    const attempt = attemptOf(signal, silenceMs);
    try {
      for await (const event of open(revision, attempt.signal)) {
        attempt.rest();
        heardMs = pace.nowMs();
        backoff.reset();
        const name = nameOf(event);
        if (name !== undefined) {
          missing?.delete(name);
          if (event.type === WatchEventType.DELETED) known.delete(name);
          else known.set(name, event);
        }
        if (event.type === WatchEventType.SYNCED) {
          for (const gone of missing ?? []) {
            const last = known.get(gone);
            known.delete(gone);
            if (last !== undefined) yield { ...last, type: WatchEventType.DELETED, revision: "" };
          }
          missing = undefined;
        }
        if (event.revision !== "") revision = event.revision;
        yield event;
        attempt.listen();
      }
    } catch (error) {
      if (signal?.aborted) throw error;
      const { code } = failureOf(error);
      if (code === "out_of_range" && revision !== "") {
        revision = "";
        missing = new Set(known.keys());
        continue;
      }
      const isMended = mended.has(code) || attempt.isSilent;
      if (!isMended || pace.nowMs() - heardMs >= giveUpAfterMs) throw error;
    } finally {
      attempt[Symbol.dispose]();
    }
    // What was told before SYNCED has no revision: it is told again.
    if (revision === "") missing = new Set(known.keys());
    await pace.wait(backoff.nextMs(), signal ?? never);
  }
}

/** Ended by a daemon that ends, by one that is not there, and by one for which we were too slow. */
const mended: ReadonlySet<string> = new Set(["unavailable", "resource_exhausted"]);

interface Attempt extends Disposable {
  readonly signal: AbortSignal;
  readonly isSilent: boolean;
  /** Whoever reads is busy: silence does not count before `listen`. */
  rest(): void;
  listen(): void;
}

/** Ends with `given`, and when nothing was heard for `silenceMs`. */
function attemptOf(given: AbortSignal | undefined, silenceMs: number): Attempt {
  const controller = new AbortController();
  let isSilent = false;
  const onSilence = (): void => {
    isSilent = true;
    controller.abort(new Error(`nothing was heard for ${silenceMs} ms`));
  };
  const onGiven = (): void => controller.abort(given?.reason);
  let timer = setTimeout(onSilence, silenceMs);
  if (given?.aborted) onGiven();
  else given?.addEventListener("abort", onGiven, { once: true });
  return {
    signal: controller.signal,
    get isSilent() {
      return isSilent;
    },
    rest: () => clearTimeout(timer),
    listen() {
      timer = setTimeout(onSilence, silenceMs);
    },
    [Symbol.dispose]() {
      clearTimeout(timer);
      given?.removeEventListener("abort", onGiven);
    },
  };
}
