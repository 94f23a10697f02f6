import { timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import { type Metadata, Server, ServerCredentials, type ServiceDefinition, status } from "@grpc/grpc-js";
import {
  type GetNodeRequest,
  GetNodeRequestSchema,
  type GetNodeResponse,
  GetNodeResponseSchema,
} from "../../gen/portway/v1/node_service_pb.js";

/**
 * The yardstick for native gRPC: grpc-js and one method, behind the same checks as the daemon's (the token, and the rules
 * of the proto), which makes its answer from plain values each time, as the daemon does. `node grpc-js-server.js TOKEN RESPONSE_FILE`; says {"port":N}.
 */
const [token = "", responseFile = ""] = process.argv.slice(2);
const response = plain(fromBinary(GetNodeResponseSchema, readFileSync(responseFile)));
const expected = Buffer.from(`Bearer ${token}`);
const validator = createValidator();

/** The same values in objects that are no messages. */
function plain<T>(value: T): MessageInitShape<typeof GetNodeResponseSchema> {
  const copy = (given: unknown): unknown => {
    if (Array.isArray(given)) return given.map(copy);
    if (typeof given !== "object" || given === null || given instanceof Uint8Array) return given;
    const entries = Object.entries(given).filter(([name]) => !name.startsWith("$"));
    return Object.fromEntries(entries.map(([name, field]) => [name, copy(field)]));
  };
  return copy(value) as MessageInitShape<typeof GetNodeResponseSchema>;
}

function isToken(presented: unknown): boolean {
  if (typeof presented !== "string") return false;
  const bytes = Buffer.from(presented);
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}

const definition: ServiceDefinition = {
  getNode: {
    path: "/portway.v1.NodeService/GetNode",
    requestStream: false,
    responseStream: false,
    requestSerialize: (request: GetNodeRequest) => Buffer.from(toBinary(GetNodeRequestSchema, request)),
    requestDeserialize: (bytes: Buffer) => fromBinary(GetNodeRequestSchema, bytes),
    responseSerialize: (answer: GetNodeResponse) => Buffer.from(toBinary(GetNodeResponseSchema, answer)),
    responseDeserialize: (bytes: Buffer) => fromBinary(GetNodeResponseSchema, bytes),
  },
};

const server = new Server();
server.addService(definition, {
  getNode(
    call: { readonly request: GetNodeRequest; readonly metadata: Metadata },
    answer: (error: object | null, value?: GetNodeResponse) => void,
  ) {
    if (!isToken(call.metadata.get("authorization")[0])) answer({ code: status.UNAUTHENTICATED });
    else if (validator.validate(GetNodeRequestSchema, call.request).kind !== "valid")
      answer({ code: status.INVALID_ARGUMENT });
    else answer(null, create(GetNodeResponseSchema, response));
  },
});
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  console.log(JSON.stringify({ port }));
});
