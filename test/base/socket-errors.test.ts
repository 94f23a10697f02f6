import assert from "node:assert/strict";
import { test } from "node:test";
import { bindError, connectReason } from "../../src/base/socket-errors.js";

function systemError(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`listen ${code}`), { code });
}

test("a bind that failed says where and why, and what kind of failure it is", () => {
  for (const [systemCode, host, code, message] of [
    ["EADDRINUSE", "127.0.0.1", "address_in_use", "can't listen on 127.0.0.1:80: the port is in use"],
    ["EADDRINUSE", "::1", "address_in_use", "can't listen on [::1]:80: the port is in use"],
    [
      "EACCES",
      "localhost",
      "port_privileged",
      "can't listen on localhost:80: ports below 1024 need a privilege that this process does not have",
    ],
    [
      "EADDRNOTAVAIL",
      "192.0.2.1",
      "address_not_available",
      "can't listen on 192.0.2.1:80: this machine has no such address",
    ],
    ["ENOTFOUND", "nowhere", "address_not_available", "can't listen on nowhere:80: the host is unknown"],
    ["EODD", "127.0.0.1", "address_not_available", "can't listen on 127.0.0.1:80: listen EODD"],
  ] as const) {
    const cause = systemError(systemCode);
    const error = bindError(cause, { host, port: 80 });
    assert.equal(error.code, code);
    assert.equal(error.message, message);
    assert.equal(error.cause, cause);
  }
});

test("why a connection failed is said in words, with several addresses for the first of them", () => {
  assert.equal(connectReason(systemError("ECONNREFUSED")), "nothing listens there (connection refused)");
  assert.equal(connectReason(systemError("EODD")), "listen EODD");
  const several = new AggregateError([systemError("ECONNREFUSED"), systemError("ETIMEDOUT")]);
  assert.equal(connectReason(several), "nothing listens there (connection refused)");
});
