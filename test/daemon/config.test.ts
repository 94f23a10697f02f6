import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Config, type Environment, readConfig, type ServeFlags } from "../../src/daemon/config.js";
import { ExitError } from "../../src/daemon/exit-error.js";
import { projectRoot } from "../support/project-root.js";
import { temporaryDirectory } from "./daemon-fixture.js";

type Flags = Partial<ServeFlags>;

function read(flags: Flags, variables: Environment = {}): Config {
  return readConfig({ home: "/home/me/.portway", ...flags }, variables);
}

function refused(flags: Flags, variables: Environment, exitCode: number, text: RegExp): void {
  assert.throws(
    () => read(flags, variables),
    (error) => {
      assert.ok(error instanceof ExitError, String(error));
      assert.match(error.message, text);
      assert.equal(error.exitCode, exitCode, error.message);
      return true;
    },
  );
}

test("without flags and variables a daemon has no TCP address", () => {
  const { home, ...rest } = read({});
  assert.equal(home.path, "/home/me/.portway");
  assert.deepEqual(rest, {
    apiAddresses: [],
    logLevel: "info",
    autostarted: false,
    idleTimeoutMs: 5_000,
    drainTimeoutMs: 8_500,
  });
});

test("a flag stands above its variable, and a variable that is empty counts as not set", () => {
  const variables = {
    PORTWAY_API_ADDRESS: "127.0.0.1:1, [::1]:2",
    PORTWAY_LOG_LEVEL: "debug",
    PORTWAY_IDLE_EXIT_MS: "250",
    PORTWAY_DRAIN_MS: "100",
  };
  const fromVariables = read({}, variables);
  assert.deepEqual(
    fromVariables.apiAddresses.map(({ host, port }) => [host, port]),
    [
      ["127.0.0.1", 1],
      ["::1", 2],
    ],
  );
  assert.equal(fromVariables.logLevel, "debug");
  assert.equal(fromVariables.idleTimeoutMs, 250);
  assert.equal(fromVariables.drainTimeoutMs, 100);
  const flags = { apiAddresses: ["localhost:3"], logLevel: "error", idleTimeoutMs: 7 };
  const fromFlags = read(flags, variables);
  assert.deepEqual(
    fromFlags.apiAddresses.map(({ text }) => text),
    ["localhost:3"],
  );
  assert.equal(fromFlags.logLevel, "error");
  assert.equal(fromFlags.idleTimeoutMs, 7);
  const empty = Object.fromEntries(Object.keys(variables).map((name) => [name, ""]));
  assert.deepEqual(read({}, empty), read({}));
});

test("what is no address is refused with the flag or the variable that gave it", () => {
  for (const text of [
    "7700",
    ":7700",
    "example.com:1",
    "127.0.0.1",
    "127.0.0.1:65536",
    "[::1]",
    "::1:1",
    "300.0.0.1:1",
    "",
  ]) {
    refused({ apiAddresses: [text] }, {}, 64, /^--api-address: ".*" is not an address: expected ip:port/);
  }
  refused({}, { PORTWAY_API_ADDRESS: "127.0.0.1:1,x" }, 78, /^PORTWAY_API_ADDRESS: "x" is not an address/);
});

