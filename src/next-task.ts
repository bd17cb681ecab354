/** Runs tasks after a message to itself. A timer of 0 ms would take 4 ms after the first few. */
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
 * page that awaits it between long computations stays responsive, and can abort a signal meanwhile.
 * WebAssembly resolves in microtasks only, so without it nothing else would run until an
 * explanation is done.
 */
export async function nextTask(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve));
  relay ??= createRelay();
  // A timer that is due enters the queue when the first message runs, so the second comes after it.
  await new Promise<void>(relay);
  await new Promise<void>(relay);
}
