import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatSocketAddress,
  fullSocketAddress,
  isHostName,
  isLoopback,
  parsePeerAddress,
  parseSocketAddress,
} from "../../src/model/socket-address.js";

test("each form of a socket address is read and shown in full", () => {
  for (const [text, host, port, shown = text] of [
    ["80", "127.0.0.1", 80, "127.0.0.1:80"],
    [":80", "127.0.0.1", 80, "127.0.0.1:80"],
    ["0", "127.0.0.1", 0, "127.0.0.1:0"],
    ["127.0.0.1:4000", "127.0.0.1", 4000],
    ["0.0.0.0:65535", "0.0.0.0", 65535],
    ["[::1]:80", "::1", 80],
    ["[2001:db8::1]:0", "2001:db8::1", 0],
    ["[::ffff:10.0.0.1]:80", "::ffff:10.0.0.1", 80],
    ["localhost:6000", "localhost", 6000],
    ["example.com:443", "example.com", 443],
    ["a_b-c.x:1", "a_b-c.x", 1],
    ["xn--bcher-kva.example:80", "xn--bcher-kva.example", 80],
    [`${"a".repeat(63)}:1`, "a".repeat(63), 1],
    [`${"a.".repeat(126)}a:1`, `${"a.".repeat(126)}a`, 1],
  ] as const) {
    assert.deepEqual(parseSocketAddress(text), { host, port }, text);
    assert.equal(formatSocketAddress({ host, port }), shown);
    assert.deepEqual(parseSocketAddress(shown), { host, port });
    assert.equal(fullSocketAddress(text), shown);
  }
});

test("what is no socket address is refused with what was expected", () => {
  const port = "host:port with a port from 0 to 65535";
  const ip6 = "an IPv6 address between [ and ]";
  const host = "an IP address or a host name before the port";
  for (const [text, expected] of [
    ["", port],
    [":", port],
    ["localhost", port],
    ["localhost:", port],
    ["localhost:http", port],
    ["localhost:65536", port],
    ["65536", port],
    ["123456", port],
    ["localhost:-1", port],
    ["localhost:+1", port],
    ["localhost: 80", port],
    ["localhost:80 ", port],
    ["localhost:80\n", port],
    ["::1:80", port],
    ["::1", port],
    ["[::1]", port],
    ["[::1]80", port],
    ["[::1", port],
    ["http://localhost:80", port],
    ["[]:80", ip6],
    ["[127.0.0.1]:80", ip6],
    ["[localhost]:80", ip6],
    ["[:::]:80", ip6],
    ["256.0.0.1:80", host],
    ["1.2.3:80", host],
    ["123:80", host],
    ["-a:80", host],
    ["a-:80", host],
    [".a:80", host],
    ["a.:80", host],
    ["a..b:80", host],
    ["a b:80", host],
    [" a:80", host],
    ["é:80", host],
    ["a/b:80", host],
    [`${"a".repeat(64)}:80`, host],
    [`${"a.".repeat(127)}a:80`, host],
  ] as const) {
    assert.throws(() => parseSocketAddress(text), {
      name: "PortwayError",
      code: "bad_socket_address",
      message: `"${text}" is not a socket address: expected ${expected}`,
      facts: { given: text },
    });
  }
});

test("an address to connect to has a port", () => {
  assert.deepEqual(parsePeerAddress("[::1]:1"), { host: "::1", port: 1 });
  for (const text of ["0", "a:0", "[::1]:00000", "foo", "a:65536"]) {
    assert.throws(() => parsePeerAddress(text), {
      code: "bad_socket_address",
      message: `"${text}" is not a socket address: expected host:port with a port from 1 to 65535`,
    });
  }
});

test("a host name has 1 to 253 characters in labels of 1 to 63", () => {
  for (const text of ["a", "A", "0", "a-b", "a.-b", "_", "a".repeat(63), `${"a.".repeat(126)}a`]) {
    assert.equal(isHostName(text), true, text);
  }
  for (const text of [
    "",
    "-",
    ".",
    "a.",
    "-a",
    "a..b",
    "a".repeat(64),
    `${"a.".repeat(127)}a`,
    "a:b",
    "a\n",
    "ä",
  ]) {
    assert.equal(isHostName(text), false, text);
  }
});

test("only what reaches this machine alone is loopback", () => {
  for (const host of [
    "127.0.0.1",
    "127.255.0.9",
    "::1",
    "::ffff:127.0.0.1",
    "::FFFF:127.0.0.1",
    "localhost",
    "LocalHost",
  ]) {
    assert.equal(isLoopback(host), true, host);
  }
  for (const host of [
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "128.0.0.1",
    "::ffff:10.0.0.1",
    "127.example",
    "127.0.0.1.example",
    "localhost.example",
    "",
  ]) {
    assert.equal(isLoopback(host), false, host);
  }
});
