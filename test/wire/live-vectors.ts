import { readFileSync } from "node:fs";
import { join } from "node:path";
import { projectRoot } from "../support/project-root.js";

interface LiveAddress {
  readonly type: number;
  readonly value: string;
}

/** What passed on a link between two nodes of Ockam 0.150: a version byte, or the CBOR of a frame. */
export interface LiveFrame {
  readonly from: "dialer" | "listener";
  readonly version?: string;
  readonly bodyHex?: string;
  readonly decoded?: {
    readonly onwardRoute: readonly LiveAddress[];
    readonly returnRoute: readonly LiveAddress[];
    readonly payloadHex: string;
    readonly tracing: string;
  };
}

export interface LiveSession {
  readonly name: string;
  readonly frames: readonly LiveFrame[];
}

const path = join(projectRoot, "test/wire/vectors/ockam-0.150-live.json");

export const liveSessions: readonly LiveSession[] = JSON.parse(readFileSync(path, "utf8")).sessions;
