// The comments of the proto as HTML.
import { html, joined } from "./html.mjs";

/** The canonical codes of gRPC, but for OK. */
const codes = [
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** A comment's paragraphs, each on one line; a line that begins with `- ` is a paragraph of its own. */
function paragraphsOf(comment) {
  const paragraphs = [];
  let isOpen = false;
  for (const line of comment.split("\n").map((each) => each.trim())) {
    if (line === "") isOpen = false;
    else if (isOpen && !line.startsWith("- ")) paragraphs[paragraphs.length - 1] += ` ${line}`;
    else {
      paragraphs.push(line);
      isOpen = true;
    }
  }
  return paragraphs;
}

/** `linkTo(name)` gives the address of what a word names, or undefined. */
export function prose(comment, linkTo) {
  const blocks = [];
  let items = [];
  const endList = () => {
    if (items.length > 0) blocks.push(html`<ul>${items}</ul>`);
    items = [];
  };
  for (const paragraph of paragraphsOf(comment)) {
    if (paragraph.startsWith("- ")) items.push(html`<li>${inline(paragraph.slice(2), linkTo)}</li>`);
    else {
      endList();
      blocks.push(html`<p>${inline(paragraph, linkTo)}</p>`);
    }
  }
  endList();
  return blocks;
}

/** The first sentence of a comment, as HTML. A full stop inside of a word or in brackets ends none. */
export function summary(comment, linkTo) {
  const [first = ""] = paragraphsOf(comment);
  return inline(firstSentence(first), linkTo);
}

export function firstSentence(text) {
  let depth = 0;
  let isCode = false;
  for (let i = 0; i < text.length; i += 1) {
    const character = text[i];
    if (character === "`") isCode = !isCode;
    else if (isCode) continue;
    else if (character === "(") depth += 1;
    else if (character === ")") depth -= 1;
    else if (character === "." && depth <= 0 && /^(\s|$)/.test(text.slice(i + 1)))
      return text.slice(0, i + 1);
  }
  return text;
}

/** What is code in a comment: text in backquotes, a_name, A_NAME, A LONGWORD in capitals, and UpperCamelCase. */
const code =
  /(`[^`]+`|\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b|\b[A-Z]{6,}\b|\b(?:[A-Z][a-z0-9]+){2,}\b|\b[a-z]+(?:_[a-z0-9]+)+\b)/;

/** Code links to the part of the API that it names. A word in UpperCamelCase that names none is a word. */
function inline(text, linkTo) {
  const pieces = text.split(code).map((piece, i) => {
    if (i % 2 === 0) return html`${piece}`;
    const name = piece.replaceAll("`", "");
    const link = linkTo(name);
    if (link !== undefined) return html`<a href="${link}"><code>${name}</code></a>`;
    const isCode = piece.startsWith("`") || piece === piece.toUpperCase() || piece.includes("_");
    return isCode ? html`<code>${name}</code>` : html`${name}`;
  });
  return joined(pieces, "");
}

/** The errors that a comment names, `CODE (REASON, REASON)`: the reasons of each code, in the order of the text. */
export function errorsIn(comment) {
  const errors = new Map();
  const text = comment.replace(/\s+/g, " ");
  const pattern = new RegExp(
    `\\b(${codes.join("|")})\\b(?: \\(([A-Z][A-Z0-9_]*(?:, [A-Z][A-Z0-9_]*)*)\\))?`,
    "g",
  );
  for (const [, code, reasons = ""] of text.matchAll(pattern)) {
    const known = errors.get(code) ?? new Set();
    for (const reason of reasons.split(", ")) if (reason !== "") known.add(reason);
    errors.set(code, known);
  }
  return errors;
}
