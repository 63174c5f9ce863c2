export enum State {
  queued,
}
