import { randomUUID } from 'node:crypto';
import {
  link,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { FoveaError } from '../errors.ts';
import { parseJson } from '../json.ts';
import { writeError } from '../node/write-file.ts';

/** A holder says this often that it is alive. */
const BEAT_MS = 15_000;

/** A lock of another machine that nobody touched for so long is left over. */
const STALE_MS = 120_000;

/** What stands in a lock: who holds it. */
interface Holder {
  readonly token: string;
  readonly pid: number;
  /** When that process began, since process ids are used again; empty if the system hides it. */
  readonly started: string;
  /** The machine, its boot and its space of process ids: where `pid` means something. */
  readonly home: string;
}

const PREFIX = '.evaluating';
const nameOf = (part: string | undefined): string =>
  part === undefined ? PREFIX : `${PREFIX}.${part}`;
const isLock = (name: string): boolean => /^\.evaluating(\.[\w-]+)?$/.test(name);

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

/** Whether the holder of a lock is still at work. */
async function isHeld(path: string, home: string): Promise<boolean> {
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => undefined,
  );
  if (age === undefined) return false;
  const holder = await readHolder(path);
  if (holder?.home === home) return isRunning(holder);
  return age < STALE_MS;
}

/**
 * Removes a lock that is left over. It is moved aside first and looked at again: a lock that
 * another process took meanwhile is put back.
 */
async function clear(path: string, home: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return; // another process was faster
  }
  if (await isHeld(aside, home)) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

function refuse(folder: string, path: string): never {
  throw new FoveaError(
    'usage',
    `another evaluation is writing to ${folder}: wait until it ends, or take another folder ` +
      `(if it was stopped on another machine, try again in ${STALE_MS / 60_000} minutes ` +
      `or delete ${path})`,
  );
}

/** Other locks that this one excludes: the whole excludes every part, and a part the whole. */
async function rivals(folder: string, part: string | undefined): Promise<string[]> {
  const own = nameOf(part);
  const names = (await readdir(folder)).filter((name) => isLock(name) && name !== own);
  return names.filter((name) => part === undefined || name === PREFIX);
}

async function take(folder: string, path: string, holder: Holder): Promise<void> {
  for (const isLast of [false, true]) {
    try {
      await writeFile(path, JSON.stringify(holder), { flag: 'wx' });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw writeError(path, error);
      if (isLast || (await isHeld(path, holder.home))) refuse(folder, path);
      await clear(path, holder.home);
    }
  }
}

/**
 * Locks a folder for one evaluation, or for one part of it: parts exclude the whole and not each
 * other. A lock whose process is gone is taken over at once if it ran here, and after two minutes
 * if it ran on another machine or in another container. Returns what releases the lock.
 * @throws FoveaError `usage` if another evaluation writes to the folder, `output` if the lock
 * cannot be written.
 */
export async function lockFolder(folder: string, part?: string): Promise<() => Promise<void>> {
  const path = join(folder, nameOf(part));
  const { pid } = process;
  const started = await startOf(pid);
  const holder = { token: randomUUID(), pid, started, home: await findHome() };
  await mkdir(folder, { recursive: true }).catch((cause: unknown) => {
    throw writeError(folder, cause);
  });
  await take(folder, path, holder);
  const beat = setInterval(() => {
    const now = new Date();
    void utimes(path, now, now).catch(() => {});
  }, BEAT_MS);
  beat.unref();
  const release = async (): Promise<void> => {
    clearInterval(beat);
    if ((await readHolder(path))?.token === holder.token) await rm(path, { force: true });
  };
  for (const name of await rivals(folder, part)) {
    if (!(await isHeld(join(folder, name), holder.home))) continue;
    await release();
    refuse(folder, join(folder, name));
  }
  return release;
}
