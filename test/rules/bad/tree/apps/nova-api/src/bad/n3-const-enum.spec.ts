export const enum State {
  queued,
}
