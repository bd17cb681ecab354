import { FoveaError } from '../errors.ts';

/**
 * Pixels from runs of COCO's run-length code: lengths of alternating runs of 0 and 1, the first of
 * 0, down the columns. Returns rows (row · width + column), 0 or 1.
 * @throws FoveaError `image` if the runs do not add up to the picture.
 */
export function fromRuns(runs: readonly number[], width: number, height: number): Uint8Array {
  const mask = new Uint8Array(width * height);
  let at = 0;
  for (const [i, run] of runs.entries()) {
    if (!(run >= 0) || at + run > mask.length)
      throw new FoveaError(
        'image',
        `a run-length mask has more pixels than its ${width}×${height}`,
      );
    if (i % 2 === 1)
      for (let k = at; k < at + run; k++) mask[(k % height) * width + Math.floor(k / height)] = 1;
    at += run;
  }
  if (at !== mask.length)
    throw new FoveaError(
      'image',
      `a run-length mask has ${at} pixels: expected ${width}×${height} = ${mask.length}`,
    );
  return mask;
}

/**
 * The runs that COCO's compressed text encodes. Each number is written in characters of 5 bits,
 * low bits first: code 48 + bits, 32 more if another follows; the last one's highest bit (16) is
 * the sign. From the fourth on, numbers are differences to the run before the last.
 */
export function decodeRuns(text: string): number[] {
  const runs: number[] = [];
  for (let at = 0; at < text.length; ) {
    let [value, shift, more] = [0, 0, true];
    while (more) {
      if (at >= text.length)
        throw new FoveaError('image', 'a compressed run-length mask is cut off');
      const code = text.charCodeAt(at++) - 48;
      if (code < 0 || code > 63)
        throw new FoveaError(
          'image',
          `a compressed run-length mask contains the character ${JSON.stringify(text[at - 1])}`,
        );
      value += (code & 31) * 2 ** shift;
      shift += 5;
      more = (code & 32) !== 0;
      if (!more && code & 16) value -= 2 ** shift;
    }
    runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
  }
  return runs;
}
