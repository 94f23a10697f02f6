import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { hostCheck, hostOf } from "../../src/api/host.js";
import { projectRoot } from "../support/project-root.js";

test("the host of an authority is read without port and brackets", () => {
  const cases: readonly [string, string | undefined][] = [
    ["localhost", "localhost"],
    ["LocalHost:80", "localhost"],
    ["127.0.0.1:65535", "127.0.0.1"],
    ["[::1]:80", "::1"],
    ["[::FFFF:1.2.3.4]", "::ffff:1.2.3.4"],
    ["a.example.com", "a.example.com"],
    ["", undefined],
    ["localhost:", undefined],
    ["localhost:65536", undefined],
    ["::1", undefined],
    ["[localhost]", undefined],
    ["[::1", undefined],
    ["1.2.3", undefined],
    ["127.1", undefined],
    ["user@localhost", undefined],
    ["localhost/x", undefined],
    ["localhost evil.com", undefined],
    ["a.0", undefined],
    ["a.0x1f", undefined],
    ["0x7f.1", undefined],
    ["0.a", "0.a"],
    ["löcalhost", undefined],
  ];
  for (const [authority, host] of cases) assert.equal(hostOf(authority), host, authority);
});

test("an authority with a host makes a URL, and whatever else is refused", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."aA0.:[]-_/@%é \\#?") }), (authority) => {
      if (hostOf(authority) === undefined) return;
      assert.ok(new URL(`http://${authority}/`).hostname);
    }),
  );
});

test("a listener has its loopback names, its bound host, its local address and its configured names", () => {
  const isOurs = hostCheck({ names: ["Relay.Example.com"], boundHost: "10.1.2.3" });
  for (const host of ["localhost", "127.0.0.1", "127.9.9.9", "::1", "relay.example.com", "10.1.2.3"]) {
    assert.ok(isOurs(host, undefined), host);
  }
  assert.ok(isOurs("192.0.2.7", "::ffff:192.0.2.7"));
  assert.ok(isOurs("2001:db8::1", "2001:DB8::1"));
  for (const host of ["192.0.2.7", "evil.com", "localhost.evil.com", "0.0.0.0"])
    assert.ok(!isOurs(host, undefined), host);
});

test("a name and an address that the certificate is for are the listener's", () => {
  const checkOf = (name: string): ((host: string) => boolean) => {
    const certificate = new X509Certificate(
      readFileSync(join(projectRoot, `test/support/certs/${name}.pem`)),
    );
    const isOurs = hostCheck({ names: [], boundHost: "0.0.0.0", certificate });
    return (host) => isOurs(host, "10.1.2.3");
  };
  const named = checkOf("server");
  assert.deepEqual(["api.example.test", "other.example.test", "203.0.113.5"].map(named), [
    true,
    false,
    false,
  ]);
  const addressed = checkOf("addressed");
  const hosts = ["203.0.113.5", "2001:db8:0::5", "203.0.113.6", "2001:db8::6", "api.example.test"];
  assert.deepEqual(hosts.map(addressed), [true, true, false, false, false]);
});
