/**
 * Milliseconds to wait by the header `Retry-After`, given in seconds or as a date.
 * @param most - the longest wait, in milliseconds
 * @returns 0 if the header is missing, wrong, or names a time in the past
 */
export function retryAfter(headers: Headers, most: number): number {
  const text = headers.get('retry-after') ?? '';
  const wait = /^\d+$/.test(text) ? 1000 * Number(text) : Date.parse(text) - Date.now();
  return wait > 0 ? Math.min(most, wait) : 0;
}
