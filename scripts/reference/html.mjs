// HTML whose interpolations are escaped: what is not Html itself can only become text.

export class Html {
  #source;

  constructor(source) {
    this.#source = source;
  }

  toString() {
    return this.#source;
  }
}

/** `html\`<p>${text}</p>\``: escapes each value; Html stays as it is, arrays are joined, `undefined` and `false` are nothing. */
export function html(parts, ...values) {
  let source = parts[0];
  values.forEach((value, i) => {
    source += sourceOf(value) + parts[i + 1];
  });
  return new Html(source);
}

/** For text that was written as HTML, like a style sheet of ours. */
export function trusted(source) {
  return new Html(source);
}

export function joined(values, separator) {
  return new Html(values.map(sourceOf).join(sourceOf(separator)));
}

function sourceOf(value) {
  if (value === undefined || value === false) return "";
  if (value instanceof Html) return value.toString();
  if (Array.isArray(value)) return value.map(sourceOf).join("");
  return String(value).replace(/[&<>"']/g, (character) => entities[character]);
}

const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
