/** The script of the worker that `createExplainer` starts. */

import { serve } from './host.ts';
import type { Request } from './protocol.ts';

/** What a worker's global object has, of which TypeScript's DOM types know nothing. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(message: unknown, transfer: Transferable[]): void;
}

const scope = globalThis as typeof globalThis & WorkerScope;
const receive = serve((reply, transfer) => scope.postMessage(reply, transfer));
scope.onmessage = ({ data }) => receive(data);
