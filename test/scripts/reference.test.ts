import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { create, type DescMessage, type DescService, fromJson, toBinary } from "@bufbuild/protobuf";
import type { GenFile } from "@bufbuild/protobuf/codegenv2";
import { FieldDescriptorProto_Type, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createValidator } from "@bufbuild/protovalidate";
import { projectRoot } from "../support/project-root.js";

const page = readFileSync(join(projectRoot, "docs/api.html"), "utf8");
const protos = join(projectRoot, "proto/portway/v1");

/** The generated descriptors: what the daemon serves, whatever the page says. */
const files: GenFile[] = [];

before(async () => {
  const generated = join(import.meta.dirname, "../../gen/portway/v1");
  for (const name of readdirSync(generated).filter((file) => file.endsWith("_pb.js"))) {
    const exported: Record<string, unknown> = await import(pathToFileURL(join(generated, name)).href);
    files.push(exported[`file_portway_v1_${name.replace(/_pb\.js$/, "")}`] as GenFile);
  }
});

const services = (): DescService[] => files.flatMap((file) => file.services);
const messages = (): DescMessage[] => files.flatMap((file) => file.messages.flatMap(withNested));

function withNested(message: DescMessage): DescMessage[] {
  return [message, ...message.nestedMessages.flatMap(withNested)];
}

function idsIn(source: string): string[] {
  return [...source.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id!);
}

