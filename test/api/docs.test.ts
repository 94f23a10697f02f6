import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import http2 from "node:http2";
import https from "node:https";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { packagedDocs } from "../../src/api/docs.js";
import { apiFixture } from "../support/api-fixture.js";
import { projectRoot } from "../support/project-root.js";
import { type RawAnswer, RawSocket, rawRequest, reasonsIn } from "../support/raw-http.js";

const docsDirectory = join(projectRoot, "docs");
const page = readFileSync(join(docsDirectory, "api.html"), "utf8");
const certs = join(projectRoot, "test/support/certs");
const tlsFiles = { keyPath: join(certs, "server-key.pem"), certPath: join(certs, "server.pem") };
const ca = readFileSync(join(certs, "authority.pem"));
const path = "/docs/";

interface Fetch {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function overHttp2(origin: string, { method = "GET", headers = {} }: Fetch = {}): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const session = http2.connect(origin, { ca });
    session.on("error", reject);
    const stream = session.request({ ":method": method, ":path": path, ...headers });
    const chunks: Buffer[] = [];
    let answered: http2.IncomingHttpHeaders = {};
    stream.on("response", (received) => {
      answered = received;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      session.close();
      const { ":status": status, ...rest } = answered;
      resolve({ status: Number(status), headers: rest, body: Buffer.concat(chunks).toString() });
    });
    stream.end();
  });
}

function overHttps(at: string, { method = "GET", headers = {} }: Fetch = {}): Promise<RawAnswer> {
  const [host, port] = at.split(":");
  return new Promise((resolve, reject) => {
    const options = { host, port, path, method, headers, ca, servername: "localhost", agent: false };
    const request = https.request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const body = Buffer.concat(chunks).toString();
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
    });
    request.on("error", reject);
    request.end();
  });
}

test("the page is served without a token on every address in every version of HTTP", async (t) => {
  const { server, directory } = await apiFixture(t, { docsDirectory });
  const plain = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const secure = await server.listenTcp({ host: "127.0.0.1", port: 0, tls: tlsFiles });
  const socket = join(directory, "api.sock");
  await server.listenUnix(socket);
  const ways: Readonly<Record<string, (fetch: Fetch) => Promise<RawAnswer>>> = {
    "HTTP/1.1": (fetch) => rawRequest({ at: plain, path, method: "GET", ...fetch }),
    "HTTP/2": (fetch) => overHttp2(`http://${plain}`, fetch),
    "HTTP/1.1 over TLS": (fetch) => overHttps(secure, fetch),
    "HTTP/2 over TLS": (fetch) => overHttp2(`https://${secure}`, fetch),
    "a Unix socket": (fetch) =>
      rawRequest({
        at: socket,
        path,
        method: "GET",
        ...fetch,
        headers: { host: "localhost", ...fetch.headers },
      }),
  };
  for (const [way, ask] of Object.entries(ways)) {
    const got = await ask({});
    assert.equal(got.status, 200, way);
    assert.ok(got.body === page, `the page over ${way} is not the one of the file`);
    assert.equal(got.headers["content-type"], "text/html; charset=utf-8", way);
    assert.equal(got.headers["content-length"], String(Buffer.byteLength(page)), way);
    assert.equal(got.headers["x-content-type-options"], "nosniff", way);
    assert.equal(got.headers["cache-control"], "no-cache", way);
    assert.equal(got.headers["cross-origin-resource-policy"], "same-origin", way);
    const { etag = "" } = got.headers;
    assert.match(etag, /^"[\w-]{43}"$/, way);

    const head = await ask({ method: "HEAD" });
    assert.deepEqual([head.status, head.body], [200, ""], way);
    assert.equal(head.headers["content-length"], String(Buffer.byteLength(page)), way);
    assert.equal(head.headers.etag, etag, way);

    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const again = await ask({ headers: { "if-none-match": known } });
      assert.deepEqual([again.status, again.body, again.headers.etag], [304, "", etag], `${way}: ${known}`);
    }
    assert.equal((await ask({ headers: { "if-none-match": '"other"' } })).status, 200, way);
  }
});

