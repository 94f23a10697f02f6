import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { PortwayError } from "../../src/base/errors.js";
import { readConfiguration, sourceOf } from "../../src/cli/config-source.js";
import { hintFor } from "../../src/cli/hints.js";

let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "portway-source-"));
});
after(() => rmSync(directory, { recursive: true }));

describe("the argument of node create", () => {
  test("is a configuration if it is a URL, text in braces, text of several lines or a file", () => {
    const path = join(directory, "n1");
    writeFileSync(path, "name: n1");
    assert.equal(sourceOf("https://example.com/n1.yaml")?.kind, "url");
    assert.equal(sourceOf("{name: n1}")?.kind, "inline");
    assert.equal(sourceOf("name: n1\nversion: 1")?.kind, "inline");
    assert.equal(sourceOf(path)?.kind, "file");
  });

  test("is else a name, unless it looks like a path", () => {
    assert.equal(sourceOf("n1"), undefined);
    assert.equal(sourceOf("x".repeat(300)), undefined);
    for (const path of ["./n1", "n1.yaml", "n1.json", directory, join(import.meta.filename, "n1.yaml")]) {
      assert.throws(() => sourceOf(path), { code: "bad_name" });
    }
  });
});

describe("reading a configuration", () => {
  test("of a file stops at 1 MiB", async () => {
    const path = join(directory, "large.yaml");
    writeFileSync(path, "#".repeat(1024 * 1024));
    assert.equal((await readConfiguration({ kind: "file", text: path })).text.length, 1024 * 1024);
    writeFileSync(path, "#".repeat(1024 * 1024 + 1));
    await assert.rejects(readConfiguration({ kind: "file", text: path }), /larger than 1048576 bytes/);
  });

  test("of a pipe, as a shell makes one of a command, goes to its end", async () => {
    const path = join(directory, "pipe");
    execFileSync("mkfifo", [path]);
    const source = sourceOf(path);
    assert.deepEqual(source, { kind: "file", text: path });
    const text = `name: n1 #${"x".repeat(200_000)}`;
    const [read] = await Promise.all([readConfiguration(source!), writeFile(path, text)]);
    assert.equal(read.text, text);
  });

  test("that is not UTF-8 is refused, and says where", async () => {
    const path = join(directory, "latin.yaml");
    const latin = Buffer.from("name: n1\nrelays: {r: {at: n2, relay-address: caf\xe9}}\n", "latin1");
    writeFileSync(path, latin);
    await assert.rejects(readConfiguration({ kind: "file", text: path }), {
      code: "bad_argument",
      message: `${path}:2: not UTF-8; expected YAML or JSON in it`,
    });
    await assert.rejects(
      download("https://a/1", new Map([["https://a/1", new Response(latin)]])),
      /^PortwayError: https:\/\/a\/1:2: not UTF-8/,
    );
  });

  test("of a URL follows redirects, over https only", async () => {
    const answers = new Map([
      ["https://a/1", redirect("/2")],
      ["https://a/2", redirect("https://b/3")],
      ["https://b/3", new Response("name: n1")],
      ["https://a/down", redirect("http://a/3")],
    ]);
    assert.equal((await download("https://a/1", answers)).text, "name: n1");
    await assert.rejects(
      download("https://a/down", answers),
      /http:\/\/a\/3: a configuration is read over https only/,
    );
    await assert.rejects(download("http://a/1", answers), /over https only/);
  });

  test("of a URL that redirects for ever ends", async () => {
    const fetcher = async () => redirect("/again");
    await assert.rejects(
      readConfiguration({ kind: "url", text: "https://a/" }, fetcher as typeof fetch),
      /redirects more than 5 times/,
    );
  });

  test("of a URL that is none is refused", async () => {
    for (const text of ["https://", "https://[::1"]) {
      await assert.rejects(readConfiguration({ kind: "url", text }), {
        code: "bad_argument",
        message: `"${text}" is no URL: expected https://HOST/PATH`,
      });
    }
  });

  test("of a URL stops at 1 MiB, however much comes", async () => {
    let sent = 0;
    let canceled = false;
    const body = new ReadableStream({
      pull(controller) {
        sent += 64 * 1024;
        controller.enqueue(new Uint8Array(64 * 1024));
      },
      cancel() {
        canceled = true;
      },
    });
    await assert.rejects(
      download("https://a/1", new Map([["https://a/1", new Response(body)]])),
      /larger than/,
    );
    assert.ok(canceled);
    assert.ok(sent < 2 * 1024 * 1024);
  });

  test("of a URL says the status of an answer that is no configuration, and waits for no more of it", async () => {
    let canceled = false;
    const body = new ReadableStream({
      cancel() {
        canceled = true;
      },
    });
    const answers = new Map([["https://a/1", new Response(body, { status: 404 })]]);
    await assert.rejects(download("https://a/1", answers), /https:\/\/a\/1 answered 404/);
    assert.ok(canceled);
  });

  test("of a URL says why nothing came", async () => {
    const fetcher = async () => {
      throw new TypeError("fetch failed", { cause: new Error("getaddrinfo ENOTFOUND a") });
    };
    await assert.rejects(
      readConfiguration({ kind: "url", text: "https://a/1" }, fetcher as typeof fetch),
      ({ code, message }: PortwayError) => {
        assert.equal(message, "https://a/1 can't be read: getaddrinfo ENOTFOUND a");
        // A hint about nodes would mislead.
        assert.equal(hintFor(code.toUpperCase()), undefined);
        return true;
      },
    );
  });
});

function download(url: string, answers: ReadonlyMap<string, Response>) {
  const fetcher = async (at: URL | string) => answers.get(String(at)) ?? new Response("", { status: 500 });
  return readConfiguration({ kind: "url", text: url }, fetcher as typeof fetch);
}

function redirect(location: string): Response {
  return new Response(null, { status: 302, headers: { location } });
}
