import type { Flag, Level } from "./levels.js";

/** A completion script for fish 3. */
export function fishCompletion(levels: readonly Level[]): string {
  const paths = levels.filter(({ path }) => path !== "").map(({ path }) => quoted(path));
  const lines = levels.flatMap(({ path, words, flags, takesFile }) => {
    const condition = path === "" ? "" : ` -n ${quoted(`__portway_at ${quoted(path)}`)}`;
    const root = path === "" ? ` -n ${quoted("__portway_at ''")}` : condition;
    return [
      ...words.map(
        ({ name, summary }) => `complete -c portway${root} -a ${quoted(name)} -d ${quoted(summary)}`,
      ),
      ...(path === "" ? flags : flags.filter((flag) => !levels[0]!.flags.includes(flag))).map(
        (flag) => `complete -c portway${condition}${flagWords(flag)}`,
      ),
      ...(takesFile ? [`complete -c portway${condition} -F`] : []),
    ];
  });
  return `# Completion of portway for fish: portway completion --shell fish > ~/.config/fish/completions/portway.fish
function __portway_at
    set -l at ''
    for word in (commandline -opc)[2..-1]
        set -l next (string trim "$at $word")
        if contains -- "$next" ${paths.join(" ")}
            set at "$next"
        end
    end
    test "$at" = "$argv[1]"
end
complete -c portway -f
${lines.join("\n")}
`;
}

function flagWords({ long, short, description, takesValue, takesFile, choices }: Flag): string {
  const words = [` -l ${long.slice(2)}`];
  if (short !== undefined) words.push(` -s ${short.slice(1)}`);
  if (takesValue) words.push(takesFile ? " -r -F" : " -x");
  if (choices.length > 0) words.push(` -a ${quoted(choices.join(" "))}`);
  return `${words.join("")} -d ${quoted(description)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