/** What a reader sees. */
function textOf(source: string): string {
  const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'" };
  return source
    .replace(/<style>.*?<\/style>/s, "")
    .replace(/<\/?(?:code|a|span)\b[^>]*>/g, "")
    .replace(/<[^>]*>/g, "\n")
    .replace(/&([a-z]+|#39);/g, (_all, name: string) => entities[name] ?? "?");
}

test("each service, method, message, field, enum and value has one place of its own", () => {
  const expected = [
    ...services().flatMap(({ typeName, methods }) => [
      typeName,
      ...methods.map(({ name }) => `${typeName}.${name}`),
    ]),
    ...messages().flatMap(({ typeName, fields }) => [
      typeName,
      ...fields.map(({ name }) => `${typeName}.${name}`),
    ]),
    ...files
      .flatMap((file) => [...file.enums, ...messages().flatMap(({ nestedEnums }) => nestedEnums)])
      .flatMap(({ typeName, values }) => [typeName, ...values.map(({ name }) => `${typeName}.${name}`)]),
  ];
  assert.ok(services().length >= 5 && messages().length > 100, "the descriptors were not read");
  const ids = idsIn(page);
  assert.equal(new Set(ids).size, ids.length, "two places have the same name");
  const ofTheApi = ids.filter((id) => id.startsWith("portway."));
  assert.deepEqual([...ofTheApi].sort(), [...new Set(expected)].sort());
});

test("the first sentence of each comment of the proto stands on the page", () => {
  const text = textOf(page).replace(/\s+/g, " ");
  let comments = 0;
  for (const file of readdirSync(protos)) {
    const source = readFileSync(join(protos, file), "utf8");
    for (const [block] of source.matchAll(/(?:^[ \t]*\/\/.*\n)+/gm)) {
      const comment = block
        .replace(/^[ \t]*\/\/ ?/gm, "")
        .replace(/\s+/g, " ")
        .trim();
      const sentence = (/^.*?\.(?= |$)/.exec(comment)?.[0] ?? comment).replaceAll("`", "");
      assert.ok(text.includes(sentence), `${file}: ${sentence}`);
      comments += 1;
    }
  }
  assert.ok(comments > 300, `only ${comments} comments were read`);
});

test("each link inside of the page leads somewhere, and the others to documentation of types", () => {
  const ids = new Set(idsIn(page));
  const links = [...page.matchAll(/ href="([^"]*)"/g)].map(([, link]) => link!);
  assert.ok(links.length > 500);
  for (const link of links) {
    if (link.startsWith("#")) assert.ok(ids.has(link.slice(1)), link);
    else assert.match(link, /^https:\/\/(protobuf\.dev|github\.com)\//);
  }
});

test("the page loads and runs nothing", () => {
  assert.doesNotMatch(
    page,
    /<(script|link|img|iframe|object|embed|form|base)\b|\s(src|style|on\w+)=|@import|url\(/i,
  );
});

test("the example of each unary method is a request that the API's own rules accept", () => {
  const validator = createValidator();
  const examples = new Map(
    [...textOf(page).matchAll(/ -d '(.*)' \\\n +http:\/\/localhost\/(\S+)/g)].map(
      ([, body, path]) => [path!, body!.replaceAll("'\\''", "'")] as const,
    ),
  );
  const unary = services()
    .flatMap(({ methods }) => methods)
    .filter(({ methodKind }) => methodKind === "unary");
  assert.ok(unary.length > 30);
  for (const { parent, name, input } of unary) {
    const body = examples.get(`${parent.typeName}/${name}`);
    assert.ok(body !== undefined, `${name} has no example`);
    const { kind } = validator.validate(input, fromJson(input, JSON.parse(body)));
    assert.equal(kind, "valid", `${name}: ${body}`);
  }
  assert.equal(examples.size, unary.length);
});

test("a method says its kind, its path and the errors that its comment names", () => {
  const place = page.slice(page.indexOf('<h3 id="portway.v1.MessageService.SendMessage">'));
  const lines = textOf(place.slice(0, place.indexOf("</article>"))).split("\n");
  assert.ok(lines.includes("unary"));
  assert.ok(lines.includes("POST /portway.v1.MessageService/SendMessage"));
  assert.ok(lines.includes("UNAVAILABLE NOT_CONNECTED, CONNECT_FAILED"));
  assert.ok(textOf(page).includes("POST or GET /portway.v1.NodeService/GetNode"));
});

test("a field says its type and the rules for its value in words", () => {
  const rowOf = (id: string): string => {
    const row = page.slice(page.indexOf(`<tr id="${id}">`));
    return textOf(row.slice(0, row.indexOf("</tr>"))).toLowerCase();
  };
  const expected: Readonly<Record<string, readonly string[]>> = {
    "portway.v1.ListNodesRequest.page_size": ["page_size 1", "int32", "0 to 1000."],
    "portway.v1.SendMessageRequest.timeout": ["google.protobuf.duration", "more than 0 s; at most 600 s."],
    "portway.v1.SendMessageRequest.payload": ["bytes", "at most 4 mib."],
    "portway.v1.SendMessageRequest.to": ["1 to 4096 characters."],
    "portway.v1.CreateNodeRequest.request_id": ["a uuid; may be left empty."],
    "portway.v1.CreateRelayRequest.relay": ["relayspec", "required."],
    "portway.v1.CreateRelayRequest.relay_id": ["matches ^([a-za-z0-9_][a-za-z0-9_-]{0,62})?$."],
    "portway.v1.ServiceSpec.kind": ["a value that is defined; not service_kind_unspecified."],
    "portway.v1.MessageCounts.dropped": ["map<string, uint64>"],
    "portway.v1.Condition.holds": ["optional bool"],
    "portway.v1.NodeStatus.warnings": ["repeated string"],
  };
  for (const [id, parts] of Object.entries(expected)) {
    const lines = rowOf(id)
      .split("\n")
      .map((line) => line.trim());
    for (const part of parts) assert.ok(lines.includes(part), `${id} lacks "${part}": ${lines.join(" | ")}`);
  }
});

interface Scripts {
  readApi(bytes: Uint8Array): unknown;
  renderPage(api: unknown, css: string): string;
}

async function scripts(): Promise<Scripts> {
  const load = (name: string) =>
    import(pathToFileURL(join(projectRoot, `scripts/reference/${name}.mjs`)).href);
  const { readApi } = await load("api");
  const { renderPage } = await load("page");
  return { readApi, renderPage };
}

test("text of a comment stays text, the same input gives the same page, and other packages are left out", async () => {
  const { readApi, renderPage } = await scripts();
  const hostile = `<script>alert("1")</script> & 'x' \`<b>\` <`;
  const file = (name: string, packageName: string) => ({
    name: `${name}.proto`,
    package: packageName,
    syntax: "proto3",
    messageType: [
      {
        name: "Thing",
        field: [{ name: "part", number: 1, type: FieldDescriptorProto_Type.STRING, label: 1 }],
      },
    ],
    sourceCodeInfo: {
      location: [
        { path: [2], span: [0, 0, 0], leadingComments: hostile },
        { path: [4, 0], span: [0, 0, 0], leadingComments: hostile },
        { path: [4, 0, 2, 0], span: [0, 0, 0], leadingComments: hostile },
      ],
    },
  });
  const set = create(FileDescriptorSetSchema, {
    file: [file("ours", "portway.v1"), file("theirs", "google.other")],
  });
  const render = (): string => renderPage(readApi(toBinary(FileDescriptorSetSchema, set)), "p {}\n");
  const rendered = render();
  assert.doesNotMatch(rendered, /<script|<b>/);
  const escaped =
    "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39; <code>&lt;b&gt;</code> &lt;";
  assert.equal(rendered.split(escaped).length - 1, 3);
  assert.ok(rendered.includes('id="portway.v1.Thing.part"'));
  assert.ok(!rendered.includes("google.other"));
  assert.equal(render(), rendered);
});
