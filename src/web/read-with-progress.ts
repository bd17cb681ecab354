import { FoveaError, throwIfCancelled } from '../errors.ts';

/**
 * The body of a response, with the share that has arrived, 0 … 1, after each piece. If the server
 * does not say how long the body is, nothing is reported.
 * @throws FoveaError `download` for a body of another length than the server said.
 */
export async function readWithProgress(
  response: Response,
  onProgress: (share: number) => void,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  // Behind a compressed transfer the length is not that of the file.
  const total = response.headers.has('content-encoding')
    ? Number.NaN
    : Number(response.headers.get('content-length') ?? Number.NaN);
  if (!response.body || !(total > 0)) return new Uint8Array(await response.arrayBuffer());
  const bytes = new Uint8Array(total);
  const reader = response.body.getReader();
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    throwIfCancelled(signal);
    if (done) break;
    if (at + value.length > total)
      throw new FoveaError(
        'download',
        `${response.url} sends more than the ${total} bytes it announced`,
      );
    bytes.set(value, at);
    at += value.length;
    onProgress(at / total);
  }
  if (at < total)
    throw new FoveaError('download', `${response.url} broke off after ${at} of ${total} bytes`);
  return bytes;
}
