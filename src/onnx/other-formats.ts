/**
 * Other formats of files that users pass as an ONNX model, by their first bytes, decoded as
 * Latin-1.
 */
const FORMATS: readonly (readonly [start: RegExp, name: string])[] = [
  [/^\xff\xd8\xff/, 'a JPEG picture'],
  [/^\x89PNG/, 'a PNG picture'],
  [/^GIF8/, 'a GIF picture'],
  [/^RIFF....WEBP/s, 'a WebP picture'],
  [/^PK\x03\x04/, 'a ZIP archive, as PyTorch writes it'],
  [/^\x80[\x02-\x05]/, 'a Python pickle, as PyTorch writes it'],
  [/^\x89HDF/, 'an HDF5 file, as Keras writes it'],
  [/^\x1f\x8b/, 'a gzip archive'],
  [/^....TFL3/s, 'a TensorFlow Lite model'],
  [/^....ORTM/s, 'a model in ORT format'],
  [/^version https:\/\/git-lfs/, 'a pointer of Git LFS (git lfs pull fetches the file)'],
  [/^\s*<(!doctype|html)/i, 'an HTML page'],
  [/^\s*[{[]\s*["\]}]/, 'JSON'],
];

/**
 * The name of the format of a file, if its first bytes are those of a known other format. Undefined
 * otherwise.
 */
export function otherFormat(bytes: Uint8Array): string | undefined {
  const start = new TextDecoder('latin1').decode(bytes.subarray(0, 64));
  return FORMATS.find(([pattern]) => pattern.test(start))?.[1];
}
