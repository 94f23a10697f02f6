import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { PortwayError } from "../../base/errors.js";

export interface PageRequest {
  /** 0 means 50. */
  readonly pageSize: number;
  /** Empty for the first page. */
  readonly pageToken: string;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** Empty at the end. */
  readonly nextPageToken: string;
}

/** Cuts lists into pages. */
export interface Pager {
  /**
   * One page of `items` in the order of their keys. `list` names the list (method, parent, filter and order): a token of
   * another list is refused. `keyOf` gives each item a key of its own; a page goes on behind the key where the one
   * before ended, so that no item is shown twice or left out because others came or went. Throws `bad_page_token`.
   */
  page<T>(list: string, items: readonly T[], keyOf: (item: T) => string, request: PageRequest): Page<T>;
}

const defaultPageSize = 50;
const macBytes = 16;
/** A longer key would make a token that the API does not take back. */
const maxKeyBytes = 320;

/**
 * Page tokens are opaque: a key and a code that only this process can make. They do not outlive it, and neither does
 * the state that they were made for.
 */
export function createPager(secret: Uint8Array = randomBytes(32)): Pager {
  const macOf = (list: string, position: string): Buffer =>
    createHmac("sha256", secret).update(list).update("\0").update(position).digest().subarray(0, macBytes);

  const encode = (list: string, position: string): string =>
    Buffer.concat([macOf(list, position), Buffer.from(position)]).toString("base64url");

  const decode = (list: string, token: string): string => {
    const bytes = Buffer.from(token, "base64url");
    const position = bytes.subarray(macBytes).toString();
    const isOurs =
      bytes.byteLength > macBytes &&
      bytes.toString("base64url") === token &&
      timingSafeEqual(bytes.subarray(0, macBytes), macOf(list, position));
    if (isOurs) return position;
    throw badToken("was altered, is of another list, filter or order, or of a daemon that has ended");
  };

  return {
    page(list, items, keyOf, request) {
      const size = request.pageSize === 0 ? defaultPageSize : request.pageSize;
      const keyed = items.map((item) => ({ item, key: keyOf(item) }));
      keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
      let start = 0;
      if (request.pageToken !== "") {
        const position = decode(list, request.pageToken);
        start = startBehind(
          position,
          keyed.map(({ key }) => key),
        );
      }
      const shown = keyed.slice(start, start + size);
      const last = shown.at(-1);
      const isEnd = last === undefined || start + size >= keyed.length;
      return {
        items: shown.map(({ item }) => item),
        nextPageToken: isEnd ? "" : encode(list, positionOf(last.key)),
      };
    },
  };
}

/** A key that is too long stands in the token as its digest. */
function positionOf(key: string): string {
  if (Buffer.byteLength(key) <= maxKeyBytes) return `k${key}`;
  return `h${createHash("sha256").update(key).digest("hex")}`;
}

/** The index of the first of `keys`, which are in order, that comes after `position`. */
function startBehind(position: string, keys: readonly string[]): number {
  if (position.startsWith("k")) {
    const after = position.slice(1);
    const at = keys.findIndex((key) => key > after);
    return at === -1 ? keys.length : at;
  }
  const at = keys.findIndex((key) => positionOf(key) === position);
  if (at === -1)
    throw badToken("points at an item that is gone or changed its place; list again from the start");
  return at + 1;
}

function badToken(what: string): PortwayError {
  return new PortwayError("bad_page_token", `the page token ${what}`);
}
