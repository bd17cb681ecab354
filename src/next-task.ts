/** Calls back by a message to itself: a timer of 0 ms would cost 4 ms after the first few. */
function createRelay(): (task: () => void) => void {
  const { port1, port2 } = new MessageChannel();
  const waiting: (() => void)[] = [];
  port1.onmessage = () => waiting.shift()?.();
  return (task) => {
    waiting.push(task);
    port2.postMessage(undefined);
  };
}

let relay: ((task: () => void) => void) | undefined;

/**
 * Resolves in a new task of the event loop, after the timers, messages and input that are due. A
 * page that awaits this between long computations stays alive, and a signal that is aborted
 * meanwhile counts. WebAssembly resolves in microtasks only: without this, nothing else runs until
 * an explanation is done.
 */
export async function nextTask(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve));
  relay ??= createRelay();
  // A timer that is due gets in line when the first message runs, so the second one is after it.
  await new Promise<void>(relay);
  await new Promise<void>(relay);
}
