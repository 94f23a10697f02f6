// Anchors, which are full names in the proto, and links to them.
import { html } from "./html.mjs";

export function createLinks(api) {
  const anchors = anchorsOf(api);

  /** The name of a message or enum inside of its package. */
  const nameOf = (type) => type.typeName.slice(type.file.proto.package.length + 1);

  return {
    nameOf,
    /** A type's name, linked to its place: on this page, or the public documentation of a package of others. */
    to(type) {
      if (api.isOurs(type)) return html`<a href="#${type.typeName}">${nameOf(type)}</a>`;
      const address = addressOf(type);
      return address === undefined ? html`${type.typeName}` : html`<a href="${address}">${type.typeName}</a>`;
    },
    /** The address of what a word of a comment names; undefined if it names nothing, or more than one thing. */
    named(word) {
      const anchor = anchors.get(word);
      return typeof anchor === "string" ? `#${anchor}` : undefined;
    },
  };
}

/**
 * `CreateNode`, `NodeService.CreateNode`, `Node` and so on. A method goes before a message of the same name, and what
 * stands by itself before what is inside of something; a name that two of a kind have leads nowhere.
 */
function anchorsOf({ services, messages, enums }) {
  const types = [...messages, ...enums];
  const methods = services.flatMap((service) => service.methods.map((method) => [service, method]));
  const kinds = [
    services.map(({ name, typeName }) => [name, typeName]),
    methods.map(([service, { name }]) => [`${service.name}.${name}`, `${service.typeName}.${name}`]),
    methods.map(([service, { name }]) => [name, `${service.typeName}.${name}`]),
    types.filter(({ parent }) => parent === undefined).map(({ name, typeName }) => [name, typeName]),
    types.filter(({ parent }) => parent !== undefined).map(({ name, typeName }) => [name, typeName]),
    enums.flatMap(({ typeName, values }) => values.map(({ name }) => [name, `${typeName}.${name}`])),
  ];
  const anchors = new Map();
  for (const kind of kinds) {
    const own = new Map();
    for (const [name, anchor] of kind) own.set(name, own.has(name) ? null : anchor);
    for (const [name, anchor] of own) if (!anchors.has(name)) anchors.set(name, anchor);
  }
  return anchors;
}

function addressOf({ typeName, name, file }) {
  const kebab = name.replace(/(?<=[a-z0-9])(?=[A-Z])/g, "-").toLowerCase();
  if (file.proto.package === "google.protobuf") {
    return `https://protobuf.dev/reference/protobuf/google.protobuf/#${kebab}`;
  }
  if (file.proto.package === "google.rpc") {
    return `https://github.com/googleapis/googleapis/blob/master/${file.name}.proto`;
  }
  if (typeName.startsWith("grpc."))
    return `https://github.com/grpc/grpc-proto/blob/master/${file.name}.proto`;
  return undefined;
}
