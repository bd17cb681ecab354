import { nextTask } from '../../next-task.ts';
import { type OnnxModel, writeModel } from '../../onnx/index.ts';
import type { Runtime, Session } from '../../runtime/runtime.ts';

/**
 * Sessions are graphs with their own copy of the weights: the least recently used beyond these are
 * released.
 */
const MOST_SESSIONS = 4;

/** A graph that was built for one purpose, and facts about it: names, batch limit. */
export interface BuiltGraph<Info> {
  readonly model: OnnxModel;
  readonly info: Info;
}

/** Builds a graph. */
type Build<Info> = () => BuiltGraph<Info> | Promise<BuiltGraph<Info>>;

/** A session, and what is known of its graph. */
interface Opened {
  readonly session: Session;
  readonly info: unknown;
}

interface Entry {
  readonly opened: Promise<Opened>;
  /** Runs that are under way or about to start: the session is not released under them. */
  users: number;
}

/** Loads graphs as they are asked for, and keeps the sessions that were used last. */
export class SessionCache {
  private readonly entries = new Map<string, Entry>();
  private readonly runtime: Runtime;

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  /**
   * Runs `task` with the session of the graph that `build` makes, and with what is known of it. The
   * graph is built once per key, and again after the session had to make room. A key must always
   * stand for the same `build`.
   */
  async use<Info, Result>(
    key: string,
    build: Build<Info>,
    task: (session: Session, info: Info) => Promise<Result>,
  ): Promise<Result> {
    const entry = this.entries.get(key) ?? this.open(key, build);
    this.entries.delete(key);
    this.entries.set(key, entry); // the map's order is the order of use
    entry.users++;
    try {
      const { session, info } = await entry.opened;
      return await task(session, info as Info);
    } finally {
      entry.users--;
      await this.makeRoom();
    }
  }

  /** Releases all sessions. The cache can be used again. */
  async dispose(): Promise<void> {
    const entries = [...this.entries.values()];
    this.entries.clear();
    for (const { opened } of entries) await release(opened);
  }

  private open(key: string, build: Build<unknown>): Entry {
    const entry = { opened: this.create(build), users: 0 };
    entry.opened.catch(() => {
      if (this.entries.get(key) === entry) this.entries.delete(key);
    });
    return entry;
  }

  /** Building a graph and loading it take long: other tasks run before each. */
  private async create(build: Build<unknown>): Promise<Opened> {
    await nextTask();
    const { model, info } = await build();
    await nextTask();
    return { session: await this.runtime.createSession(writeModel(model)), info };
  }

  private async makeRoom(): Promise<void> {
    for (const [key, { opened, users }] of this.entries) {
      if (this.entries.size <= MOST_SESSIONS) return;
      if (users > 0) continue;
      this.entries.delete(key);
      await release(opened);
    }
  }
}

/** A session that could not be made needs no release. */
async function release(opened: Promise<Opened>): Promise<void> {
  await (await opened.catch(() => undefined))?.session.release();
}
