/** A flag and a length, in front of each message of gRPC, gRPC-Web and Connect's streams. */
export const envelopeBytes = 5;

export function envelopeOf(flag: number, message: Uint8Array): Uint8Array {
  const envelope = Buffer.allocUnsafe(envelopeBytes + message.length);
  envelope.writeUInt8(flag, 0);
  envelope.writeUInt32BE(message.length, 1);
  envelope.set(message, envelopeBytes);
  return envelope;
}
