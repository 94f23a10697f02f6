// The tables of a message's fields and an enum's values.
import { ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { html, joined } from "./html.mjs";
import { isOneofRequired, statementsOf } from "./rules.mjs";
import { prose } from "./text.mjs";

export function fieldTable(message, context) {
  if (message.fields.length === 0) return html`<p class="empty">No fields.</p>`;
  return html`<table class="fields">
<thead><tr><th scope="col">Field</th><th scope="col">Type</th><th scope="col">Meaning</th></tr></thead>
<tbody>
${message.fields.map((field) => fieldRow(field, context))}</tbody>
</table>`;
}

/** What holds for the groups of fields of which one can be set. */
export function oneofNotes(message, { api, links }) {
  return message.oneofs.map((oneof) => {
    const names = joined(
      oneof.fields.map(({ name }) => html`<code>${name}</code>`),
      ", ",
    );
    const how = isOneofRequired(oneof) ? "exactly one" : "at most one";
    return html`<p class="oneof"><code>${oneof.name}</code>: ${how} of ${names}.</p>
${prose(api.commentOf(oneof), links.named)}
`;
  });
}

function fieldRow(field, { api, links }) {
  const id = `${field.parent.typeName}.${field.name}`;
  const said = statementsOf(field);
  return html`<tr id="${id}"><th scope="row"><a class="plain" href="#${id}"><code>${field.name}</code></a> <span class="number" title="field number">${field.number}</span></th>
<td class="type"><code>${typeOf(field, links)}</code></td>
<td>${field.deprecated && html`<p class="deprecated">Deprecated.</p>`}${prose(api.commentOf(field), links.named)}${
    said.length > 0 && html`<p class="rules">${joined(said, "; ")}.</p>`
  }</td></tr>
`;
}

export function valueTable({ typeName, values }, { api, links }) {
  return html`<table class="values">
<thead><tr><th scope="col">Value</th><th scope="col">Meaning</th></tr></thead>
<tbody>
${values.map((value) => {
  const id = `${typeName}.${value.name}`;
  return html`<tr id="${id}"><th scope="row"><a class="plain" href="#${id}"><code>${value.name}</code></a> <span class="number" title="number">${value.number}</span></th>
<td>${value.deprecated && html`<p class="deprecated">Deprecated.</p>`}${prose(api.commentOf(value), links.named)}</td></tr>
`;
})}</tbody>
</table>`;
}

function typeOf(field, links) {
  switch (field.fieldKind) {
    case "list":
      return html`repeated ${elementOf(field, links)}`;
    case "map":
      return html`map&lt;${scalarName(field.mapKey)}, ${elementOf(field, links)}&gt;`;
    default:
      return html`${isOptional(field) && "optional "}${elementOf(field, links)}${
        field.oneof !== undefined && html` <span class="in">in ${field.oneof.name}</span>`
      }`;
  }
}

function elementOf({ message, enum: descriptor, scalar }, links) {
  const type = message ?? descriptor;
  return type === undefined ? html`${scalarName(scalar)}` : links.to(type);
}

function scalarName(scalar) {
  return ScalarType[scalar].toLowerCase();
}

/** Marked `optional`: absent is not the same as zero. Messages are so without a word. */
function isOptional(field) {
  return (
    field.fieldKind !== "message" &&
    field.oneof === undefined &&
    field.presence === FeatureSet_FieldPresence.EXPLICIT
  );
}
