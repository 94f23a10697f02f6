import { TcpTransport } from "../../../src/transport/tcp/tcp-transport.js";
import { transportSuite } from "../../suites/transport-suite.js";

for (const plainSockets of [false, true]) {
  transportSuite(plainSockets ? "TCP transport on plain sockets" : "TCP transport", (limits) => ({
    dialing: new TcpTransport({ ...limits, plainSockets }),
    listening: new TcpTransport({ ...limits, plainSockets }),
    bind: { host: "127.0.0.1", port: 0 },
  }));
}
