import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { create, createFileRegistry, type DescMethodUnary, fromBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, createClient, type Transport } from "@connectrpc/connect";
import { Health } from "../../../gen/grpc/health/v1/health_pb.js";
import { ServerReflection } from "../../../gen/grpc/reflection/v1/reflection_pb.js";
import { ServerReflection as ServerReflectionAlpha } from "../../../gen/grpc/reflection/v1alpha/reflection_pb.js";
import { apiFixture, clientFor, type Protocol, transportFor } from "../../support/api-fixture.js";

type Question =
  | { case: "listServices" | "fileByFilename" | "fileContainingSymbol"; value: string }
  | { case: "fileContainingExtension"; value: { containingType: string; extensionNumber: number } }
  | { case: "allExtensionNumbersOfType"; value: string }
  | { case: undefined };

interface Told {
  readonly services?: readonly string[];
  /** Names of the files. */
  readonly files?: readonly string[];
  readonly bytes?: readonly Uint8Array[];
  readonly extensions?: readonly number[];
  readonly errorCode?: Code;
  readonly errorMessage?: string;
}

/** Asks one question after the other on one stream, each when the one before was answered. */
type Ask = (...questions: readonly Question[]) => Promise<Told[]>;

const versions = ["v1", "v1alpha"] as const;

function askOver(transport: Transport, version: (typeof versions)[number] = "v1"): Ask {
  // The two versions are the same in all but their name.
  const service = (version === "v1" ? ServerReflection : ServerReflectionAlpha) as typeof ServerReflection;
  const client = createClient(service, transport);
  return async (...questions) => {
    let answered: () => void = () => {};
    async function* requests() {
      for (const [index, messageRequest] of questions.entries()) {
        const answer = new Promise<void>((resolve) => {
          answered = resolve;
        });
        yield { host: `host ${index}`, messageRequest };
        await answer;
      }
    }
    const told: Told[] = [];
    for await (const response of client.serverReflectionInfo(requests())) {
      const { validHost, originalRequest, messageResponse } = response;
      assert.equal(validHost, `host ${told.length}`);
      assert.equal(originalRequest?.messageRequest.case, questions[told.length]?.case);
      told.push(toldBy(messageResponse));
      answered();
    }
    assert.equal(told.length, questions.length, "each question has one answer");
    return told;
  };
}

function toldBy(
  response: import("../../../gen/grpc/reflection/v1/reflection_pb.js").ServerReflectionResponse["messageResponse"],
): Told {
  switch (response.case) {
    case "listServicesResponse":
      return { services: response.value.service.map(({ name }) => name) };
    case "fileDescriptorResponse": {
      const bytes = response.value.fileDescriptorProto;
      return { bytes, files: bytes.map((each) => fromBinary(FileDescriptorProtoSchema, each).name) };
    }
    case "allExtensionNumbersResponse":
      return { extensions: response.value.extensionNumber };
    case "errorResponse":
      return { errorCode: response.value.errorCode, errorMessage: response.value.errorMessage };
    case undefined:
      throw new Error("the answer is empty");
  }
}

async function connected(t: TestContext, protocol: Protocol = "grpc"): Promise<Transport> {
  const { server, token } = await apiFixture(t);
  const url = `http://${await server.listenTcp({ host: "127.0.0.1", port: 0 })}`;
  return transportFor(protocol, url, { token });
}

for (const version of versions) {
  for (const protocol of ["grpc", "connect binary"] as const) {
    test(`a client that knows nothing of the API learns it by ${version} over ${protocol}, and calls it`, async (t) => {
      const transport = await connected(t, protocol);
      const ask = askOver(transport, version);
      const [listed] = await ask({ case: "listServices", value: "*" });
      const { statuses } = await clientFor(Health, transport).list({});
      assert.deepEqual(
        [...listed!.services!].sort(),
        Object.keys(statuses)
          .filter((name) => name !== "")
          .sort(),
      );
      for (const typeName of listed!.services!) {
        const [told] = await ask({ case: "fileContainingSymbol", value: typeName });
        // It takes a file only when it knows what that imports.
        const file = told!.bytes!.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes)).reverse();
        const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }));
        const service = registry.getService(typeName);
        assert.ok(service !== undefined, typeName);
        if (typeName !== "portway.v1.NodeService") continue;
        const call = async (name: string, request: Record<string, unknown>): Promise<unknown> => {
          const method = service.methods.find((each) => each.name === name) as DescMethodUnary;
          const message = create(method.input, request);
          const answer = await transport.unary(method, undefined, undefined, undefined, message, undefined);
          return toJson(method.output, answer.message, { registry });
        };
        await call("CreateNode", { nodeId: "n1" });
        const { node } = (await call("GetNode", { name: "nodes/n1" })) as { node: { name: string } };
        assert.equal(node.name, "nodes/n1");
      }
    });
  }
}

