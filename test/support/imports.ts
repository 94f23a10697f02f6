/** One module that a source file asks for. */
export interface Import {
  readonly kind: "import" | "export" | "side effect" | "dynamic";
  readonly specifier: string;
  /** What is taken by name from the module; undefined for all of it. */
  readonly names: readonly string[] | undefined;
}

export interface FileImports {
  readonly imports: readonly Import[];
  /** Ways to a module that can't be followed, each in words. */
  readonly unknown: readonly string[];
}

interface Token {
  readonly kind: "word" | "string" | "sign";
  readonly text: string;
  readonly endsCondition?: boolean;
}

/** Of `process`, whatever it is called. */
const builtinLoaders = new Set(["getBuiltinModule", "_linkedBinding", "binding"]);

/**
 * The imports of a TypeScript file, in whatever form: `import … from`, `export … from`, `import "…"`, `import("…")`, as
 * a type or as a value. What is neither of these and may still bring in a module is told as unknown.
 */
export function importsOf(source: string): FileImports {
  const imports: Import[] = [];
  const unknown: string[] = [];
  const { tokens, references } = tokensOf(source);
  for (const reference of references) unknown.push(`a reference: ${reference}`);
  for (let at = 0; at < tokens.length; at += 1) {
    const { kind, text } = tokens[at]!;
    const before = tokens[at - 1]?.text;
    if (kind === "word" && builtinLoaders.has(text)) unknown.push(text);
    if (kind !== "word" || before === ".") continue;
    const next = tokens[at + 1];
    if (text === "require" || text === "createRequire") {
      unknown.push(text);
    } else if (text === "Worker" && before === "new") {
      unknown.push("new Worker");
    } else if (text === "import" && next?.text === "." && next.kind === "sign") {
      if (tokens[at + 2]?.text !== "meta") unknown.push(`import.${tokens[at + 2]?.text}`);
      else if (tokens[at + 4]?.text === "resolve") unknown.push("import.meta.resolve");
    } else if (text === "import" && next?.text === "(" && next.kind === "sign") {
      const [specifier, end] = [tokens[at + 2], tokens[at + 3]];
      if (specifier?.kind === "string" && (end?.text === ")" || end?.text === ",")) {
        imports.push({ kind: "dynamic", specifier: specifier.text, names: undefined });
      } else unknown.push("import() of something that is no literal");
    } else if (text === "import" && next?.kind === "string") {
      imports.push({ kind: "side effect", specifier: next.text, names: [] });
    } else if (text === "import" && next?.text !== ":" && next?.text !== "?") {
      const clause = clauseFrom(tokens, at + 1);
      if (clause === undefined) unknown.push(`import ${next?.text ?? ""}…`);
      else imports.push({ kind: "import", ...clause });
    } else if (text === "export") {
      const start = next?.text === "type" ? at + 2 : at + 1;
      const first = tokens[start];
      if (first?.kind !== "sign" || (first.text !== "{" && first.text !== "*")) continue;
      const clause = clauseFrom(tokens, at + 1);
      if (clause !== undefined) imports.push({ kind: "export", ...clause });
      else if (first.text === "*") unknown.push("export *…");
    }
  }
  return { imports, unknown };
}

/** True if the file reads the variables of the process, or might: it uses `process` other than for a member by name. */
export function readsEnvironment(source: string): boolean {
  const { tokens } = tokensOf(source);
  return (
    tokens.some((_, at) => {
      if (!isGlobal(tokens, at, "process")) return false;
      const [dot, member] = [tokens[at + 1], tokens[at + 2]];
      return dot?.text !== "." || member?.kind !== "word" || member.text === "env";
    }) || importsOf(source).imports.some(({ specifier }) => /^(node:)?process$/.test(specifier))
  );
}

/** What of the language's own reaches outside of the process without an import. */
export function networkGlobalsOf(source: string): string[] {
  const { tokens } = tokensOf(source);
  const names = ["fetch", "WebSocket", "EventSource"];
  return names.filter((name) => tokens.some((_, at) => isGlobal(tokens, at, name)));
}

/** Whether the token is that name, and not a member of something else than `globalThis`. */
function isGlobal(tokens: readonly Token[], at: number, name: string): boolean {
  const { kind, text } = tokens[at]!;
  if (kind !== "word" || text !== name) return false;
  return tokens[at - 1]?.text !== "." || tokens[at - 2]?.text === "globalThis";
}

