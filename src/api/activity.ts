/** Told of every call of every listener, let in or not, from the head of its request to the end of its response. */
export interface Activity {
  callBegan(): void;
  callEnded(): void;
}
