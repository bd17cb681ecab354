/** Whether the page is kept for use without a connection; undefined until that is known. */
export const offline = $state<{ isKept?: boolean }>({});

/** Has the browser keep the page, as far as it has room. */
export async function keepPage(): Promise<void> {
  try {
    await navigator.serviceWorker.register('./sw.js');
    await navigator.serviceWorker.ready;
    offline.isKept = (await caches.match(new URL('./', location.href))) !== undefined;
  } catch {} // The browser allows no service workers here.
}
