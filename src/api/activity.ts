/**
 * Told of every call of every listener, let in or not, from the head of its request to the end of its response. A stream
 * is one call for as long as it is open: somebody watches.
 */
export interface Activity {
  callBegan(): void;
  callEnded(): void;
}
