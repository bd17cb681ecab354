// Keeps the page for use without a connection, and isolates it, which threads need, where the
// server of the page cannot set these headers itself.
// The build puts a fingerprint of all files in place of the last word.
const CACHE = 'fovea-studio-FINGERPRINT';

self.addEventListener('install', (event) => {
  const keep = async () => {
    const files = await (await fetch('./offline.json', { cache: 'no-store' })).json();
    const cache = await caches.open(CACHE);
    // If the storage is full, the page is not kept, but it is isolated all the same.
    await cache.addAll(['./', ...files.filter((file) => file !== 'index.html')]).catch(() => {});
    await self.skipWaiting();
  };
  event.waitUntil(keep());
});

self.addEventListener('activate', (event) => {
  const clean = async () => {
    const old = (await caches.keys()).filter((name) => name !== CACHE);
    await Promise.all(old.map((name) => caches.delete(name)));
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

/** The same answer with the headers of an isolated page. */
function isolated(response) {
  if (response.status === 0 || response.type === 'opaque') return response;
  const headers = new Headers(response.headers);
  headers.set('Cross-Origin-Opener-Policy', 'same-origin');
  headers.set('Cross-Origin-Embedder-Policy', 'require-corp');
  headers.set('Cross-Origin-Resource-Policy', 'same-origin');
  const { status, statusText } = response;
  return new Response(response.body, { status, statusText, headers });
}

/** New files from the server; without a connection, those that were kept. */
async function answer(request) {
  const cache = await caches.open(CACHE);
  const { pathname } = new URL(request.url);
  const isFixed = /\/(assets|scenes|ort|models)\//.test(pathname);
  const kept = await cache.match(request, { ignoreSearch: true, ignoreVary: true });
  if (kept && isFixed) return isolated(kept);
  try {
    const response = await fetch(request);
    if (response.ok && !/\/given\//.test(pathname))
      await cache.put(request, response.clone()).catch(() => {}); // the storage may be full
    return isolated(response);
  } catch (error) {
    if (kept) return isolated(kept);
    throw error;
  }
}

self.addEventListener('fetch', (event) => {
  const { method, url } = event.request;
  if (method !== 'GET' || new URL(url).origin !== self.location.origin) return;
  event.respondWith(answer(event.request));
});
