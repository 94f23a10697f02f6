import { isUtf8 } from "node:buffer";
import { ownCopy, readUint16, readUint32, wordsOf } from "../base/bytes.js";
import { addressBytes, writeAddress } from "../model/address.js";
import { type Backing, Cargo, type Entrance, Message } from "../model/message.js";
import { maxRouteAddresses, Route } from "../model/route.js";
import { CborReader, malformed } from "./cbor.js";
import { lengthBytes, maxTraceBytes } from "./limits.js";
import type { ReadRoutes } from "./route-memory.js";

/**
 * The message in one frame's CBOR, which lies at `start` to `end` of `bytes`: `[onward, return, payload, trace?]`, as
 * PROTOCOL.md says, with its leniencies. Nothing is copied: the message refers to `bytes`, and its routes to those of
 * `known` if they are the same, which are then of messages from the same entrance. The entrance, if there is one, stands
 * in front of the return route. `words` shows all of `bytes`, for a caller who has such a view. Throws `malformed`.
 */
export function decodeMessage(
  bytes: Buffer,
  start: number,
  end: number,
  backing?: Backing,
  entrance?: Entrance,
  known?: ReadRoutes,
  words?: DataView,
): Message {
  const count = end > start ? bytes[start]! - 0x80 : 0;
  if (count >= 3 && count <= 23) {
    const at = start + 1;
    const view = words ?? (known === undefined ? nothing : wordsOf(bytes));
    let routesEnd = known === undefined ? 0 : known.endOf(view, at, end);
    let isKnown = routesEnd > 0;
    if (!isKnown && scanRoutes(bytes, at, end)) {
      routesEnd = routes.end;
      isKnown = known?.has(view, at, routesEnd) === true;
    }
    if (routesEnd > 0 && scanBytes(bytes, routesEnd, end)) {
      // The frame's own head, its length included, is used up once the message is sent on.
      const headRoomBytes = scanned.start - Math.max(0, start - lengthBytes);
      const { start: from, end: to } = scanned;
      const trace = scanTrace(bytes, to, end, count - 3);
      const cargo = new Cargo(bytes, from, to, headRoomBytes, trace, backing, entrance, undefined, words);
      if (isKnown) return new Message(cargo, known!.onward, known!.back);
      if (known?.isDue(view, at, routesEnd) !== true)
        return new Message(cargo, onwardIn(bytes, 0), backIn(bytes, 0, entrance));
      const own = ownCopy(bytes, at, routesEnd);
      known.keep(own, onwardIn(own, at), backIn(own, at, entrance));
      return new Message(cargo, known.onward, known.back);
    }
  }
  return decodeLeniently(new CborReader(bytes, start, end), backing, entrance);
}

/** The onward route of the last scan, in `bytes` that begin with those at `from` of what was scanned. */
function onwardIn(bytes: Buffer, from: number): Route {
  return Route.view(bytes, routes.onwardStart - from, routes.onwardEnd - from, routes.onwardCount);
}

function backIn(bytes: Buffer, from: number, entrance: Entrance | undefined): Route {
  const back = Route.view(bytes, routes.backStart - from, routes.end - from, routes.backCount);
  return backThrough(entrance, back);
}

/** An answer leaves where the message came in. */
function backThrough(entrance: Entrance | undefined, back: Route): Route {
  return entrance === undefined ? back : back.prepend(entrance.address);
}

const nothing = new DataView(new ArrayBuffer(0));

/** What the last scan found; in module variables so that a frame in its usual form costs no allocation. */
const scanned = { start: 0, end: 0, count: 0 };
const routes = { onwardStart: 0, onwardEnd: 0, onwardCount: 0, backStart: 0, backCount: 0, end: 0 };

/** True if two routes in the shortest form begin at `at`: `routes` is then where they lie. */
function scanRoutes(bytes: Buffer, at: number, end: number): boolean {
  if (!scanRoute(bytes, at, end)) return false;
  routes.onwardStart = scanned.start;
  routes.onwardEnd = scanned.end;
  routes.onwardCount = scanned.count;
  if (!scanRoute(bytes, scanned.end, end)) return false;
  routes.backStart = scanned.start;
  routes.backCount = scanned.count;
  routes.end = scanned.end;
  return true;
}

/** True if a route in the shortest form begins at `at`: `scanned` is then where its addresses lie, and how many. */
function scanRoute(bytes: Buffer, at: number, end: number): boolean {
  if (at >= end) return false;
  const count = bytes[at]! - 0x80;
  if (count < 0 || count > 23) return false;
  let next = at + 1;
  for (let left = count; left > 0; left -= 1) {
    // The type is one byte, and the address two elements: what else there may be is left to the lenient reader.
    if (next + 2 >= end || bytes[next] !== 0x82 || bytes[next + 1]! > 23) return false;
    if (!scanBytes(bytes, next + 2, end)) return false;
    next = scanned.end;
  }
  scanned.start = at + 1;
  scanned.end = next;
  scanned.count = count;
  return true;
}

