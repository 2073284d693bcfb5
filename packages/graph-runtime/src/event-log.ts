// What happened to graphs, the last so many events, for people and for tests.

/** What can happen to a graph. */
export type GraphEventKind =
  | 'captured'
  | 'capture-failed'
  | 'verified'
  | 'verification-failed'
  | 'replay-failed'
  | 'fallback'
  | 'evicted'
  | 'over-budget'
  | 'invalidated';

/** One event. */
export interface GraphEvent {
  /** Counts up from 0. */
  readonly sequence: number;
  /** Milliseconds since the process began, as `performance.now()`. */
  readonly at: number;
  readonly kind: GraphEventKind;
  /** Name of the bucketed function. */
  readonly function: string;
  /** The bucket as text, `batch=4 length=128`; empty where the event concerns them all. */
  readonly bucket: string;
  /** Why, or how much: a sentence for people. */
  readonly text: string;
}

/** The last events, in a ring of fixed size. */
export class EventLog {
  readonly #capacity: number;
  readonly #events: GraphEvent[] = [];
  readonly #listeners = new Set<(event: GraphEvent) => void>();
  #next = 0;

  /** @param capacity - events to remember; default 1024 */
  constructor(capacity = 1024) {
    this.#capacity = capacity;
  }

  /** Events that are remembered, oldest first. */
  list(kind?: GraphEventKind): GraphEvent[] {
    return this.#events.filter((event) => kind === undefined || event.kind === kind);
  }

  /** Adds an event and tells the listeners. */
  add(kind: GraphEventKind, functionName: string, bucket: string, text: string): void {
    const event = { sequence: this.#next++, at: performance.now(), kind, function: functionName, bucket, text };
    this.#events.push(event);
    if (this.#events.length > this.#capacity) this.#events.shift();
    for (const listener of this.#listeners) listener(event);
  }

  /** Calls `listener` for every event from now on; returns what ends that. */
  subscribe(listener: (event: GraphEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
