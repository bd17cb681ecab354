import { nextTask } from '../../next-task.ts';
import { type OnnxModel, writeModel } from '../../onnx/index.ts';
import type { Runtime, Session } from '../../runtime/runtime.ts';

/**
 * The most sessions that are kept. Each has its own copy of the weights, so the least recently used
 * ones beyond this number are released.
 */
const MOST_SESSIONS = 4;

/** A graph that was built for one purpose, and facts about it: names, batch limit. */
export interface BuiltGraph<Info> {
  readonly model: OnnxModel;
  readonly info: Info;
}

/** Builds a graph. */
type Build<Info> = () => BuiltGraph<Info> | Promise<BuiltGraph<Info>>;

/** A session, and facts about its graph. */
interface Opened {
  readonly session: Session;
  readonly info: unknown;
}

interface Entry {
  readonly opened: Promise<Opened>;
  /** Number of runs that use the session now or are about to. The session is not released then. */
  users: number;
}

/** Opens a session for a graph when it is first needed, and keeps the last few sessions. */
export class SessionCache {
  private readonly entries = new Map<string, Entry>();
  private readonly runtime: Runtime;

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  /**
   * Runs `task` with the session of the graph that `build` makes, and with the facts about this
   * graph. The graph is built once per key, and again if its session was released. A key must
   * always be used with the same `build`.
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

  /** Other tasks run before the graph is built and before it is loaded, because both take long. */
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

/** Releases a session, if it could be created. */
async function release(opened: Promise<Opened>): Promise<void> {
  await (await opened.catch(() => undefined))?.session.release();
}