/** True if a byte string in the shortest form begins at `at`: `scanned` is then where its bytes lie. */
function scanBytes(bytes: Buffer, at: number, end: number): boolean {
  if (at >= end) return false;
  const head = bytes[at]!;
  let start = at + 1;
  let length = 0;
  if (head >= 0x40 && head < 0x58) length = head - 0x40;
  else if (head === 0x58 && start < end) {
    length = bytes[start]!;
    if (length < 24) return false;
    start += 1;
  } else if (head === 0x59 && start + 1 < end) {
    length = readUint16(bytes, start);
    if (length < 0x100) return false;
    start += 2;
  } else if (head === 0x5a && start + 3 < end) {
    length = readUint32(bytes, start);
    if (length < 0x10000) return false;
    start += 4;
  } else return false;
  if (length > end - start) return false;
  scanned.start = start;
  scanned.end = start + length;
  return true;
}

/** `{}`: what a node writes that traces nothing, in every frame. */
const emptyTrace = Buffer.from("{}");

/** The trace of a message of which `left` elements lie at `at`. */
function scanTrace(bytes: Buffer, at: number, end: number, left: number): Buffer | undefined {
  if (left === 0) return undefined;
  if (left === 1 && end - at >= 3 && bytes[at] === 0x62 && bytes[at + 1] === 0x7b && bytes[at + 2] === 0x7d)
    return emptyTrace;
  return readTrace(new CborReader(bytes, at, end), left);
}

function decodeLeniently(reader: CborReader, backing?: Backing, entrance?: Entrance): Message {
  const count = reader.array("the message");
  if (count !== undefined && count < 3) throw malformed(`the message has ${count} elements, not 3 or more`);
  const onward = readRoute(reader, "the onward route");
  const back = backThrough(entrance, readRoute(reader, "the return route"));
  const payload = reader.byteString("the payload");
  const trace = readTrace(reader, count === undefined ? undefined : count - 3);
  return Message.of({ onward, return: back, payload, trace, backing, entrance });
}

/** The fourth element, if it is there, and a step over what follows; `left` is undefined until a break. */
function readTrace(reader: CborReader, left: number | undefined): Buffer | undefined {
  if (left === 0 || (left === undefined && reader.takeBreak())) return undefined;
  const trace: Buffer | undefined = reader.takeNull() ? undefined : reader.textString("the tracing context");
  skipRest(reader, left === undefined ? undefined : left - 1);
  if (trace === undefined || trace.byteLength > maxTraceBytes) return undefined;
  // A node that got it from us would close the connection.
  if (!isUtf8(trace)) throw malformed("the tracing context is not UTF-8");
  return trace;
}

/** What the last address read had; in a module variable so that many of them cost no allocation. */
const found = { type: 0, valueEnd: 0, valueBytes: 0 };

/**
 * What a node may write: its hops can add as many as it takes. A message with more is dropped for that, so that those
 * behind these, which may be millions, are only stepped over: whoever shows the route would be busy for many seconds.
 */
const mostReadAddresses = 2 * maxRouteAddresses;

/**
 * A route in any form. It is kept as a view if it happens to stand in the shortest one, and is else written anew, so
 * that it costs no more memory than it had on the wire.
 */
function readRoute(reader: CborReader, what: string): Route {
  const given = reader.array(what);
  const start = reader.at;
  const { count, byteLength, end } = measureAddresses(reader, given, what);
  if (byteLength === end - start) return Route.view(reader.bytes, start, end, count);
  const bytes = Buffer.allocUnsafeSlow(byteLength);
  const again = new CborReader(reader.bytes, start, reader.end);
  for (let left = count, at = 0; left > 0; left -= 1) {
    readAddress(again, what);
    const value = reader.bytes.subarray(found.valueEnd - found.valueBytes, found.valueEnd);
    at = writeAddress(bytes, at, found.type, value);
  }
  return Route.view(bytes, 0, byteLength, count);
}

/** Steps over the addresses of a route; gives the number of those to be read, their shortest form's size, their end. */
function measureAddresses(
  reader: CborReader,
  given: number | undefined,
  what: string,
): { readonly count: number; readonly byteLength: number; readonly end: number } {
  let passed = 0;
  let byteLength = 0;
  let end = reader.at;
  while (passed !== given && !(given === undefined && reader.takeBreak())) {
    readAddress(reader, what);
    passed += 1;
    if (passed > mostReadAddresses) continue;
    byteLength += addressBytes(found.type, found.valueBytes);
    end = reader.at;
  }
  return { count: Math.min(passed, mostReadAddresses), byteLength, end };
}

/** Reads one address into `found`. */
function readAddress(reader: CborReader, what: string): void {
  const count = reader.array(what);
  if (count !== undefined && count < 2) throw malformed(`an address of ${what} has ${count} elements`);
  found.type = reader.unsigned(what);
  if (found.type > 255) throw malformed(`a transport type of ${what} is ${found.type}`);
  found.valueBytes = reader.stepOverBytes(what);
  found.valueEnd = reader.at;
  skipRest(reader, count === undefined ? undefined : count - 2);
}

/** Steps over what an array has beyond what we know: `left` items, or all until its break if that is undefined. */
function skipRest(reader: CborReader, left: number | undefined): void {
  if (left === undefined) while (!reader.takeBreak()) reader.skip();
  else for (; left > 0; left -= 1) reader.skip();
}
