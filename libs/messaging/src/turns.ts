/**
 * One direction between a link and the in-memory broker: what is pushed runs in a later turn of the event loop, never
 * in the caller's, and in the order in which it was pushed. What has not run when it is cut never runs.
 */
export class Turns {
  private last: Promise<void> = Promise.resolve();
  private open = true;

  constructor(private readonly nextTurn: () => Promise<void>) {}

  push(run: () => void): void {
    const previous = this.last;
    const turn = this.nextTurn();
    this.last = turn.then(() => previous).then(() => (this.open ? run() : undefined));
  }

  cut(): void {
    this.open = false;
  }
}
