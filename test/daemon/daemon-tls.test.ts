import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { failureOf } from "../../src/client/errors.js";
import { createPortwayClient } from "../../src/client/node-client.js";
import { projectRoot } from "../support/project-root.js";
import { startDaemon } from "./daemon-fixture.js";

const path = (name: string): string => join(projectRoot, "test/support/certs", `${name}.pem`);
const pem = (name: string): string => readFileSync(path(name), "utf8");

test("over TLS a client with the token is let in, and so is one with a certificate of the authority", async (t) => {
  const flags = {
    apiAddresses: ["0.0.0.0:0"],
    tlsCertificate: path("server"),
    tlsKey: path("server-key"),
    tlsClientCa: path("authority"),
  };
  const daemon = startDaemon(t, { flags });
  const [address] = (await daemon.ready)["apiAddresses"] as string[];
  const baseUrl = `https://127.0.0.1:${address!.split(":")[1]}`;
  const ca = pem("authority");
  const { tokenPath } = daemon.home;
  const targets = {
    token: { baseUrl, tokenPath, tls: { ca, serverName: "api.example.test" } },
    certificate: { baseUrl, tls: { ca, cert: pem("alice"), key: pem("alice-key") } },
    nothing: { baseUrl, tls: { ca } },
    stranger: { baseUrl, tls: { ca, cert: pem("mallory"), key: pem("mallory-key") } },
    unknownServer: { baseUrl, tokenPath },
    otherName: { baseUrl, tokenPath, tls: { ca, serverName: "other.example.test" } },
  };
  const outcomes: Record<string, string> = {};
  for (const [name, target] of Object.entries(targets)) {
    using client = createPortwayClient(target, { maxAttempts: 1 });
    outcomes[name] = await client.system.getServerInfo({}).then(
      ({ pid, warnings }) => `${pid === daemon.pid} ${warnings.length}`,
      (error: unknown) => failureOf(error).code,
    );
  }
  assert.deepEqual(outcomes, {
    token: "true 1",
    certificate: "true 1",
    nothing: "unauthenticated",
    stranger: "unauthenticated",
    unknownServer: "unauthenticated",
    otherName: "unauthenticated",
  });
});
