import { type Flag, type Level, valueFlags } from "./levels.js";

/** A completion script for zsh; it works from a file of `fpath` as well as sourced. */
export function zshCompletion(levels: readonly Level[]): string {
  const descents = levels.flatMap(({ path, step }) =>
    step === undefined ? [] : [`      '${step.parent}|${step.word}') at='${path}' ;;`],
  );
  const values = valueFlags(levels).map(valueCase);
  const cases = levels.map(({ path, words, flags, takesFile }) => {
    const lines = [`    '${path}')`];
    if (words.length > 0)
      lines.push(`      offered=(${words.map((word) => item(word.name, word.summary)).join(" ")})`);
    const options = flags.flatMap(({ long, short, description }) =>
      (short === undefined ? [long] : [short, long]).map((name) => item(name, description)),
    );
    lines.push(`      flags=(${options.join(" ")})`);
    if (takesFile) lines.push("      files=yes");
    lines.push("      ;;");
    return lines.join("\n");
  });
  return `#compdef portway
# Completion of portway for zsh: portway completion --shell zsh > "\${fpath[1]}/_portway"
_portway() {
  local at='' files='' index
  local -a offered flags
  for ((index = 2; index < CURRENT; index++)); do
    case "$at|\${words[index]}" in
${descents.join("\n")}
    esac
  done
  case "\${words[CURRENT-1]}" in
${values.join("\n")}
  esac
  case "$at" in
${cases.join("\n")}
  esac
  if [[ "\${words[CURRENT]}" == -* ]]; then
    _describe -o 'flag' flags
  else
    (( \${#offered} )) && _describe 'command' offered
    [[ -n "$files" ]] && _files
  fi
  return 0
}
if [[ "$funcstack[1]" == _portway ]]; then
  _portway "$@"
else
  compdef _portway portway
fi
`;
}

function valueCase({ long, short, choices, takesFile }: Flag): string {
  const pattern = short === undefined ? long : `${short}|${long}`;
  if (takesFile) return `    ${pattern}) _files; return ;;`;
  return choices.length === 0
    ? `    ${pattern}) return ;;`
    : `    ${pattern}) compadd -- ${choices.join(" ")}; return ;;`;
}

function item(name: string, text: string): string {
  return `'${`${name}:${text.replaceAll(":", "\\:")}`.replaceAll("'", "'\\''")}'`;
}
