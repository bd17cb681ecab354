import { randomUUID } from 'node:crypto';
import { link, readFile, readlink, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { parseJson } from '../json.ts';

/** A holder says this often that it is alive. */
const BEAT_MS = 15_000;

/** A lock of another machine that was not renewed for so long is left over. */
export const STALE_MS = 120_000;

/** The content of a lock: who holds it. */
interface Holder {
  readonly token: string;
  readonly pid: number;
  /** When that process began, since process ids are used again; empty if the system hides it. */
  readonly started: string;
  /** The machine, its boot and its space of process ids: where `pid` means something. */
  readonly home: string;
}

/** Process ids of containers are not those of their host: Linux names the space they count in. */
async function findHome(): Promise<string> {
  const space = await readlink('/proc/self/ns/pid').catch(() => '');
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return [hostname(), boot.trim(), space].join(' ');
}

/** The time at which a process began, as Linux counts it: field 22 of its `stat`. */
async function startOf(pid: number): Promise<string> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

async function isRunning({ pid, started }: Holder): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  return (await startOf(pid)) === started;
}

/** The holder of a lock; undefined if there is none, or if its file is not one of ours. */
async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const holder = parseJson(await readFile(path, 'utf8')) as Partial<Holder>;
    const { token, pid, started, home } = holder;
    if (!token || !pid || started === undefined || home === undefined) return undefined;
    return { token, pid, started, home };
  } catch {
    return undefined;
  }
}

/** Whether a process that is still at work holds a lock. */
export async function isLocked(path: string): Promise<boolean> {
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => undefined,
  );
  if (age === undefined) return false;
  const holder = await readHolder(path);
  if (holder?.home === (await findHome())) return isRunning(holder);
  return age < STALE_MS;
}

/**
 * Removes a lock that is left over. It is moved aside first and looked at again: a lock that
 * another process took meanwhile is put back.
 */
async function clear(path: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return; // another process was faster
  }
  if (await isLocked(aside)) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

async function take(path: string, holder: Holder): Promise<boolean> {
  for (const isLast of [false, true]) {
    try {
      await writeFile(path, JSON.stringify(holder), { flag: 'wx' });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      if (isLast || (await isLocked(path))) return false;
      await clear(path);
    }
  }
  return false;
}

/**
 * Makes a lock file for the one process that gets it, and returns what removes the lock; undefined
 * if another process holds it. A lock whose process is gone is taken over at once if it ran here,
 * and after two minutes if it ran on another machine or in another container.
 * @throws the system's error if the file cannot be written
 */
export async function lock(path: string): Promise<(() => Promise<void>) | undefined> {
  const { pid } = process;
  const [started, home] = await Promise.all([startOf(pid), findHome()]);
  const holder = { token: randomUUID(), pid, started, home };
  if (!(await take(path, holder))) return undefined;
  const beat = setInterval(() => {
    const now = new Date();
    void utimes(path, now, now).catch(() => {});
  }, BEAT_MS);
  beat.unref();
  return async () => {
    clearInterval(beat);
    if ((await readHolder(path))?.token === holder.token) await rm(path, { force: true });
  };
}
