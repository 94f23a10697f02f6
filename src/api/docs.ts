import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PortwayError } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { type Exchange, hasBody, pathOf } from "./exchange.js";

/** What is served where. `/docs` and `/docs/` are for people; there is one page so far. */
const fileAt: ReadonlyMap<string, string> = new Map([
  ["/docs", "api.html"],
  ["/docs/", "api.html"],
  ["/docs/api.html", "api.html"],
]);

/** Answers under way at a time: who may not call anything can make the daemon hold no more than these. */
const maxAnswers = 32;

/** Where the package has its pages: `docs` beside `dist`. */
export const packagedDocs: string = join(import.meta.dirname, "../../../docs");

interface Page {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The documentation that the daemon serves to browsers. A browser sends no token when it opens an address, and the text
 * is the same for everyone who has this version of Portway, so it needs none: the one thing that the API serves to
 * strangers. It is on every address, under the same checks of host and origin as calls. No file is found by what a
 * request says: the pages are those of a table.
 */
export class Docs {
  readonly #directory: string;
  readonly #log: Log;
  readonly #pages = new Map<string, Page>();
  #answers = 0;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Whether the request reads a page. Other methods on its path, and a body, are what they are anywhere else. */
  isFor(exchange: Exchange): boolean {
    const { method } = exchange;
    return (method === "GET" || method === "HEAD") && fileAt.has(pathOf(exchange)) && !hasBody(exchange);
  }

  /** Answers a request that `isFor` took. Throws `too_many`, and `internal` if the installation lacks the page. */
  serve(exchange: Exchange): void {
    const { method, headers } = exchange;
    const { response } = exchange.open();
    const page = this.#page(fileAt.get(pathOf(exchange)) ?? "");
    if (this.#answers >= maxAnswers) {
      throw new PortwayError("too_many", `${maxAnswers} answers with documentation are under way: try again`);
    }
    this.#answers += 1;
    exchange.onClose(() => {
      this.#answers -= 1;
    });
    for (const [name, value] of Object.entries(page.headers)) response.setHeader(name, value);
    if (isKnown(headers["if-none-match"], page.headers["etag"])) {
      response.statusCode = 304;
      response.end();
      return;
    }
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.setHeader("content-length", String(page.body.byteLength));
    if (method === "HEAD") response.end();
    else response.end(page.body);
  }

  /** Read when it is asked for the first time; from then on it is that of the version that runs. */
  #page(file: string): Page {
    const known = this.#pages.get(file);
    if (known !== undefined) return known;
    const path = join(this.#directory, file);
    let body: Buffer;
    try {
      body = readFileSync(path);
    } catch (error) {
      this.#log.error("docs.unreadable", { path, error });
      throw new PortwayError("internal", "this installation lacks the page; the daemon's log tells more");
    }
    const page = { body, headers: headersFor(body) };
    this.#pages.set(file, page);
    return page;
  }
}

/** The page may show its own style and nothing else: it runs, loads, sends and embeds nothing, and nothing embeds it. */
function headersFor(body: Buffer): Readonly<Record<string, string>> {
  const [, style] = /<style>(.*?)<\/style>/s.exec(body.toString()) ?? [];
  const styles = style === undefined ? "'none'" : `'sha256-${hash(style).toString("base64")}'`;
  return {
    etag: `"${hash(body).toString("base64url")}"`,
    "cache-control": "no-cache",
    "content-security-policy":
      `default-src 'none'; style-src ${styles}; base-uri 'none'; form-action 'none'; ` +
      "frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
}

function hash(bytes: string | Buffer): Buffer {
  return createHash("sha256").update(bytes).digest();
}

/** Whether `If-None-Match` names the entity tag; for this comparison a weak tag is as good as a strong one. */
function isKnown(header: string | undefined, etag: string | undefined): boolean {
  if (header === undefined || etag === undefined) return false;
  if (header.trim() === "*") return true;
  return header.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);
}
