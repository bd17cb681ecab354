import { FoveaError, throwIfCancelled } from '../errors.ts';
import type { PartialMap } from '../methods/method.ts';
import type { CallName, Calls, Reply, Request } from './protocol.ts';

/** What `createExplainer` uses of a `Worker`. */
export interface WorkerLike {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  terminate(): void;
  onmessage: ((event: MessageEvent) => void) | null;
  onerror: ((event: ErrorEvent) => void) | null;
}

/** What the caller of one call wants to hear. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Share of the work done, 0 … 1. */
  readonly onProgress?: (share: number) => void;
  /** Receives maps of anytime methods; returning true accepts the map and ends the method. */
  readonly onMap?: (partial: PartialMap) => unknown;
}

interface Pending extends CallOptions {
  resolve(result: unknown): void;
  reject(error: FoveaError): void;
}

/** A worker and the calls that wait for it. */
export class Connection {
  readonly #worker: WorkerLike;
  readonly #pending = new Map<number, Pending>();
  #next = 0;
  /** Why the worker is not usable any more. */
  #ended: FoveaError | undefined;

  constructor(worker: WorkerLike) {
    this.#worker = worker;
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#receive(data);
    worker.onerror = (event) => {
      event.preventDefault?.();
      const reason = event.message || 'its script does not load';
      this.end(new FoveaError('runtime', `the worker stopped: ${reason}`));
    };
  }

  get isUsable(): boolean {
    return this.#ended === undefined;
  }

  call<Name extends CallName>(
    name: Name,
    args: Calls[Name]['args'],
    options: CallOptions = {},
  ): Promise<Calls[Name]['result']> {
    const { signal } = options;
    throwIfCancelled(signal);
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#next++;
    const cancel = () => this.#post({ kind: 'cancel', id });
    signal?.addEventListener('abort', cancel, { once: true });
    const promise = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { ...options, resolve, reject });
      try {
        this.#post({ kind: 'call', id, name, args });
      } catch (cause) {
        this.#pending.delete(id);
        const message = `an argument of ${name} cannot be sent to a worker`;
        reject(new FoveaError('usage', message, { cause }));
      }
    });
    return promise.finally(() => signal?.removeEventListener('abort', cancel)) as Promise<
      Calls[Name]['result']
    >;
  }

  /** Ends the worker; calls that wait for it fail with `reason`. */
  end(reason: FoveaError): void {
    if (this.#ended) return;
    this.#ended = reason;
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(reason);
    this.#pending.clear();
  }

  #post(request: Request): void {
    this.#worker.postMessage(request);
  }

  #receive(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if (!pending) return;
    if (reply.kind === 'progress') pending.onProgress?.(reply.share);
    else if (reply.kind === 'map') {
      if (pending.onMap?.(reply.partial) === true) this.#post({ kind: 'accept', id: reply.id });
    } else {
      this.#pending.delete(reply.id);
      if (reply.kind === 'result') pending.resolve(reply.result);
      else pending.reject(errorOf(reply));
    }
  }
}

/** The error of the worker, with its code; its message says `internal:` already. */
function errorOf({ code, message }: Extract<Reply, { kind: 'error' }>): FoveaError {
  return new FoveaError(code, code === 'internal' ? message.replace(/^internal: /, '') : message);
}
