import type { ExplainerOptions } from 'fovea/worker';

/** Where a model comes from. */
export interface ModelSource {
  readonly name: string;
  readonly source: NonNullable<ExplainerOptions['model']>;
  readonly isBuiltIn: boolean;
  /** Whether it comes from a hub, which the command line knows by the same name. */
  readonly isOnHub?: boolean;
}

export const BUILT_IN: readonly (ModelSource & { readonly words: string })[] = [
  { name: 'demo-cnn', words: 'An honest little network', source: 'demo-cnn', isBuiltIn: true },
  {
    name: 'demo-cnn-biased',
    words: 'A network with a secret',
    source: 'demo-cnn-biased',
    isBuiltIn: true,
  },
  { name: 'demo-vit', words: 'A small transformer', source: 'demo-vit', isBuiltIn: true },
];

/** A model at an address: of the page's own server, or of a hub that the page may connect to. */
export function modelAt(address: string, name?: string): ModelSource {
  const file = decodeURIComponent(address.split('/').at(-1) ?? 'model');
  return { name: name ?? file.replace(/\.onnx$/i, ''), source: address, isBuiltIn: false };
}

/** A model among files that the user chose. */
export function modelOfFiles(files: readonly File[]): ModelSource {
  const all = files.filter(({ name }) => /\.onnx$/i.test(name));
  const onnx = all.find(({ name }) => name === 'model.onnx') ?? all[0] ?? files[0];
  const name = onnx?.name.replace(/\.onnx$/i, '') ?? 'model';
  return { name, source: files, isBuiltIn: false };
}
