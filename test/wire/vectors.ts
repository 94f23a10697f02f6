/** A frame and what it says. Addresses are written `type#text`, the payload in hex. */
export interface GoldenFrame {
  readonly name: string;
  readonly frame: Buffer;
  readonly onward: readonly string[];
  readonly return: readonly string[];
  readonly payload: string;
  readonly trace?: string;
}

/** The bytes of hex digits in any number of pieces. */
export function hex(...pieces: readonly string[]): Buffer {
  const digits = pieces.join("").replaceAll(" ", "");
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Error(`"${digits}" is no hex`);
  return Buffer.from(digits, "hex");
}

/** Written by hand from PROTOCOL.md, byte by byte; the encoder had no part in it. */
export const goldenFrames: readonly GoldenFrame[] = [
  {
    name: "a request to echo",
    frame: hex(
      "00000017", // 23 bytes of CBOR
      "83", // message: array of 3
      "81", // onward: array of 1
      "82 00 44 6563686f", // [0, "echo"]
      "81", // return: array of 1
      "82 00 43 617070", // [0, "app"]
      "46 05 68656c6c6f", // payload: 6 bytes, a counted "hello"
    ),
    onward: ["0#echo"],
    return: ["0#app"],
    payload: "0568656c6c6f",
  },
  {
    name: "the same request with the empty tracing context that a Rust node writes",
    frame: hex(
      "0000001a", // 26 bytes of CBOR
      "84", // message: array of 4
      "81", // onward: array of 1
      "82 00 44 6563686f", // [0, "echo"]
      "81", // return: array of 1
      "82 00 43 617070", // [0, "app"]
      "46 05 68656c6c6f", // payload: 6 bytes, a counted "hello"
      "62 7b7d", // tracing context: the text "{}"
    ),
    onward: ["0#echo"],
    return: ["0#app"],
    payload: "0568656c6c6f",
    trace: "{}",
  },
  {
    name: "the reply of echo",
    frame: hex(
      "00000017", // 23 bytes of CBOR
      "83", // message: array of 3
      "81", // onward: array of 1
      "82 00 43 617070", // [0, "app"]
      "81", // return: array of 1
      "82 00 44 6563686f", // [0, "echo"]
      "46 05 68656c6c6f", // payload: 6 bytes, a counted "hello"
    ),
    onward: ["0#app"],
    return: ["0#echo"],
    payload: "0568656c6c6f",
  },
  {
    name: "a heartbeat",
    frame: hex(
      "00000004", // 4 bytes of CBOR
      "83", // message: array of 3
      "80", // onward: empty array
      "80", // return: empty array
      "40", // payload: no bytes
    ),
    onward: [],
    return: [],
    payload: "",
  },
  {
    name: "a registration at a relay under the name blue",
    frame: hex(
      "0000004a", // 74 bytes of CBOR
      "83", // message: array of 3
      "81", // onward: array of 1
      "82 00", // [0, …
      "58 19", // … 25 bytes:
      "7374617469635f666f7277617264696e675f73657276696365", // "static_forwarding_service"]
      "81", // return: array of 1
      "82 00", // [0, …
      "58 20", // … 32 bytes:
      "3030313132323333343435353636373738383939616162626363646465656666", // "00112233445566778899aabbccddeeff"]
      "45 04 626c7565", // payload: 5 bytes, a counted "blue"
    ),
    onward: ["0#static_forwarding_service"],
    return: ["0#00112233445566778899aabbccddeeff"],
    payload: "04626c7565",
  },
  {
    name: "the confirmation of that registration",
    frame: hex(
      "0000004a", // 74 bytes of CBOR
      "83", // message: array of 3
      "81", // onward: array of 1
      "82 00", // [0, …
      "58 20", // … 32 bytes:
      "3030313132323333343435353636373738383939616162626363646465656666", // "00112233445566778899aabbccddeeff"]
      "81", // return: array of 1
      "82 00 4f 666f72776172645f746f5f626c7565", // [0, "forward_to_blue"]
      "50 0f 666f72776172645f746f5f626c7565", // payload: 16 bytes, a counted "forward_to_blue"
    ),
    onward: ["0#00112233445566778899aabbccddeeff"],
    return: ["0#forward_to_blue"],
    payload: "0f666f72776172645f746f5f626c7565",
  },
  {
    name: "the Ping of a portal",
    frame: hex(
      "00000032", // 50 bytes of CBOR
      "83", // message: array of 3
      "81", // onward: array of 1
      "82 00 46 6f75746c6574", // [0, "outlet"]
      "81", // return: array of 1
      "82 00", // [0, …
      "58 20", // … 32 bytes:
      "3031323334353637383961626364656630313233343536373839616263646566", // "0123456789abcdef0123456789abcdef"]
      "41 00", // payload: 1 byte
    ),
    onward: ["0#outlet"],
    return: ["0#0123456789abcdef0123456789abcdef"],
    payload: "00",
  },
  {
    name: "data of a portal",
    frame: hex(
      "00000015", // 21 bytes of CBOR
      "83", // message: array of 3
      "81", // onward: array of 1
      "82 00 44 6f757431", // [0, "out1"]
      "81", // return: array of 1
      "82 00 43 696e31", // [0, "in1"]
      "44 03 02 6869", // payload: 4 bytes, data "hi"
    ),
    onward: ["0#out1"],
    return: ["0#in1"],
    payload: "03026869",
  },
  {
    name: "a route with a transport address in it",
    frame: hex(
      "0000002e", // 46 bytes of CBOR
      "83", // message: array of 3
      "83", // onward: array of 3
      "82 00 43 686f70", // [0, "hop"]
      "82 01 4e 3132372e302e302e313a34303030", // [1, "127.0.0.1:4000"]
      "82 00 44 6563686f", // [0, "echo"]
      "81", // return: array of 1
      "82 00 43 617070", // [0, "app"]
      "46 05 68656c6c6f", // payload: 6 bytes, a counted "hello"
    ),
    onward: ["0#hop", "1#127.0.0.1:4000", "0#echo"],
    return: ["0#app"],
    payload: "0568656c6c6f",
  },
];
