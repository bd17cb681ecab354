import { describe, expect, it } from 'vitest';
import { image } from '../image/image.ts';
import type { WorkerLike } from './connection.ts';
import { createExplainer } from './explainer.ts';
import type { CallName, Reply, Request } from './protocol.ts';

/** What a worker replies to a call; undefined for no reply. */
type Answer = (name: CallName, args: readonly unknown[]) => Partial<Reply> | undefined;

/** A worker that answers in the next task, and remembers what it was sent. */
class FakeWorker implements WorkerLike {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  isTerminated = false;
  readonly received: Request[] = [];
  readonly #answer: Answer;

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  postMessage(message: unknown): void {
    const request = message as Request;
    this.received.push(request);
    if (request.kind !== 'call') return;
    const reply = this.#answer(request.name, request.args as readonly unknown[]);
    if (reply) setTimeout(() => this.reply({ ...reply, id: request.id } as Reply));
  }

  reply(data: Reply): void {
    this.onmessage?.({ data } as MessageEvent);
  }

  terminate(): void {
    this.isTerminated = true;
  }
}

const SUMMARY = { name: 'fake', labels: ['a', 'b'] };
const ok = (result: unknown): Partial<Reply> => ({ kind: 'result', result });
const picture = image(2, 2);

/** An explainer whose workers answer as given, one after the other. */
async function explainerWith(...answers: Answer[]) {
  const workers: FakeWorker[] = [];
  const reloads: unknown[] = [];
  const explainer = await createExplainer({
    device: 'auto',
    onReload: (model) => reloads.push(model),
    startWorker: () => {
      const worker = new FakeWorker(answers[workers.length] ?? (() => undefined));
      workers.push(worker);
      return worker;
    },
  });
  return { explainer, workers, reloads };
}

/** What a worker was asked to load. */
const loadOf = (worker: FakeWorker | undefined): unknown => {
  const [request] = worker?.received ?? [];
  return request?.kind === 'call' ? (request.args as unknown[])[0] : undefined;
};

const loads =
  (then: Answer): Answer =>
  (name, args) =>
    name === 'load' ? ok(SUMMARY) : then(name, args);

describe('createExplainer', () => {
  it('loads the model again if the graphics device is lost, then on WebAssembly', async () => {
    const tested = { key: 'this device', differences: {} };
    const device = { device: 'webgpu', reason: 'it is right', selfTest: tested };
    const lost: Answer = (name) =>
      name === 'load'
        ? ok({ ...SUMMARY, device })
        : {
            kind: 'error',
            code: 'runtime',
            message: 'the graphics device was lost (too hot): reload the page',
          };
    const right = loads(() => ok('scores'));
    const once = await explainerWith(lost, right);
    // Two calls at the same time lose one device.
    const calls = [once.explainer.classify(picture), once.explainer.classify(picture)];
    expect(await Promise.all(calls)).toEqual(['scores', 'scores']);
    expect(once.workers.map(({ isTerminated }) => isTerminated)).toEqual([true, false]);
    expect(loadOf(once.workers[1])).toMatchObject({ options: { selfTest: tested } });
    const twice = await explainerWith(lost, lost, right);
    expect(await twice.explainer.classify(picture)).toBe('scores');
    expect(loadOf(twice.workers[1])).not.toHaveProperty('report');
    expect(loadOf(twice.workers[2])).toMatchObject({
      options: { device: 'cpu' },
      report: { device: 'wasm', reason: 'the graphics device was lost 2 times' },
    });
    expect(twice.reloads).toHaveLength(2);
    const fails = await explainerWith(lost, lost, lost);
    await expect(fails.explainer.classify(picture)).rejects.toThrow(/device was lost/);
    expect(fails.workers).toHaveLength(3);
  });

  it('starts another worker for the next call if one stops', async () => {
    const { explainer, workers } = await explainerWith(
      loads(() => undefined),
      loads(() => ok('scores')),
    );
    const failing = explainer.classify(picture);
    workers[0]?.onerror?.({ message: 'out of memory' } as ErrorEvent);
    await expect(failing).rejects.toThrow('the worker stopped: out of memory');
    expect(await explainer.classify(picture)).toBe('scores');
    expect(workers).toHaveLength(2);
  });

  it('keeps codes of errors, and says what goes wrong while the model is loaded', async () => {
    const answer: Answer = () => ({ kind: 'error', code: 'model', message: 'not intact' });
    await expect(explainerWith(answer)).rejects.toMatchObject({
      name: 'FoveaError',
      code: 'model',
      message: 'not intact',
    });
    const controller = new AbortController();
    const worker = new FakeWorker(() => undefined);
    const loading = createExplainer({ startWorker: () => worker, signal: controller.signal });
    controller.abort();
    await expect(loading).rejects.toMatchObject({ code: 'cancelled' });
    expect(worker.isTerminated).toBe(true);
  });

  it('sends the pixels of a picture once, and forgets the oldest of nine', async () => {
    const { explainer, workers } = await explainerWith(loads(() => ok('scores')));
    const pictures = Array.from({ length: 9 }, () => image(1, 1));
    for (const each of [...pictures.slice(0, 2), ...pictures]) await explainer.classify(each);
    const messages = (workers[0]?.received ?? []).flatMap((request) => {
      if (request.kind !== 'call' || request.name === 'load') return [];
      const [message] = request.args as { id: number; image?: unknown; forget: number[] }[];
      return message ? [message] : [];
    });
    expect(messages.map((message) => Boolean(message.image))).toEqual([
      ...[true, true, false, false],
      ...Array(7).fill(true),
    ]);
    expect(messages.at(-1)?.forget).toEqual([messages[0]?.id]);
  });

  it('cancels and accepts by messages, and refuses calls after it was disposed', async () => {
    const { explainer, workers } = await explainerWith(loads(() => undefined));
    const [worker] = workers;
    const controller = new AbortController();
    const running = explainer.explain(picture, {
      signal: controller.signal,
      onMap: () => true,
    });
    await Promise.resolve();
    await new Promise((resolve) => setTimeout(resolve));
    const id = worker?.received.at(-1)?.id ?? -1;
    worker?.reply({ kind: 'map', id, partial: {} as never });
    controller.abort();
    expect(worker?.received.slice(-2)).toEqual([
      { kind: 'accept', id },
      { kind: 'cancel', id },
    ]);
    explainer.dispose();
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
    await expect(explainer.classify(picture)).rejects.toMatchObject({ code: 'usage' });
  });
});
