import { type Flag, type Level, valueFlags } from "./levels.js";

/** A completion script for bash 3.2 and later, without bash-completion. */
export function bashCompletion(levels: readonly Level[]): string {
  const descents = levels.flatMap(({ path, step }) =>
    step === undefined ? [] : [`            "${step.parent}|${step.word}") path="${path}" ;;`],
  );
  const values = valueFlags(levels).map(valueCase);
  const words = levels.map(({ path, words: names, flags, takesFile }) => {
    const all = [
      ...names.map(({ name }) => name),
      ...flags.flatMap(({ long, short }) => (short ? [short, long] : [long])),
    ];
    return `        "${path}") words="${all.join(" ")}"${takesFile ? " files=yes" : ""} ;;`;
  });
  return `# Completion of portway for bash: source <(portway completion --shell bash)
_portway() {
    local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}"
    local path="" words="" files="" index
    for ((index = 1; index < COMP_CWORD; index++)); do
        case "$path|\${COMP_WORDS[index]}" in
${descents.join("\n")}
        esac
    done
    COMPREPLY=()
    case "$previous" in
${values.join("\n")}
    esac
    case "$path" in
${words.join("\n")}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    if [[ -n "$files" ]]; then
        local IFS=$'\n'
        COMPREPLY+=($(compgen -f -- "$current"))
    fi
}
complete -o filenames -F _portway portway
`;
}

function valueCase({ long, short, choices, takesFile }: Flag): string {
  const pattern = short === undefined ? long : `${short}|${long}`;
  if (takesFile)
    return `        ${pattern}) local IFS=$'\\n'; COMPREPLY=($(compgen -f -- "$current")); return ;;`;
  if (choices.length === 0) return `        ${pattern}) return ;;`;
  return `        ${pattern}) COMPREPLY=($(compgen -W "${choices.join(" ")}" -- "$current")); return ;;`;
}
