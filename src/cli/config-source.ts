import { isUtf8 } from "node:buffer";
import { statSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { messageOf, PortwayError } from "../base/errors.js";

/** Where a configuration is, as the argument of `node create` says it. */
export interface ConfigSource {
  readonly kind: "file" | "url" | "inline";
  readonly text: string;
}

export interface ReadConfig {
  readonly text: string;
  /** What errors call it. */
  readonly source: string;
}

const maxBytes = 1024 * 1024;
const fetchMs = 30_000;
const maxRedirects = 5;

/** Undefined for an argument that is no configuration, but a name: no URL, nothing in braces, no file and no pipe. */
export function sourceOf(argument: string): ConfigSource | undefined {
  if (/^https?:\/\//i.test(argument)) return { kind: "url", text: argument };
  if (/^\s*\{|\n/.test(argument)) return { kind: "inline", text: argument };
  if (isFile(argument)) return { kind: "file", text: argument };
  if (/[/\\]|\.(ya?ml|json)$/i.test(argument)) {
    throw new PortwayError("bad_name", `"${argument}" is neither the name of a node nor a file that exists`, {
      given: argument,
    });
  }
  return undefined;
}

/** A pipe is one as well: `<(…)` of a shell, /dev/stdin. */
function isFile(path: string): boolean {
  try {
    const stat = statSync(path);
    return stat.isFile() || stat.isFIFO();
  } catch {
    // There is none, or it is no path at all: too long, below a file.
    return false;
  }
}

/** Reads at most 1 MiB. */
export async function readConfiguration(
  { kind, text }: ConfigSource,
  fetcher: typeof fetch = fetch,
): Promise<ReadConfig> {
  switch (kind) {
    case "inline":
      return { text, source: "configuration" };
    case "file":
      return { text: await readFile(text), source: text };
    case "url":
      return { text: await download(text, fetcher), source: text };
  }
}

async function readFile(path: string): Promise<string> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "r");
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of file.createReadStream({ end: maxBytes }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      chunks.push(chunk);
    }
    if (bytes > maxBytes) throw tooLarge(path);
    return textOf(Buffer.concat(chunks), path);
  } catch (error) {
    if (error instanceof PortwayError) throw error;
    throw new PortwayError(
      "bad_argument",
      `${path} can't be read: ${messageOf(error)}`,
      { path },
      { cause: error },
    );
  } finally {
    await file?.close();
  }
}

async function download(address: string, fetcher: typeof fetch): Promise<string> {
  if (!URL.canParse(address)) {
    throw new PortwayError("bad_argument", `"${address}" is no URL: expected https://HOST/PATH`, { address });
  }
  const signal = AbortSignal.timeout(fetchMs);
  let url = new URL(address);
  try {
    for (let redirects = 0; redirects <= maxRedirects; redirects += 1) {
      if (url.protocol !== "https:") {
        throw new PortwayError("bad_argument", `${url.href}: a configuration is read over https only`, {
          url: url.href,
        });
      }
      const response = await fetcher(url, { redirect: "manual", signal });
      const location = response.headers.get("location");
      if (response.status >= 300 && response.status < 400 && location !== null) {
        await response.body?.cancel();
        url = new URL(location, url);
        continue;
      }
      if (!response.ok) {
        // What is left unread would keep the process alive for as long as it comes.
        await response.body?.cancel();
        throw new PortwayError("bad_argument", `${url.href} answered ${response.status}`);
      }
      return await bodyOf(response, url.href);
    }
  } catch (error) {
    if (error instanceof PortwayError) throw error;
    const reason = signal.aborted ? `no answer within ${fetchMs / 1000} s` : messageOf(causeOf(error));
    throw new PortwayError(
      "not_connected",
      `${url.href} can't be read: ${reason}`,
      { url: url.href },
      { cause: error },
    );
  }
  throw new PortwayError("bad_argument", `${address} redirects more than ${maxRedirects} times`);
}

async function bodyOf(response: Response, url: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const reader = response.body?.getReader();
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done || value === undefined) return textOf(Buffer.concat(chunks), url);
    bytes += value.length;
    if (bytes > maxBytes) {
      await reader?.cancel();
      throw tooLarge(url);
    }
    chunks.push(value);
  }
}

function textOf(bytes: Buffer, source: string): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  const lines = bytes.toString("latin1").split("\n");
  const at = lines.findIndex((line) => !isUtf8(Buffer.from(line, "latin1")));
  throw new PortwayError("bad_argument", `${source}:${at + 1}: not UTF-8; expected YAML or JSON in it`, {
    source,
  });
}

/** `fetch failed` says nothing; its cause does. */
function causeOf(error: unknown): unknown {
  return error instanceof Error && error.cause !== undefined ? error.cause : error;
}

function tooLarge(source: string): PortwayError {
  return new PortwayError(
    "bad_argument",
    `${source} is larger than ${maxBytes} bytes: that is no configuration`,
  );
}