/** What stands between `import` or `export` and its `from "…"`; undefined if it has none. */
function clauseFrom(
  tokens: readonly Token[],
  start: number,
): Pick<Import, "specifier" | "names"> | undefined {
  const names: string[] = [];
  let inBraces = false;
  let isAll = false;
  for (let at = start; at < tokens.length; at += 1) {
    const { kind, text } = tokens[at]!;
    const next = tokens[at + 1];
    if (kind === "word" && text === "from" && !inBraces && next?.kind === "string") {
      return { specifier: next.text, names: isAll ? undefined : names };
    }
    if (kind === "sign" && text === "{") inBraces = true;
    else if (kind === "sign" && text === "}") inBraces = false;
    else if (kind === "sign" && text === "*") isAll = true;
    else if (kind === "word" && inBraces) {
      const isOtherName = tokens[at - 1]?.text === "as" && tokens[at - 2]?.text !== ",";
      if (text !== "type" && text !== "as" && !isOtherName) names.push(text);
    } else if (kind === "word" && text !== "type" && text !== "as") isAll = true;
    else if (!(kind === "sign" && text === ",") && kind !== "word" && !inBraces) return undefined;
  }
  return undefined;
}

/** After one of these, `/` begins a regular expression; after other words, `)`, `]` and literals, it divides. */
const beforeRegExp = new Set([
  "return",
  "typeof",
  "case",
  "in",
  "of",
  "do",
  "else",
  "void",
  "delete",
  "throw",
  "new",
]);

const beforeCondition = new Set(["if", "while", "for", "with"]);

function tokensOf(source: string): {
  readonly tokens: readonly Token[];
  readonly references: readonly string[];
} {
  const tokens: Token[] = [];
  const references: string[] = [];
  /** Per `${` that is open, how many `{` are open inside it. */
  const templates: number[] = [];
  /** Per `(` that is open, whether what stands behind its `)` is a statement. */
  const parentheses: boolean[] = [];
  let at = 0;

  const takeTemplate = (): void => {
    while (at < source.length && source[at] !== "`") {
      if (source.startsWith("${", at)) {
        templates.push(0);
        at += 2;
        return;
      }
      at += source[at] === "\\" ? 2 : 1;
    }
    at += 1;
  };

  while (at < source.length) {
    const rest = (pattern: RegExp): string | undefined => {
      pattern.lastIndex = at;
      return pattern.exec(source)?.[0];
    };
    const skipped = rest(/\s+|\/\/.*|\/\*[\s\S]*?\*\/|#!.*/y);
    if (skipped !== undefined) {
      if (/^\/\/\/\s*</.test(skipped)) references.push(skipped);
      at += skipped.length;
      continue;
    }
    const sign = source[at]!;
    const previous = tokens.at(-1);
    if (sign === '"' || sign === "'") {
      const literal = rest(/"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'/y);
      if (literal === undefined) throw new Error(`a string without an end at ${at}`);
      tokens.push({ kind: "string", text: literal.slice(1, -1) });
      at += literal.length;
    } else if (sign === "`") {
      const literal = rest(/`[^`$\\]*`/y);
      at += literal?.length ?? 1;
      if (literal !== undefined) tokens.push({ kind: "string", text: literal.slice(1, -1) });
      else {
        // One with values in it is no string that can be known.
        tokens.push({ kind: "sign", text: "`" });
        takeTemplate();
      }
    } else if (sign === "}" && templates.at(-1) === 0) {
      templates.pop();
      at += 1;
      takeTemplate();
    } else if (sign === "/" && isBeforeRegExp(previous)) {
      const literal = rest(/\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y);
      if (literal === undefined) throw new Error(`a regular expression without an end at ${at}`);
      tokens.push({ kind: "sign", text: "/…/" });
      at += literal.length;
    } else {
      const word = rest(/#?[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*|\d[\w.]*/uy);
      if (word !== undefined) tokens.push({ kind: "word", text: word });
      else {
        if (sign === "(") parentheses.push(previous !== undefined && beforeCondition.has(previous.text));
        const endsCondition = sign === ")" && parentheses.pop() === true;
        if (templates.length > 0 && sign === "{") templates[templates.length - 1]! += 1;
        if (templates.length > 0 && sign === "}") templates[templates.length - 1]! -= 1;
        tokens.push({ kind: "sign", text: sign, endsCondition });
      }
      at += word?.length ?? 1;
    }
  }
  return { tokens, references };
}

function isBeforeRegExp(previous: Token | undefined): boolean {
  if (previous === undefined) return true;
  if (previous.kind === "word") return beforeRegExp.has(previous.text);
  if (previous.endsCondition === true) return true;
  return previous.kind === "sign" && !["/…/", ")", "]", "}", "`"].includes(previous.text);
}
