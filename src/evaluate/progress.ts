/** Seconds and number of the finished steps of one kind, such as `map rise` or `score deletion`. */
interface Kind {
  seconds: number;
  done: number;
}

/** Estimates the time of a run: a step takes the mean time of the finished steps of its kind. */
export interface WorkMeter {
  /** Counts a step of this kind as finished; `seconds` is undefined if it was not timed. */
  finish(kind: string, seconds?: number): void;
  /** Removes `count` steps of this kind, which will not be run. */
  drop(kind: string, count: number): void;
  /** Share of the time that has passed, 0 … 1. */
  share(): number;
  secondsLeft(): number;
}

/**
 * Makes a meter for `counts` steps of each kind. A step of a kind that has not been timed yet
 * counts as long as the mean of the other kinds.
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
