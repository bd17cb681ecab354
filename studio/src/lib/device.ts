import type { ModelSummary } from 'fovea/worker';

type Device = NonNullable<ModelSummary['device']>;

const KEY = 'fovea-self-test';

/** What an earlier visit found out about the graphics device. */
export function storedSelfTest(): Device['selfTest'] {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

/** Keeps what was found out for the next visit. If the storage is full, the test runs again then. */
export function storeSelfTest(device: Device | undefined): void {
  try {
    if (device?.selfTest) localStorage.setItem(KEY, JSON.stringify(device.selfTest));
  } catch {}
}

/** One sentence: where the model runs, and why. */
export function deviceWords({ device, threads }: ModelSummary): string {
  const reason = device ? `: ${device.reason}` : '';
  if (device?.device === 'webgpu')
    return `Runs on the graphics device (${device.adapter})${reason}.`;
  return `Runs on the processor, with ${threads} thread${threads === 1 ? '' : 's'}${reason}.`;
}
