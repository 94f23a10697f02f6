import { type Alias, isAlias, LineCounter, type Node, parseDocument, visit, type YAMLError } from "yaml";
import { Problems } from "./problems.js";
import { findExcess } from "./tokens.js";

/** Far above what a person writes. */
const maxTextBytes = 1_048_576;

/** The tree of a configuration, with the places of its nodes. */
export interface ConfigDocument {
  readonly root: Node | null;
  readonly problems: Problems;
  /** The node that an alias stands for; nothing if no anchor before it has its name. */
  resolve(alias: Alias): Node | undefined;
}

/**
 * Parses YAML or JSON. Throws a PortwayError that lists every syntax error, or the limit that was passed: the limits
 * hold before a tree is built, since the parser needs time and stack beyond all measure for some small texts.
 */
export function parseConfigDocument(text: string, source: string): ConfigDocument {
  const lines = new LineCounter();
  const problems = new Problems(source, lines);
  if (Buffer.byteLength(text) > maxTextBytes) {
    problems.add(0, "", () => `the text is larger than 1 MiB; expected a node's configuration`);
    problems.throwIfAny();
  }
  addLines(lines, text);
  const excess = findExcess(text);
  if (excess !== undefined) problems.add(excess.offset, "", () => excess.what);
  problems.throwIfAny();

  const document = parseDocument(text, {
    version: "1.2",
    schema: "core",
    uniqueKeys: false, // quadratic there, checked here
    prettyErrors: false,
    logLevel: "error", // "silent" would hide a second document
  });
  for (const error of [...document.errors, ...document.warnings]) {
    problems.add(error.pos[0], "", () => syntaxText(error));
  }
  problems.throwIfAny();
  const root = document.contents as Node | null;
  const anchors = anchorsOf(root);
  return {
    root,
    problems,
    resolve: (alias) => anchors.get(alias.source)?.findLast((node) => offsetOf(node) < offsetOf(alias)),
  };
}

function addLines(lines: LineCounter, text: string): void {
  lines.addNewLine(0);
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) lines.addNewLine(at + 1);
}

function syntaxText(error: YAMLError): string {
  const known: Partial<Record<typeof error.code, string>> = {
    MULTIPLE_DOCS: "a second document begins here; expected one",
    TAB_AS_INDENT: "a tab is used to indent; expected spaces",
    BAD_ALIAS: "an alias without a name; expected *NAME, or the text in quotes",
  };
  return known[error.code] ?? `not valid YAML or JSON: ${error.message.split("\n", 1)[0]}`;
}

/** Where a node begins in the text. */
export function offsetOf(node: Node): number {
  return node.range?.[0] ?? 0;
}

/** The nodes of each anchor, in the order of the text. */
function anchorsOf(root: Node | null): Map<string, Node[]> {
  const anchors = new Map<string, Node[]>();
  visit(root, {
    Node(_key, node) {
      const name = isAlias(node) ? undefined : (node as { anchor?: string }).anchor;
      if (name === undefined) return;
      const nodes = anchors.get(name);
      if (nodes === undefined) anchors.set(name, [node as Node]);
      else nodes.push(node as Node);
    },
  });
  return anchors;
}
