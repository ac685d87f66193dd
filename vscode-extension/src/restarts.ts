/** When the server is started anew: never two starts at once, slower after each crash, waited for only so long. */

/** Runs one piece of work at a time. Requests that come while one waits share it. */
export class Queue {
  private last: Promise<void> = Promise.resolve();
  private waiting: Promise<void> | undefined;

  constructor(private readonly work: () => Promise<void>) {}

  request(): Promise<void> {
    this.waiting ??= this.last = this.last
      .catch(() => undefined)
      .then(() => {
        this.waiting = undefined;
        return this.work();
      });
    return this.waiting;
  }
}

/** `work`, or a rejection when it takes longer than `milliseconds`. */
export async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer in ${milliseconds / 1000} s`));
    }, milliseconds);
  });
  return Promise.race([work, late]).finally(() => {
    clearTimeout(timer);
  });
}

const DELAYS = [500, 2_000, 8_000, 20_000];
const FORGOTTEN_AFTER = 180_000;

/** Milliseconds to wait after a crash. */
export class BackOff {
  private crashes: number[] = [];

  constructor(private readonly now: () => number = Date.now) {}

  /** The wait before the next start; undefined when the server crashed too often of late to try again. */
  crashed(): number | undefined {
    const now = this.now();
    this.crashes = this.crashes.filter((time) => now - time < FORGOTTEN_AFTER);
    this.crashes.push(now);
    return DELAYS[this.crashes.length - 1];
  }

  forget(): void {
    this.crashes = [];
  }
}
