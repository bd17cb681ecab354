/** What Fovea uses of a `GPUAdapterInfo`; not all browsers have all of it. */
interface AdapterInfo {
  readonly vendor?: string;
  readonly architecture?: string;
  readonly device?: string;
  readonly description?: string;
  readonly isFallbackAdapter?: boolean;
}

interface Gpu {
  requestAdapter(): Promise<{ readonly info?: AdapterInfo } | null>;
}

/** The graphics adapter of a page. */
export interface Adapter {
  /** What the browser calls the adapter. */
  readonly name: string;
  /** Whether the processor does the work of the adapter. */
  readonly isSoftware: boolean;
}

/** The adapter that WebGPU would use; undefined if there is none. */
export async function findAdapter(): Promise<Adapter | undefined> {
  const { gpu } = (globalThis.navigator ?? {}) as { gpu?: Gpu };
  const adapter = await gpu?.requestAdapter().catch(() => null);
  if (!adapter) return undefined;
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info ?? {};
  const words = [vendor, architecture, device, description].filter(Boolean);
  return { name: words.join(' ') || 'unnamed', isSoftware: isFallbackAdapter === true };
}
