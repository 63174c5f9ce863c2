export interface Sleeper {
  readonly due: number;
  readonly wake: () => void;
}

interface Queued extends Sleeper {
  readonly order: number;
  gone: boolean;
}

/** Who sleeps, by when they are due; of those due at once the one that went to sleep first. A binary heap. */
export class SleeperQueue {
  private readonly heap: Queued[] = [];
  private order = 0;
  private living = 0;

  get size(): number {
    return this.living;
  }

  add(due: number, wake: () => void): Sleeper {
    const queued: Queued = { due, wake, order: (this.order += 1), gone: false };
    this.living += 1;
    this.heap.push(queued);
    this.rise(this.heap.length - 1);
    return queued;
  }

  /** It leaves the heap when it comes to its top. */
  remove(sleeper: Sleeper): void {
    const queued = sleeper as Queued;
    if (queued.gone) return;
    queued.gone = true;
    this.living -= 1;
  }

  first(): Sleeper | null {
    for (let top = this.heap[0]; top !== undefined; top = this.heap[0]) {
      if (!top.gone) return top;
      this.dropTop();
    }
    return null;
  }

  private dropTop(): void {
    const last = this.heap.pop();
    if (last === undefined || this.heap.length === 0) return;
    this.heap[0] = last;
    this.sink(0);
  }

  private rise(from: number): void {
    for (let at = from; at > 0;) {
      const parent = (at - 1) >> 1;
      if (!this.isBefore(at, parent)) return;
      this.swap(at, parent);
      at = parent;
    }
  }

  private sink(from: number): void {
    for (let at = from; ;) {
      const left = 2 * at + 1;
      const right = left + 1;
      let least = at;
      if (left < this.heap.length && this.isBefore(left, least)) least = left;
      if (right < this.heap.length && this.isBefore(right, least)) least = right;
      if (least === at) return;
      this.swap(at, least);
      at = least;
    }
  }

  private isBefore(one: number, other: number): boolean {
    const a = this.heap[one];
    const b = this.heap[other];
    if (a === undefined || b === undefined) return false;
    return a.due < b.due || (a.due === b.due && a.order < b.order);
  }

  private swap(one: number, other: number): void {
    const a = this.heap[one];
    const b = this.heap[other];
    if (a === undefined || b === undefined) return;
    this.heap[one] = b;
    this.heap[other] = a;
  }
}
