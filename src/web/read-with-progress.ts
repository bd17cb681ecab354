import { FoveaError, throwIfCancelled } from '../errors.ts';

/**
 * Reads the body of a response, and reports the share that has arrived, 0 … 1, after each chunk. If
 * the server does not state the length, nothing is reported.
 * @throws FoveaError `download` if the length of the body is not the stated length.
 */
export async function readWithProgress(
  response: Response,
  onProgress: (share: number) => void,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  // If the transfer is compressed, the stated length is not that of the file.
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
