import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createRemoteModel } from '../../../src/model/remote-model.ts';
import { fetchModelFiles } from '../../../src/node/hub.ts';
import { smallModel } from '../../../src/onnx/fixtures/small-model.ts';
import { writeModel } from '../../../src/onnx/index.ts';
import type { Random } from '../../../src/tensor/random.ts';
import { tensor } from '../../../src/tensor/tensor.ts';
import { defineTarget } from '../engine.ts';
import { temporaryFolder } from '../folder.ts';
import { mutateBytes } from '../mutations/bytes.ts';
import { mutateJsonFile } from '../mutations/json.ts';
import { chance, pick } from '../mutations/pick.ts';

/** A response of a server: a status, headers and a body. */
interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer>;
}

const STATUSES = [
  200, 200, 200, 200, 201, 204, 206, 301, 302, 307, 308, 400, 401, 404, 413, 416, 429, 500, 503,
  599,
];
const HEADERS: readonly (readonly [string, readonly string[]])[] = [
  ['content-type', ['application/json', 'text/html; charset=utf-8', '', 'x/y; charset=\u00ff']],
  [
    'location',
    ['http://127.0.0.1:1/', '/', 'file:///etc/passwd', 'http://[', '', '//', 'javascript:1'],
  ],
  ['retry-after', ['0', '-1', 'soon', '0.001', 'Thu, 01 Jan 1970 00:00:00 GMT']],
  ['etag', ['"a"', 'W/"a"', '"', `"${'0'.repeat(64)}"`, 'x'.repeat(3000)]],
  ['x-linked-size', ['10', '-1', '1e3', '99999999999999999999', 'NaN']],
  ['x-linked-etag', [`"${'f'.repeat(64)}"`, '"']],
  ['x-repo-commit', ['c'.repeat(40), '../../x', '__proto__']],
  ['x-error-code', ['RepoNotFound', 'GatedRepo', 'constructor']],
  ['content-range', ['bytes 0-9/10', 'bytes 5-9/*', 'bytes x', '']],
];

function mutateAnswer(body: Uint8Array<ArrayBuffer>, random: Random): Answer {
  const headers = Object.fromEntries(
    HEADERS.filter(() => chance(random, 0.15)).map(([name, values]) => [
      name,
      pick(random, values),
    ]),
  );
  return { status: chance(random, 0.7) ? 200 : pick(random, STATUSES), headers, body };
}

const METADATA = {
  name: 'm',
  versions: ['1'],
  platform: 'onnx',
  inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 3, 4, 4] }],
  outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 3] }],
};
const scores = (count: number) => ({
  model_name: 'm',
  outputs: [
    {
      name: 'y',
      datatype: 'FP32',
      shape: [count, 3],
      data: Array.from({ length: 3 * count }, (_, i) => i % 3),
    },
  ],
});

interface Server2 {
  readonly metadata: Answer;
  readonly first: Answer;
  readonly second: Answer;
}

const plain = (value: unknown): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(JSON.stringify(value));
const right = (value: unknown): Answer => ({ status: 200, headers: {}, body: plain(value) });
const hasNoBody = (status: number): boolean => [204, 304].includes(status);

/** A model on a server of the Open Inference Protocol. */
const remote = defineTarget<Server2>({
  name: 'remote',
  count: 800,
  prepare: () => ({
    make(random) {
      const turn = random.integer(3);
      const answer = (at: number, value: unknown) =>
        at === turn ? mutateAnswer(mutateJsonFile(value, random), random) : right(value);
      return {
        metadata: answer(0, METADATA),
        first: answer(1, scores(1)),
        second: answer(2, scores(2)),
      };
    },
    async read({ metadata, first, second }) {
      const answers = [metadata, first, second];
      const fetch = async () => {
        const { status, headers, body } = answers.length > 1 ? (answers.shift() ?? second) : second;
        return new Response(hasNoBody(status) ? null : body, { status, headers });
      };
      const model = await createRemoteModel('http://127.0.0.1:1/v2/models/m', {
        fetch,
        retryDelay: 0,
        attempts: 2,
        preprocessing: { size: [4, 4] },
      });
      const [height, width] = model.preprocessing.size;
      const channels = model.preprocessing.mean.length;
      const { shape, data } = await model.classify(tensor([2, channels, height, width]));
      const isRight = shape[0] === 2 && data.every((value) => value >= 0 && value <= 1);
      if (!isRight) throw new Error(`scores ${data} of shape ${shape}`);
    },
  }),
});

const CONFIG = { model_type: 'vit', id2label: { 0: 'a', 1: 'b' } };

/** A hub on this machine that sends the given responses. */
async function listen(
  answer: (path: string) => Answer,
): Promise<{ server: Server; endpoint: string }> {
  const server = createServer((request, response) => {
    const { status, headers, body } = answer(request.url ?? '');
    try {
      response.writeHead(status, headers);
    } catch {
      response.writeHead(status);
    }
    response.end(hasNoBody(status) ? undefined : body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

interface Repository {
  readonly config: Answer;
  readonly model: Answer;
  /** The files of an earlier run in the cache. */
  readonly snapshot: Uint8Array;
}

/** The files of a model on a hub, and the cache that an earlier run left. */
const hub = defineTarget<Repository>({
  name: 'hub',
  count: 200,
  async prepare() {
    const folder = temporaryFolder('hub');
    const bytes = new Uint8Array(writeModel(smallModel()));
    let repository: Repository | undefined;
    const { server, endpoint } = await listen((path) => {
      const isModel = path.endsWith('.onnx');
      return (isModel ? repository?.model : repository?.config) ?? right({});
    });
    let run = 0;
    return {
      make: (random) => ({
        config: mutateAnswer(mutateJsonFile(CONFIG, random), random),
        model: mutateAnswer(chance(random, 0.3) ? mutateBytes(bytes, random) : bytes, random),
        snapshot: mutateJsonFile({ commit: 'c'.repeat(40), absent: ['config.json'] }, random),
      }),
      async read(input) {
        repository = input;
        const { mkdir, writeFile } = await import('node:fs/promises');
        const cacheDir = folder.at(String(run++));
        await mkdir(`${cacheDir}/hub/org--net/main`, { recursive: true });
        await writeFile(`${cacheDir}/hub/org--net/main/.fovea.json`, input.snapshot);
        await fetchModelFiles('org/net', { endpoint, cacheDir, retryDelay: 0, file: 'model.onnx' });
      },
      async end() {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
        folder.remove();
      },
    };
  },
});

export const servers = [remote, hub];