test("the page may show its own style, and do or embed nothing else", async (t) => {
  const { server } = await apiFixture(t, { docsDirectory });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const { headers } = await rawRequest({ at, path, method: "GET" });
  const style = page.slice(page.indexOf("<style>") + "<style>".length, page.indexOf("</style>"));
  assert.ok(style.includes("prefers-color-scheme"));
  const digest = createHash("sha256").update(style).digest("base64");
  assert.equal(
    headers["content-security-policy"],
    `default-src 'none'; style-src 'sha256-${digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  );
});

test("beside the page nothing is served without a token", async (t) => {
  const { server, token } = await apiFixture(t, { docsDirectory });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  for (const known of ["/docs", "/docs/", "/docs/api.html", "/docs/?a=b"]) {
    assert.equal((await rawRequest({ at, path: known, method: "GET" })).status, 200, known);
  }
  const others = [
    { path: "/" },
    { path: "/docs/other.html" },
    { path: "/docs//api.html" },
    { path: "/docs/../package.json" },
    { path: "/docs/%2e%2e/package.json" },
    { path: "/docs/..%2fpackage.json" },
    { path: "/docs/constructor" },
    { path: "/DOCS/" },
    { path: "//docs/" },
    { path: `http://${at}/docs/` },
    { path: "/docs/", method: "POST" },
    { path: "/docs/", method: "PUT" },
    { path: "/docs/", method: "OPTIONS" },
    { path: "/docs/", headers: { "content-length": "6" }, body: "a body" },
    { path: "/docs/", headers: { "transfer-encoding": "chunked" }, body: "a body" },
  ];
  for (const other of others) {
    const { status, body } = await rawRequest({ at, method: "GET", ...other });
    assert.deepEqual([status, reasonsIn(body)], [401, ["UNAUTHENTICATED"]], JSON.stringify(other));
  }
  const authorization = `Bearer ${token}`;
  const unknown = await rawRequest({
    at,
    path: "/docs/other.html",
    method: "GET",
    headers: { authorization },
  });
  assert.deepEqual([unknown.status, reasonsIn(unknown.body)], [404, ["UNKNOWN_METHOD"]]);
});

test("reading the page makes nobody's next call on the connection one that was let in", async (t) => {
  const { server } = await apiFixture(t, { docsDirectory });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const socket = new RawSocket(at);
  socket.socket.write(`HEAD ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`);
  await socket.until("HTTP/1.1 200");
  socket.socket.write(
    "POST /portway.v1.NodeService/ListNodes HTTP/1.1\r\nhost: localhost\r\n" +
      "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
  );
  await socket.until("HTTP/1.1 401");
  socket.socket.destroy();
});

test("a request for another host, or from a page of another origin, gets no page", async (t) => {
  const { server } = await apiFixture(t, { docsDirectory });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const ask = async (headers: Readonly<Record<string, string>>) => {
    const { status, body } = await rawRequest({ at, path, method: "GET", headers });
    return [status, ...reasonsIn(body)];
  };
  assert.deepEqual(await ask({ host: "evil.example.com" }), [403, "HOST_NOT_ALLOWED"]);
  assert.deepEqual(await ask({ origin: "https://evil.example.com" }), [403, "ORIGIN_NOT_ALLOWED"]);
});

test("readers that take nothing hold a bounded number of answers, and are refused beyond", async (t) => {
  const { server } = await apiFixture(t, { docsDirectory });
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const session = http2.connect(`http://${at}`, { settings: { initialWindowSize: 0 } });
  session.on("error", () => {});
  const answered = (stream: http2.ClientHttp2Stream): Promise<number> =>
    new Promise((resolve) => stream.once("response", ({ ":status": status }) => resolve(Number(status))));
  const streams: http2.ClientHttp2Stream[] = [];
  const ask = (): Promise<number> => {
    const stream = session.request({ ":method": "GET", ":path": path });
    stream.on("error", () => {});
    stream.end();
    streams.push(stream);
    return answered(stream);
  };
  const statuses = await Promise.all(Array.from({ length: 33 }, ask));
  assert.deepEqual(statuses, [...Array.from({ length: 32 }, () => 200), 429]);

  const ended = new Promise((resolve) => session.once("close", resolve));
  session.destroy();
  await ended;
  for (;;) {
    const { status } = await rawRequest({ at, path, method: "HEAD" });
    if (status === 200) break;
    assert.equal(status, 429);
  }
});

test("an installation without the page says so, and to its log where it looked", async (t) => {
  const { server, directory, lines } = await apiFixture(t, { docsDirectory: "/nowhere" });
  assert.notEqual(directory, "/nowhere");
  const at = await server.listenTcp({ host: "127.0.0.1", port: 0 });
  const { status, body } = await rawRequest({ at, path, method: "GET" });
  assert.deepEqual([status, reasonsIn(body)], [500, ["INTERNAL"]]);
  assert.ok(!body.includes("nowhere"));
  const [line] = lines.filter(({ event }) => event === "docs.unreadable");
  assert.equal(line?.facts["path"], "/nowhere/api.html");
});

test("the package ships the page where the daemon looks for it", () => {
  const read = (file: string) => JSON.parse(readFileSync(join(projectRoot, file), "utf8"));
  assert.ok(read("package.json").files.includes("docs"));
  // The tests may have been compiled to anywhere; the package has what the compiler writes by itself.
  const compiled = dirname(fileURLToPath(import.meta.resolve("../../src/api/docs.js")));
  const packaged = join(projectRoot, read("tsconfig.json").compilerOptions.outDir, "src/api");
  assert.equal(join(packaged, relative(compiled, packagedDocs)), docsDirectory);
});
