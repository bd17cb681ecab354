import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FoveaError } from '../../errors.ts';
import { EMBEDDED_MODELS, isEmbeddedModel } from '../../model/files/model-files.ts';

/** A file of a site: where it lies, or what it contains. */
type SiteFile = string | { readonly text: string };

/** The files of a site by their paths in addresses. No other file can be requested. */
export type SiteFiles = ReadonlyMap<string, SiteFile>;

const DIST = fileURLToPath(new URL('../../', import.meta.url));

/** The files below a folder, with `/` between the parts of their paths. */
function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .map((path) => path.replaceAll('\\', '/'));
}

/** The folder of ONNX Runtime's WebAssembly, of which the package has no second copy. */
function runtimeFolder(): string {
  const main = createRequire(import.meta.url).resolve(
    'onnxruntime-web/ort-wasm-simd-threaded.wasm',
  );
  return dirname(main);
}

/**
 * The files of the studio: the page itself, the built-in models and ONNX Runtime.
 * @throws FoveaError `internal` if the package was built without the page.
 */
export function studioFiles(folder: string = join(DIST, 'studio')): SiteFiles {
  const page = filesBelow(folder);
  if (!page.includes('index.html'))
    throw new FoveaError('internal', `the page of the studio is missing in ${folder}`);
  const files = new Map<string, SiteFile>();
  for (const path of page) files.set(`/${path}`, join(folder, path));
  for (const name of EMBEDDED_MODELS)
    for (const ending of ['onnx', 'json'])
      files.set(`/models/${name}.${ending}`, join(DIST, 'demo/models', `${name}.${ending}`));
  const ort = runtimeFolder();
  for (const path of filesBelow(ort))
    if (/^ort-wasm[\w.-]+\.wasm$/.test(path)) files.set(`/ort/${path}`, join(ort, path));
  files.set('/', join(folder, 'index.html'));
  return files;
}

/** What a page may connect to, as its security policy lists it. */
export const OWN_SOURCES = "connect-src 'self' blob: data:";

/** A hub, and the servers that it sends requests for files to. */
export interface AllowedHub {
  readonly address: string;
  readonly sources: string;
}

/** The hub that a page may connect to if the user allows it. */
export function allowedHub(address: string): AllowedHub {
  const { origin, hostname } = new URL(address);
  const more = hostname === 'huggingface.co' ? ' https://*.huggingface.co https://*.hf.co' : '';
  return { address: address.replace(/\/+$/, ''), sources: `${origin}${more}` };
}

/** The files of a site whose page may connect to a hub. The page reads the address of the hub. */
export function withHub(files: SiteFiles, { address, sources }: AllowedHub): SiteFiles {
  const page = files.get('/index.html');
  if (typeof page !== 'string') return files;
  const hub = `<meta name="fovea-hub" content="${encodeURI(address)}" />`;
  const text = readFileSync(page, 'utf8')
    .replace(OWN_SOURCES, `${OWN_SOURCES} ${sources}`)
    .replace('<title>', `${hub}\n    <title>`);
  return new Map([...files, ['/', { text }], ['/index.html', { text }]]);
}

/** A model that the page opens: its address on the site, and its files. */
export interface GivenModel {
  readonly address: string;
  readonly files: SiteFiles;
}

/** Files beside a model that the page may request. */
const BESIDE = ['config.json', 'preprocessor_config.json'];

/**
 * The model of `--model`: a built-in one, or an `.onnx` file with the files beside it.
 * @throws FoveaError `usage` if it is neither.
 */
export function givenModel(model: string): GivenModel {
  if (isEmbeddedModel(model)) return { address: model, files: new Map() };
  if (!/\.onnx$/i.test(model) || !existsSync(model)) {
    const expected = `${EMBEDDED_MODELS.join(', ')} or an .onnx file`;
    throw new FoveaError('usage', `--model ${model}: the studio opens ${expected}`);
  }
  const [folder, file] = [dirname(model), basename(model)];
  const stem = file.replace(/\.onnx$/i, '');
  const names = [file, `${stem}.json`, `${file}.data`, `${file}_data`, `${stem}.data`, ...BESIDE];
  const there = names.filter((name) => existsSync(join(folder, name)));
  const files = new Map(
    there.map((name) => [`/given/${encodeURIComponent(name)}`, join(folder, name)]),
  );
  return { address: `given/${encodeURIComponent(file)}`, files };
}
