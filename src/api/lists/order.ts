import type { DescMessage, Message } from "@bufbuild/protobuf";
import { PortwayError } from "../../base/errors.js";
import { type Comparable, type FieldPath, findField } from "./field-path.js";

/** A text for an item: those of several items are in the order that was asked for. */
export type OrderKey = (item: Message) => string;

/** The order that `text` asks for, as in AIP-132: `create_time desc, name`. Throws `bad_argument`. */
export function compileOrder(text: string, type: DescMessage): OrderKey {
  if (text.trim() === "") return () => "";
  const keys = text.split(",").map((part) => compilePart(part.trim(), type));
  return (item) => keys.map((key) => key(item)).join("");
}

function compilePart(part: string, type: DescMessage): OrderKey {
  const [name = "", direction, ...rest] = part.split(/\s+/);
  if (name === "") throw wrong("expected the name of a field between the commas");
  if ((direction !== undefined && direction !== "desc") || rest.length > 0) {
    throw wrong(
      `expected nothing or desc behind ${JSON.stringify(name)}, found ${JSON.stringify([direction, ...rest].join(" "))}`,
    );
  }
  const path = findField(name, type, wrong);
  if (path.isMany) throw wrong(`${JSON.stringify(name)} may have several values, which have no order`);
  if (path.leaf.kind === "message")
    throw wrong(`${JSON.stringify(name)} has fields of its own; expected one of them`);
  const turn = direction === "desc" ? 0xff : 0;
  return (item) => turned(bytesOf(path, item), turn);
}

/** No bytes of one value are the beginning of another's; what is not there comes before all that is. */
function bytesOf(path: FieldPath, item: Message): Buffer {
  let bytes = Buffer.of(0);
  path.some(item, (value) => {
    bytes = Buffer.concat([Buffer.of(1), bytesOfValue(value)]);
    return true;
  });
  return bytes;
}

function bytesOfValue(value: Comparable): Buffer {
  if (typeof value === "boolean") return Buffer.of(value ? 1 : 0);
  if (typeof value === "bigint")
    return Buffer.from((value + numberOffset).toString(16).padStart(numberDigits, "0"), "hex");
  // A zero in the text is told from the end, which is lower than all that can follow.
  return Buffer.concat([Buffer.from(value.replaceAll("\0", "\0\x01")), Buffer.of(0, 0)]);
}

/** Makes numbers of up to 2^79, of nanoseconds too, positive ones of one length. */
const numberOffset = 1n << 79n;
const numberDigits = 20;

function turned(bytes: Buffer, turn: number): string {
  return Buffer.from(bytes.map((byte) => byte ^ turn)).toString("latin1");
}

function wrong(problem: string): PortwayError {
  return new PortwayError("bad_argument", `the order is wrong: ${problem}`, { field: "order_by" });
}
