// The API as the reference shows it: its descriptors with their comments.
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** Packages whose parts are on the page. Those of others (google, grpc, buf) are only linked to. */
const ours = /^portway(\.|$)/;

/** Reads a binary FileDescriptorSet with source info, as `buf build` writes it. */
export function readApi(bytes) {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
  const files = [...registry.files]
    .filter(({ proto }) => ours.test(proto.package))
    .sort((a, b) => compare(a.name, b.name));
  const services = files.flatMap((file) => file.services).sort(byName);
  const messages = files.flatMap(messagesOf).sort(byName);
  const enums = [
    ...files.flatMap((file) => file.enums),
    ...messages.flatMap(({ nestedEnums }) => nestedEnums),
  ].sort(byName);
  const comments = new Map();
  for (const file of files) readComments(file, comments);
  return {
    registry,
    services,
    enums,
    messages,
    packages: [...new Set(files.map(({ proto }) => proto.package))],
    intros: files.map((file) => comments.get(file) ?? "").filter((text) => text !== ""),
    commentOf: (descriptor) => comments.get(descriptor) ?? "",
    isOurs: (descriptor) => ours.test(descriptor.file.proto.package),
    shownIn: placesOf(services, messages),
  };
}

/**
 * The methods that show a message themselves: what a method takes or gives, and nothing else uses, stands with the
 * method.
 */
function placesOf(services, messages) {
  const uses = new Map(messages.map((message) => [message, new Set()]));
  for (const service of services) {
    for (const method of service.methods) {
      uses.get(method.input)?.add(method);
      uses.get(method.output)?.add(method);
    }
  }
  for (const field of messages.flatMap(({ fields }) => fields)) uses.get(field.message)?.add(field);
  const places = new Map();
  for (const [message, users] of uses) {
    const [user] = users;
    if (users.size === 1 && user.kind === "rpc" && message.parent === undefined) places.set(message, user);
  }
  return places;
}

function messagesOf({ messages = [], nestedMessages = [] }) {
  return [...messages, ...nestedMessages].flatMap((message) => [message, ...messagesOf(message)]);
}

/** Field numbers in descriptor.proto, of which the paths of source info are made. */
const path = {
  package: [2],
  message: 4,
  enum: 5,
  service: 6,
  field: 2,
  nestedMessage: 3,
  nestedEnum: 4,
  oneof: 8,
  value: 2,
  method: 2,
};

function readComments(file, comments) {
  const texts = new Map();
  for (const location of file.proto.sourceCodeInfo?.location ?? []) {
    const text = [location.leadingComments, location.trailingComments].filter(Boolean).join("\n");
    if (text.trim() !== "") texts.set(location.path.join("."), text);
  }
  const take = (descriptor, ...at) => {
    const text = texts.get(at.join("."));
    if (text !== undefined) comments.set(descriptor, text);
  };
  const takeEnum = (descriptor, ...at) => {
    take(descriptor, ...at);
    descriptor.values.forEach((value, i) => {
      take(value, ...at, path.value, i);
    });
  };
  const takeMessage = (message, ...at) => {
    const { proto } = message;
    take(message, ...at);
    for (const field of message.fields) take(field, ...at, path.field, proto.field.indexOf(field.proto));
    for (const oneof of message.oneofs) take(oneof, ...at, path.oneof, proto.oneofDecl.indexOf(oneof.proto));
    for (const nested of message.nestedMessages) {
      takeMessage(nested, ...at, path.nestedMessage, proto.nestedType.indexOf(nested.proto));
    }
    for (const nested of message.nestedEnums) {
      takeEnum(nested, ...at, path.nestedEnum, proto.enumType.indexOf(nested.proto));
    }
  };
  take(file, ...path.package);
  file.messages.forEach((message, i) => {
    takeMessage(message, path.message, i);
  });
  file.enums.forEach((descriptor, i) => {
    takeEnum(descriptor, path.enum, i);
  });
  file.services.forEach((service, i) => {
    take(service, path.service, i);
    service.methods.forEach((method, j) => {
      take(method, path.service, i, path.method, j);
    });
  });
}

function byName(a, b) {
  return compare(a.typeName, b.typeName);
}

/** The same on each machine, whatever its language. */
function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}