test("an address that others can reach is refused without TLS", () => {
  for (const text of ["0.0.0.0:1", "192.0.2.1:1", "[::]:1", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:1"]) {
    refused(
      { apiAddresses: ["127.0.0.1:1", text] },
      {},
      64,
      /^--api-address: .* can be reached from other machines/,
    );
    refused(
      {},
      { PORTWAY_API_ADDRESS: text },
      78,
      /^PORTWAY_API_ADDRESS: .* can be reached from other machines/,
    );
  }
  const loopback = [
    "127.0.0.1:1",
    "127.9.9.9:1",
    "localhost:1",
    "[::1]:1",
    "[0:0:0:0:0:0:0:1]:1",
    "[::ffff:127.0.0.1]:1",
  ];
  assert.equal(read({ apiAddresses: loopback }).apiAddresses.length, loopback.length);
});

test("TLS is read from files that fit together, and anything else is refused with the flag that is wrong", (t) => {
  const certs = join(projectRoot, "test/support/certs");
  const [tlsCertificate, tlsKey] = [join(certs, "server.pem"), join(certs, "server-key.pem")];
  const tlsClientCa = join(certs, "authority.pem");
  const none = join(certs, "none.pem");
  const broken = join(temporaryDirectory(t), "broken.pem");
  writeFileSync(broken, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  const apiAddresses = ["0.0.0.0:1"];
  assert.deepEqual(read({ apiAddresses, tlsCertificate, tlsKey, tlsClientCa }).tls, {
    certPath: tlsCertificate,
    keyPath: tlsKey,
    clientCaPath: tlsClientCa,
  });
  const fromVariables = { PORTWAY_TLS_CERT: tlsCertificate, PORTWAY_TLS_KEY: tlsKey };
  assert.equal(read({ apiAddresses }, fromVariables).tls?.keyPath, tlsKey);

  refused({ apiAddresses, tlsCertificate }, {}, 64, /^--tls-cert is given without --tls-key/);
  refused({ apiAddresses, tlsKey }, {}, 64, /^--tls-key is given without --tls-cert/);
  refused({ apiAddresses, tlsClientCa }, {}, 64, /^--tls-client-ca is given without --tls-cert/);
  refused({ tlsCertificate, tlsKey }, {}, 64, /^--tls-cert is given, but no TCP address/);
  refused(
    { apiAddresses, tlsCertificate: none, tlsKey },
    {},
    64,
    /^--tls-cert: the file can't be read: ENOENT/,
  );
  refused(
    { apiAddresses, tlsCertificate: tlsKey, tlsKey },
    {},
    78,
    /^--tls-cert: .* is not a PEM file with a "CERT/,
  );
  refused({ apiAddresses, tlsCertificate: broken, tlsKey }, {}, 78, /^--tls-cert: .* holds no certificate/);
  refused(
    { apiAddresses, tlsCertificate, tlsKey: join(certs, "alice-key.pem") },
    {},
    78,
    /^--tls-key: the key in .* does not belong/,
  );
  refused(
    { apiAddresses, tlsCertificate, tlsKey, tlsClientCa: tlsKey },
    {},
    78,
    /^--tls-client-ca: .* is not a PEM file with a "CERTIFICATE"/,
  );
  refused(
    { apiAddresses, tlsKey },
    { PORTWAY_TLS_CERT: none },
    78,
    /^PORTWAY_TLS_CERT: the file can't be read/,
  );
});

test("a home with too long a path is refused with the number of bytes", () => {
  const home = `/${"h".repeat(90)}`;
  refused({ home }, {}, 78, /^PORTWAY_HOME: the path of the API socket would have 104 bytes, .* at most 103/);
  assert.equal(read({ home: home.slice(0, -1) }).home.path.length, 90);
});

test("log levels and times that are none are refused", () => {
  refused(
    { logLevel: "loud" },
    {},
    64,
    /^--log-level: "loud" is not a log level: expected debug, info, warn, error$/,
  );
  refused({}, { PORTWAY_LOG_LEVEL: "INFO" }, 78, /^PORTWAY_LOG_LEVEL: "INFO" is not a log level/);
  for (const text of ["0", "-1", "1.5", "5s", "2147483648", " 1"]) {
    refused(
      {},
      { PORTWAY_IDLE_EXIT_MS: text },
      78,
      /^PORTWAY_IDLE_EXIT_MS: ".*" is not a whole number from 1 to 2147483647$/,
    );
    refused({}, { PORTWAY_DRAIN_MS: text }, 78, /^PORTWAY_DRAIN_MS: /);
  }
});

test("a service manager is told only by a daemon that it started itself, and only its own watchdog counts", () => {
  const variables = { PATH: "/bin", NOTIFY_SOCKET: "/run/notify", WATCHDOG_USEC: "30000000" };
  const notify = { socketPath: "/run/notify", searchPath: "/bin", watchdogMs: 30_000 };
  assert.deepEqual(read({}, variables).notify, notify);
  assert.deepEqual(read({}, { ...variables, WATCHDOG_PID: String(process.pid) }).notify, notify);
  assert.equal(read({}, { ...variables, WATCHDOG_PID: "1" }).notify?.watchdogMs, undefined);
  assert.equal(read({ autostarted: true }, variables).notify, undefined);
  refused({}, { ...variables, WATCHDOG_USEC: "soon" }, 78, /^WATCHDOG_USEC: "soon"/);
});
