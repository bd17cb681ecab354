/** Seconds that steps of one kind took: `map rise`, `score deletion`. */
interface Kind {
  seconds: number;
  done: number;
}

/** What a run has done and has left, in seconds: kinds of steps are as long as they were so far. */
export interface WorkMeter {
  /** A step of this kind is over; `seconds` undefined if an earlier run had done it. */
  finish(kind: string, seconds?: number): void;
  /** Steps of this kind will not be run after all. */
  drop(kind: string, count: number): void;
  /** Share of the time that has passed, 0 … 1. */
  share(): number;
  secondsLeft(): number;
}

/**
 * A meter for `counts` steps of each kind. A kind that was never run yet is taken to be as long as
 * the mean of the others.
 */
export function createWorkMeter(counts: ReadonlyMap<string, number>): WorkMeter {
  const left = new Map(counts);
  const kinds = new Map<string, Kind>();
  let spent = 0;
  const mean = ({ seconds, done }: Kind) => seconds / done;
  const secondsLeft = () => {
    const known = [...kinds.values()];
    const usual =
      known.length > 0 ? known.reduce((sum, kind) => sum + mean(kind), 0) / known.length : 0;
    let total = 0;
    for (const [kind, count] of left) {
      const measured = kinds.get(kind);
      total += count * (measured ? mean(measured) : usual);
    }
    return total;
  };
  return {
    finish(kind, seconds) {
      left.set(kind, Math.max(0, (left.get(kind) ?? 0) - 1));
      if (seconds === undefined) return;
      spent += seconds;
      const before = kinds.get(kind) ?? { seconds: 0, done: 0 };
      kinds.set(kind, { seconds: before.seconds + seconds, done: before.done + 1 });
    },
    drop: (kind, count) => left.set(kind, Math.max(0, (left.get(kind) ?? 0) - count)),
    secondsLeft,
    share: () => {
      const rest = secondsLeft();
      return spent + rest > 0 ? spent / (spent + rest) : 0;
    },
  };
}
