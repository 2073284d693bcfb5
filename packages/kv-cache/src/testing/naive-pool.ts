// A page pool with prefix index, written to be obviously right: lists that are searched and filtered, no counters. What
// a page holds is a number that stands for everything from the beginning of its sequence to the page's last token.

/** Naive twin of `PagePool` and `PrefixIndex`. */
export class NaivePool {
  readonly total: number;
  /** One entry for each reference. */
  readonly held: number[] = [];
  /** Beginning → the page that holds its end. */
  readonly published = new Map<number, number>();
  /** Cached pages without a pin, the least recently used first. */
  evictable: number[] = [];
  /** One entry for each pin. */
  readonly pins: number[] = [];
  evictions = 0;

  constructor(total: number) {
    this.total = total;
  }

  references(page: number): number {
    return this.held.filter((one) => one === page).length;
  }

  isPublished(page: number): boolean {
    return [...this.published.values()].includes(page);
  }

  state(page: number): string {
    if (this.held.includes(page)) return 'used';
    return this.isPublished(page) ? 'cached' : 'free';
  }

  pages(state: string): number[] {
    return Array.from({ length: this.total }, (_, page) => page).filter((page) => this.state(page) === state);
  }

  /** Makes room for `count` pages: gives up the least recently used of the evictable ones, as few as possible. */
  makeRoom(count: number): void {
    const evicted = this.evictable.splice(0, Math.max(0, count - this.pages('free').length));
    this.evictions += evicted.length;
    for (const page of evicted) this.retract(page);
  }

  retain(page: number): void {
    this.held.push(page);
    this.evictable = this.evictable.filter((one) => one !== page);
  }

  release(page: number): void {
    this.held.splice(this.held.indexOf(page), 1);
    this.#cacheIfLeft(page);
  }

  pin(page: number): void {
    this.pins.push(page);
    this.evictable = this.evictable.filter((one) => one !== page);
  }

  unpin(page: number): void {
    this.pins.splice(this.pins.indexOf(page), 1);
    if (!this.pins.includes(page)) this.#cacheIfLeft(page);
  }

  retract(page: number): void {
    for (const [beginning, one] of this.published) if (one === page) this.published.delete(beginning);
  }

  clear(): void {
    for (const page of [...this.published.values()]) if (!this.pins.includes(page)) this.retract(page);
    this.evictable = [];
  }

  statistics(): Record<string, number> {
    const held = new Set(this.held);
    return {
      total: this.total,
      free: this.pages('free').length,
      used: held.size,
      cached: this.pages('cached').length,
      shared: [...held].filter((page) => this.references(page) > 1).length,
      pinned: new Set(this.pins).size,
    };
  }

  #cacheIfLeft(page: number): void {
    if (this.state(page) === 'cached' && !this.pins.includes(page)) this.evictable.push(page);
  }
}
