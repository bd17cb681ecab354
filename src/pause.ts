/**
 * Waits some milliseconds. If the signal fires first, or has fired before, it rejects at once.
 * @param cancelled - makes the error that it rejects with
 */
export function pause(
  milliseconds: number,
  signal: AbortSignal | undefined,
  cancelled: () => Error,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(cancelled());
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
