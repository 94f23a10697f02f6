/** What two Portway ends say to each other about their connection; the number is on the wire. */
export const noticeKinds = {
  hello: 1,
  challenge: 2,
  confirm: 3,
  welcome: 4,
  refusal: 5,
  goodbye: 6,
  ping: 7,
  pong: 8,
} as const;

export type NoticeKind = keyof typeof noticeKinds;

/** Why a listener refuses; 0 in every notice but a refusal. */
export const refusalReasons = { none: 0, tooMany: 1, unknown: 2, closed: 3 } as const;

export interface Notice {
  readonly kind: NoticeKind;
  readonly reason: number;
  /** 8 bytes that the dialer chose. */
  readonly dialerId: Buffer;
  /** 8 bytes that the listener chose; zeros where it has not yet said them. */
  readonly listenerId: Buffer;
}

export const noticeIdBytes = 8;

/** A message with two empty routes, of three elements, and a payload of 24 or 40 bytes that begins with `PWU1`. */
const headOf = (payloadBytes: number): Buffer => Buffer.from([0x83, 0x80, 0x80, 0x58, payloadBytes]);
const mark = Buffer.from("PWU1");
const usualBytes = 24;
/** Larger than what answers it, so that an answer is never more than the question. */
const helloBytes = 40;
const headBytes = 5;

const kindOfNumber = new Map<number, NoticeKind>(
  Object.entries(noticeKinds).map(([kind, number]) => [number, kind as NoticeKind]),
);

/** The message that carries a notice: a heartbeat to whoever does not know notices. */
export function encodeNotice({ kind, reason, dialerId, listenerId }: Notice): Buffer {
  const payloadBytes = kind === "hello" ? helloBytes : usualBytes;
  const body = Buffer.alloc(headBytes + payloadBytes);
  headOf(payloadBytes).copy(body);
  mark.copy(body, headBytes);
  body[headBytes + 4] = noticeKinds[kind];
  body[headBytes + 5] = reason;
  dialerId.copy(body, headBytes + 8);
  listenerId.copy(body, headBytes + 16);
  return body;
}

/** The notice that the message at `start` to `end` carries, or undefined if it is none. Never throws. */
export function decodeNotice(bytes: Buffer, start: number, end: number): Notice | undefined {
  const payloadBytes = end - start - headBytes;
  if (payloadBytes !== usualBytes && payloadBytes !== helloBytes) return undefined;
  const at = start + headBytes;
  if (!headOf(payloadBytes).equals(bytes.subarray(start, at))) return undefined;
  if (!mark.equals(bytes.subarray(at, at + 4))) return undefined;
  const kind = kindOfNumber.get(bytes[at + 4]!);
  if (kind === undefined || (kind === "hello") !== (payloadBytes === helloBytes)) return undefined;
  return {
    kind,
    reason: bytes[at + 5]!,
    dialerId: Buffer.from(bytes.subarray(at + 8, at + 16)),
    listenerId: Buffer.from(bytes.subarray(at + 16, at + 24)),
  };
}
