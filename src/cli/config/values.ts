import { PortwayError } from "../../base/errors.js";
import { maxAddressBytes } from "../../model/address.js";
import { MultiAddr } from "../../model/multiaddr.js";
import { parsePeerAddress, parseSocketAddress } from "../../model/socket-address.js";
import { parseDuration } from "../duration.js";
import { isRelayAddress, parseName, parseNodeId, parseWorkerAddress } from "../names.js";
import { refuseParts } from "../refusals.js";
import { quoted, Refusal } from "./problems.js";

/** How the text of one value is read. `read` throws a Refusal or a PortwayError whose message says what to expect. */
export interface ValueKind<T> {
  /** What belongs there, for people: "a name", "true or false". */
  readonly expected: string;
  /** Whether YAML's `true` and `false` may stand there without quotes. */
  readonly takesBoolean?: boolean;
  read(text: string): T;
}

function matching(expected: string, pattern: RegExp): ValueKind<string> {
  return {
    expected,
    read(text) {
      if (!pattern.test(text)) throw new Refusal(`found ${quoted(text)}`, expected);
      return text;
    },
  };
}

/** The name of a node, relay or inlet. */
export function nameOf(what: string): ValueKind<string> {
  return { expected: `the name of ${what}`, read: (text) => parseName(text, what) };
}

/** `name` or `/node/name`. */
export const nodeName: ValueKind<string> = { expected: "the name of a node", read: parseNodeId };

export const version = matching("1, the only version", /^1$/);

export const boolean: ValueKind<boolean> = {
  expected: "true or false",
  takesBoolean: true,
  read(text) {
    if (text !== "true" && text !== "false") throw new Refusal(`found ${quoted(text)}`, "true or false");
    return text === "true";
  },
};

export const port: ValueKind<number> = {
  expected: "a port from 0 to 65535",
  read(text) {
    if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
      throw new Refusal(`found ${quoted(text)}`, "a port from 0 to 65535");
    }
    return Number(text);
  },
};

/** Stays a text: clients and daemon read it again. */
export const socketAddress: ValueKind<string> = {
  expected: "host:port, :port or port",
  read(text) {
    parseSocketAddress(text);
    return text;
  },
};

/** The target of an outlet. Stays a text. */
export const targetAddress: ValueKind<string> = {
  expected: "the target's host:port, :port or port",
  read(text) {
    parsePeerAddress(text);
    return text;
  },
};

/** A worker address, `address` or `/service/address`; gives it without `/service/`. */
export const workerAddress: ValueKind<string> = {
  expected: "a worker address such as outlet or /service/outlet",
  read: parseWorkerAddress,
};

/** The name that a relay is registered under, without the `forward_to_` that the hosting node puts in front. */
export const relayAddress: ValueKind<string> = {
  expected: "the name to register",
  read(text) {
    if (!isRelayAddress(text)) {
      throw new Refusal(
        `found ${quoted(text)}`,
        `the name to register, at most ${maxAddressBytes} bytes without / and #`,
      );
    }
    return text;
  },
};

/** A duration as text (`500ms`, `5s`, `5`, `1m`), as milliseconds within the bounds given. */
export function duration(fromMs: number, toMs: number): ValueKind<number> {
  const expected = `a duration such as 500ms, 5s or 1m, from ${durationText(fromMs)} to ${durationText(toMs)}`;
  return {
    expected,
    read(text) {
      const ms = parseDuration(text);
      if (ms < fromMs || ms > toMs) throw new Refusal(`found ${quoted(text)}`, expected);
      return ms;
    },
  };
}

function durationText(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** The node that hosts a relay: a route, or a node's name alone, which means `/node/NAME`. Gives the route's text. */
export const relayHost: ValueKind<string> = {
  expected: "the node that hosts the relay, such as /dnsaddr/relay.example.com/tcp/4000 or /node/NAME",
  read(text) {
    if (isWord(text)) return `/node/${text}`;
    return route(text, relayHost.expected).toString();
  },
};

function isWord(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}$/.test(text) && text !== "self";
}

/** The route from an inlet to its outlet. Gives its text. */
export const outletRoute: ValueKind<string> = {
  expected: "the route to the outlet, such as /dnsaddr/relay.example.com/tcp/4000/service/outlet",
  read(text) {
    if (isWord(text)) {
      throw new Refusal(
        `${quoted(text)} alone means a service of a project, and there are none`,
        outletRoute.expected,
      );
    }
    const parsed = route(text, outletRoute.expected);
    const last = parsed.parts.at(-1)?.protocol;
    if (last !== "service" && last !== "worker") {
      throw new Refusal(
        `the route ${quoted(text)} does not end at an outlet`,
        "/service/ADDRESS as its last part",
      );
    }
    return parsed.toString();
  },
};

/** What a daemon would refuse is refused here, except names of nodes, which only a daemon knows. */
function route(text: string, expected: string): MultiAddr {
  if (text.split("/").includes("-")) {
    throw new Refusal(`"-" stands for a line of stdin, and a file has none`, "the route itself");
  }
  refuseParts(text);
  const parsed = MultiAddr.parse(text);
  if (parsed.parts.length === 0) throw new Refusal("found an empty text", expected);
  const peers = parsed.parts.filter(({ protocol }) => ["node", "ip4", "ip6", "dnsaddr"].includes(protocol));
  if (peers.length > 1) {
    const said = `${quoted(text)} names ${peers.length} nodes to connect to`;
    throw new PortwayError("bad_route", `${said}; expected one, and workers from there on`);
  }
  new MultiAddr(parsed.parts.filter(({ protocol }) => protocol !== "node")).steps();
  return parsed;
}
