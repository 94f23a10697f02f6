/** The version byte that each side writes once, before its first frame. */
export const protocolVersion = 1;

/** The most bytes of CBOR that a frame may announce. */
export const maxFrameBytes = 16 * 1024 * 1024;

/** The length in front of a frame's CBOR. */
export const lengthBytes = 4;

/** A tracing text longer than this is left out of the message; the rest of it goes on. */
export const maxTraceBytes = 4096;

/** How deep arrays, maps and tags may be nested in what a decoder skips. */
export const maxSkipDepth = 64;