test("every kind of name finds its file", async (t) => {
  const ask = askOver(await connected(t));
  const nodes = "portway/v1/node_service.proto";
  const expected: readonly [Question, string][] = [
    [{ case: "fileByFilename", value: nodes }, nodes],
    [{ case: "fileByFilename", value: "google/protobuf/timestamp.proto" }, "google/protobuf/timestamp.proto"],
    [{ case: "fileContainingSymbol", value: "portway.v1.NodeService" }, nodes],
    [{ case: "fileContainingSymbol", value: "portway.v1.NodeService.CreateNode" }, nodes],
    [{ case: "fileContainingSymbol", value: "portway.v1.CreateNodeRequest" }, nodes],
    [{ case: "fileContainingSymbol", value: "portway.v1.CreateNodeRequest.node_id" }, nodes],
    [
      { case: "fileContainingSymbol", value: "portway.v1.PayloadEncoding" },
      "portway/v1/message_service.proto",
    ],
    [
      { case: "fileContainingSymbol", value: "portway.v1.PAYLOAD_ENCODING_BARE" },
      "portway/v1/message_service.proto",
    ],
    // An enum inside a message, and a value of it.
    [
      { case: "fileContainingSymbol", value: "grpc.health.v1.HealthCheckResponse.ServingStatus" },
      "grpc/health/v1/health.proto",
    ],
    [
      { case: "fileContainingSymbol", value: "grpc.health.v1.HealthCheckResponse.NOT_SERVING" },
      "grpc/health/v1/health.proto",
    ],
    [
      {
        case: "fileContainingSymbol",
        value: "grpc.reflection.v1.ServerReflectionRequest.message_request",
      },
      "grpc/reflection/v1/reflection.proto",
    ],
    // In the details of errors, which no service names.
    [{ case: "fileContainingSymbol", value: "google.rpc.ErrorInfo" }, "google/rpc/error_details.proto"],
    [{ case: "fileContainingSymbol", value: "buf.validate.field" }, "buf/validate/validate.proto"],
    [
      {
        case: "fileContainingExtension",
        value: { containingType: "google.protobuf.FieldOptions", extensionNumber: 1159 },
      },
      "buf/validate/validate.proto",
    ],
  ];
  const told = await ask(...expected.map(([question]) => question));
  for (const [index, [question, file]] of expected.entries()) {
    assert.equal(told[index]?.files?.[0], file, JSON.stringify(question));
  }
});

test("an answer holds all that a file imports, once in a stream, and always the file itself", async (t) => {
  const ask = askOver(await connected(t));
  const question: Question = { case: "fileByFilename", value: "portway/v1/node_service.proto" };
  const [first, second, other] = await ask(question, question, {
    case: "fileByFilename",
    value: "google/protobuf/descriptor.proto",
  });
  for (const needed of [
    "portway/v1/node_service.proto",
    "buf/validate/validate.proto",
    "google/protobuf/descriptor.proto",
    "google/protobuf/duration.proto",
  ]) {
    assert.ok(first!.files!.includes(needed), needed);
  }
  assert.equal(new Set(first!.files).size, first!.files!.length);
  assert.deepEqual(second!.files, ["portway/v1/node_service.proto"]);
  assert.deepEqual(other!.files, ["google/protobuf/descriptor.proto"]);
  const [again] = await ask(question);
  assert.deepEqual(again!.files, first!.files, "another stream has had nothing");
});

test("the extensions of a message are told, none for one that has none", async (t) => {
  const ask = askOver(await connected(t));
  const [options, node] = await ask(
    { case: "allExtensionNumbersOfType", value: "google.protobuf.FieldOptions" },
    { case: "allExtensionNumbersOfType", value: "portway.v1.Node" },
  );
  assert.ok(options!.extensions!.includes(1159));
  assert.deepEqual(node!.extensions, []);
});

test("a question without an answer gets an error in its place, and the stream goes on", async (t) => {
  const ask = askOver(await connected(t));
  const failing: readonly [Question, Code, RegExp][] = [
    [{ case: "fileByFilename", value: "nope.proto" }, Code.NotFound, /file "nope\.proto"/],
    [{ case: "fileByFilename", value: "" }, Code.NotFound, /file ""/],
    [{ case: "fileContainingSymbol", value: "portway.v1.Nope" }, Code.NotFound, /"portway\.v1\.Nope"/],
    [{ case: "fileContainingSymbol", value: "portway.v1" }, Code.NotFound, /symbol "portway\.v1"/],
    [{ case: "fileContainingSymbol", value: "__proto__" }, Code.NotFound, /symbol/],
    [
      {
        case: "fileContainingExtension",
        value: { containingType: "portway.v1.Node", extensionNumber: 7 },
      },
      Code.NotFound,
      /extension 7 of the message "portway\.v1\.Node"/,
    ],
    [
      { case: "allExtensionNumbersOfType", value: "portway.v1.Nope" },
      Code.NotFound,
      /message "portway\.v1\.Nope"/,
    ],
    [{ case: undefined }, Code.InvalidArgument, /asks nothing/],
    [{ case: "fileContainingSymbol", value: "x".repeat(1_000_000) }, Code.NotFound, /^.{100,300}$/],
  ];
  const told = await ask(...failing.map(([question]) => question), { case: "listServices", value: "" });
  for (const [index, [question, code, message]] of failing.entries()) {
    assert.equal(told[index]?.errorCode, code, question.case);
    assert.match(told[index]?.errorMessage ?? "", message);
  }
  assert.ok(told.at(-1)!.services!.length > 5);
});
