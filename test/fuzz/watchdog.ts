import { Worker } from 'node:worker_threads';

/**
 * The limits of one input: seconds of the processor (on a busy machine, the clock says little) and
 * seconds of the clock, for a reader that waits without end.
 */
const MOST_SECONDS = 10;
const MOST_WAITING = 60;
const MOST_BYTES = 2 * 2 ** 30;

/**
 * The code of a thread beside the one that reads inputs: a reader that does not return cannot stop
 * itself. It ends the process, since a thread cannot end another one that is busy.
 */
const CODE = `
  const { workerData } = require('node:worker_threads');
  const { writeSync } = require('node:fs');
  const { state, what, mostSeconds, mostWaiting, mostBytes } = workerData;
  const [NUMBER, BEGUN, QUIT] = [0, 1, 2];
  const before = process.memoryUsage.rss();
  const used = () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6;
  let [current, since, usedBefore] = [-1, 0, 0];
  const stop = (problem) => {
    writeSync(2, \`\\nfuzz: \${what}, input \${current} \${problem}\\n\`);
    process.kill(process.pid, 'SIGKILL');
  };
  for (;;) {
    Atomics.wait(state, QUIT, 0, 200);
    if (Atomics.load(state, QUIT)) break;
    if (!Atomics.load(state, BEGUN)) current = -1;
    else if (current !== Atomics.load(state, NUMBER)) {
      current = Atomics.load(state, NUMBER);
      [since, usedBefore] = [Date.now(), used()];
    } else if (used() - usedBefore > mostSeconds) stop(\`takes more than \${mostSeconds} s\`);
    else if (Date.now() - since > 1000 * mostWaiting) stop(\`waits for more than \${mostWaiting} s\`);
    if (process.memoryUsage.rss() - before > mostBytes) stop('takes more memory than allowed');
  }
`;

/** Watches the inputs of one target. */
export interface Watchdog {
  begin(input: number): void;
  finish(): void;
  end(): void;
}

/** Starts to watch; `what` names the target in the message. */
export function watch(what: string): Watchdog {
  const state = new Int32Array(new SharedArrayBuffer(12));
  const thread = new Worker(CODE, {
    eval: true,
    workerData: {
      state,
      what,
      mostSeconds: MOST_SECONDS,
      mostWaiting: MOST_WAITING,
      mostBytes: MOST_BYTES,
    },
  });
  thread.unref();
  return {
    begin(input) {
      Atomics.store(state, 0, input);
      Atomics.store(state, 1, 1);
    },
    finish: () => void Atomics.store(state, 1, 0),
    end() {
      Atomics.store(state, 2, 1);
      Atomics.notify(state, 2);
    },
  };
}
