import type { Layout, Sag } from './graph.ts';

/** Places the nodes in layers, roots on top. A worker does it, because it takes long. */
export function layoutOf(sag: Sag): Promise<Layout> {
  const worker = new Worker(new URL('./layout-worker.ts', import.meta.url), { type: 'module' });
  return new Promise<Layout>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Layout>) => resolve(data);
    worker.onerror = () => reject(new Error('The graph could not be drawn. Reload the page.'));
    worker.postMessage(sag);
  }).finally(() => worker.terminate());
}
