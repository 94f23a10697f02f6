// The page: services with their methods, then the messages and enums that they share.
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { exampleOf } from "./example.mjs";
import { fieldTable, oneofNotes, valueTable } from "./fields.mjs";
import { html, trusted } from "./html.mjs";
import { createLinks } from "./links.mjs";
import { errorsIn, prose, summary } from "./text.mjs";

/** The whole page, for what `readApi` gave; the same text for the same API, whenever and wherever it is made. */
export function renderPage(api, css) {
  const links = createLinks(api);
  const context = { api, links };
  const shared = api.messages.filter((message) => !api.shownIn.has(message));
  const [title] = api.packages;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Portway API reference: ${title}</title>
<style>${trusted(`\n${css}`)}</style>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<nav aria-label="Contents">
${contents(api, shared)}
</nav>
<main id="content">
<header>
<h1>Portway API <small>${api.packages.join(", ")}</small></h1>
${api.intros.map((intro) => prose(intro, links.named))}
</header>
${calling()}
${api.services.map((service) => serviceSection(service, context))}
<section aria-labelledby="messages">
<h2 id="messages">Messages</h2>
<p>What only one method takes or gives stands with that method.</p>
${shared.map((message) => messageBlock(message, "h3", context))}
</section>
<section aria-labelledby="enums">
<h2 id="enums">Enums</h2>
${api.enums.map((descriptor) => enumBlock(descriptor, context))}
</section>
<footer><p>Made from the comments in <code>proto/portway</code>; the text there is the API’s contract.</p></footer>
</main>
</body>
</html>
`;
  return page
    .toString()
    .replace(/[ \t]+$/gm, "")
    .replace(/\n{2,}/g, "\n");
}

function contents({ services, enums }, shared) {
  const entry = ({ typeName, name }) => html`<li><a href="#${typeName}">${name}</a></li>\n`;
  return html`<p><a href="#content">Portway API</a></p>
<ul>
<li><a href="#calling">Calling it</a></li>
</ul>
${services.map(
  (service) => html`<h2><a href="#${service.typeName}">${service.name}</a></h2>
<ul>
${service.methods.map((method) => html`<li><a href="#${methodId(method)}">${method.name}</a></li>\n`)}</ul>
`,
)}<h2><a href="#messages">Messages</a></h2>
<ul>
${shared.map(entry)}</ul>
<h2><a href="#enums">Enums</a></h2>
<ul>
${enums.map(entry)}</ul>`;
}

function calling() {
  return html`<section aria-labelledby="calling">
<h2 id="calling">Calling it</h2>
<p>Each method is served as gRPC, gRPC-Web and Connect, over HTTP/2 and HTTP/1.1, on one address. The examples are
Connect with JSON, by <code>curl</code>, on the daemon’s Unix socket:
<code>$PORTWAY_HOME/run/api.sock</code>, by default <code>~/.portway/run/api.sock</code>. On a TCP address of the daemon
(<code>portway serve --api-address</code>) take <code>http://</code> or <code>https://</code> with that address in place of
the socket, and add <code>-H "authorization: Bearer $(cat ~/.portway/token)"</code>.</p>
<ul>
<li>The path is <code>/package.Service/Method</code>, the HTTP method POST. Methods that change nothing take GET as well.</li>
<li>In JSON, names are in lowerCamelCase (<code>page_size</code> is <code>pageSize</code>), 64-bit integers are strings,
bytes are base64, a duration is <code>"10s"</code>, a timestamp <code>"2026-01-31T12:00:00Z"</code>. A field that the
message does not have is refused.</li>
<li>Streams carry many messages in one call. Use generated code for them.</li>
</ul>
</section>
`;
}

function serviceSection(service, context) {
  const { api, links } = context;
  return html`<section aria-labelledby="${service.typeName}">
<h2 id="${service.typeName}">${service.name}</h2>
${deprecation(service)}${prose(api.commentOf(service), links.named)}
<table class="methods">
<thead><tr><th scope="col">Method</th><th scope="col">What it does</th></tr></thead>
<tbody>
${service.methods.map(
  (
    method,
  ) => html`<tr><th scope="row"><a class="plain" href="#${methodId(method)}"><code>${method.name}</code></a></th>
<td>${summary(api.commentOf(method), links.named)}</td></tr>
`,
)}</tbody>
</table>
${service.methods.map((method) => methodBlock(method, context))}
</section>
`;
}

const kinds = {
  unary: "unary",
  server_streaming: "server stream",
  client_streaming: "client stream",
  bidi_streaming: "bidirectional stream",
};

function methodBlock(method, context) {
  const { api, links } = context;
  const path = `/${method.parent.typeName}/${method.name}`;
  const isRead = method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS;
  const isUnary = method.methodKind === "unary";
  const verb = isRead && isUnary ? "POST or GET" : "POST";
  const takes = method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming";
  const gives = method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming";
  return html`<article class="method" aria-labelledby="${methodId(method)}">
<h3 id="${methodId(method)}"><a class="plain" href="#${methodId(method)}"><code>${method.name}</code></a>
<span class="tag">${kinds[method.methodKind]}</span>${isRead && html` <span class="tag">changes nothing</span>`}</h3>
<p class="signature"><code>${takes && "stream "}${links.to(method.input)} → ${gives && "stream "}${links.to(method.output)}</code></p>
${deprecation(method)}${prose(api.commentOf(method), links.named)}
${errorList(api.commentOf(method))}
<p class="path"><code>${verb} ${path}</code></p>
${isUnary && curl(method, path, api)}
${[method.input, method.output]
  .filter((message) => api.shownIn.get(message) === method)
  .map((message) => messageBlock(message, "h4", context))}
</article>
`;
}

function errorList(comment) {
  const errors = [...errorsIn(comment)];
  if (errors.length === 0) return undefined;
  return html`<dl class="errors"><dt>Errors</dt>
${errors.map(
  ([code, reasons]) =>
    html`<dd><code>${code}</code>${[...reasons].map((reason, i) => html`${i === 0 ? " " : ", "}<code class="reason">${reason}</code>`)}</dd>
`,
)}</dl>`;
}

function curl(method, path, api) {
  const example = exampleOf(method.input, api);
  if (example === undefined) return undefined;
  const body = JSON.stringify(example).replaceAll("'", "'\\''");
  return html`<pre class="curl" tabindex="0"><code>curl --unix-socket ~/.portway/run/api.sock -H 'content-type: application/json' \\
    -d '${body}' \\
    http://localhost${path}</code></pre>`;
}

function messageBlock(message, heading, { api, links }) {
  const tag = trusted(heading);
  const comment = api.commentOf(message);
  return html`<article class="message" aria-labelledby="${message.typeName}">
<${tag} id="${message.typeName}"><a class="plain" href="#${message.typeName}"><code>${links.nameOf(message)}</code></a></${tag}>
${deprecation(message)}${prose(comment, links.named)}
${oneofNotes(message, { api, links })}${fieldTable(message, { api, links })}
</article>
`;
}

function enumBlock(descriptor, { api, links }) {
  return html`<article class="enum" aria-labelledby="${descriptor.typeName}">
<h3 id="${descriptor.typeName}"><a class="plain" href="#${descriptor.typeName}"><code>${links.nameOf(descriptor)}</code></a></h3>
${deprecation(descriptor)}${prose(api.commentOf(descriptor), links.named)}
${valueTable(descriptor, { api, links })}
</article>
`;
}

function deprecation({ deprecated }) {
  return deprecated === true && html`<p class="deprecated">Deprecated.</p>\n`;
}

function methodId(method) {
  return `${method.parent.typeName}.${method.name}`;
}
