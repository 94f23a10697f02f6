import { UdpTransport } from "../../../src/transport/udp/udp-transport.js";
import { transportSuite } from "../../suites/transport-suite.js";

// What a user does not take yet has to lie somewhere: here nothing may be lost.
const receiveQueueBytes = 64 * 1024 * 1024;

transportSuite("UDP transport", (limits) => ({
  dialing: new UdpTransport({ ...limits, receiveQueueBytes }),
  listening: new UdpTransport({ ...limits, receiveQueueBytes }),
  bind: { host: "127.0.0.1", port: 0 },
}));
