// A worker in TypeScript: an uppercase of its own, at an address of a node.
import type { MessageInitShape } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { createClient } from "@connectrpc/connect";
import { MessageService, type OpenWorkerRequestSchema } from "../gen/portway/v1/message_service_pb.js";
import { connect, explain } from "./api.js";

type Request = NonNullable<MessageInitShape<typeof OpenWorkerRequestSchema>["request"]>;

/** What may be on its way to us: this many messages, and this many bytes of payload. */
const window = { messages: 64, bytes: 1024n * 1024n };

/** The API takes no larger payload. */
const maxReplyBytes = 4 * 1024 * 1024;

/** What we say to the daemon, in order. The grants bound it: no more comes in than was asked for. */
class Requests {
  readonly #queued: Request[] = [];
  #wake = (): void => {};

  push(request: Request): void {
    this.#queued.push(request);
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<{ request: Request }> {
    for (;;) {
      for (let request = this.#queued.shift(); request; request = this.#queued.shift()) {
        yield { request };
        if (request.case === "close") return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

async function work(node: string, address: string): Promise<void> {
  const requests = new Requests();
  requests.push({ case: "open", value: { node: `nodes/${node}`, address, initialGrant: window } });
  const close = () => requests.push({ case: "close", value: {} });
  process.once("SIGINT", close).once("SIGTERM", close);

  const messages = createClient(MessageService, await connect());
  for await (const { response } of messages.openWorker(requests)) {
    switch (response.case) {
      case "opened":
        console.log(`${response.value.name} is open`);
        break;
      case "message": {
        const { id, payload } = response.value;
        try {
          const upper = encode(decode(payload).toUpperCase());
          requests.push({ case: "reply", value: { toId: id, payload: upper } });
        } catch (error) {
          console.error(`message ${id} gets no answer: ${explain(error)}`);
        }
        // Done with it: as much again may come.
        requests.push({ case: "grant", value: { messages: 1, bytes: BigInt(payload.byteLength) } });
        break;
      }
      case "starved":
        requests.push({ case: "grant", value: { bytes: response.value.payloadBytes } });
        break;
      case "result":
        if (response.value.failure) console.error(`a reply failed: ${response.value.failure.message}`);
    }
  }
}

/** A BARE string is its length as LEB128 and then its bytes, as a string in protobuf is. */
function decode(payload: Uint8Array): string {
  const reader = new BinaryReader(payload);
  const text = reader.string();
  if (reader.pos !== reader.len) throw new Error("it is no BARE string: there is more behind it");
  return text;
}

function encode(text: string): Uint8Array {
  const payload = new BinaryWriter().string(text).finish();
  const bytes = payload.byteLength;
  if (bytes > maxReplyBytes)
    throw new Error(`it would have ${bytes} bytes, at most ${maxReplyBytes} can be sent`);
  return payload;
}

const [node, address, ...rest] = process.argv.slice(2);
if (node === undefined || address === undefined || rest.length > 0) {
  console.error("usage: worker NODE ADDRESS (worker n3 shout)");
  process.exit(2);
}
try {
  await work(node, address);
} catch (error) {
  console.error(explain(error));
  process.exitCode = 1;
}
