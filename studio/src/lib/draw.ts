/** Drawing that waits for its turn, so that the page answers between two pictures. */
const waiting = new Map<object, () => void>();
let isRunning = false;

/** Longest time that drawing takes before the page gets a turn, in milliseconds. */
const SLICE = 12;

/** Ends the task, so that the browser can paint and hear its user. */
const nextTask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

async function run(): Promise<void> {
  isRunning = true;
  let start = 0;
  for (let next = waiting.entries().next(); !next.done; next = waiting.entries().next()) {
    if (performance.now() - start > SLICE) {
      await nextTask();
      start = performance.now();
      continue;
    }
    const [owner, draw] = next.value;
    waiting.delete(owner);
    try {
      draw();
    } catch (error) {
      reportError(error);
    }
  }
  isRunning = false;
}

/**
 * Draws soon. If its owner has a drawing that waits already, the new one takes its place.
 * Returns what takes the drawing back.
 */
export function drawSoon(owner: object, draw: () => void): () => void {
  waiting.set(owner, draw);
  if (!isRunning) void run();
  return () => {
    if (waiting.get(owner) === draw) waiting.delete(owner);
  };
}
