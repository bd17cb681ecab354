import { FoveaError, messageOf } from '../../errors.ts';
import type { Runtime } from '../../runtime/runtime.ts';

/** How the message of every call starts once the graphics device is lost. */
export const LOST_DEVICE = 'the graphics device was lost';

/** After a call fails, the browser has this long to say that the device is lost. */
const GRACE_MS = 300;

/** What Fovea uses of a `GPUDevice`. */
interface Device {
  readonly lost: Promise<{ readonly message: string }>;
}

const isDevice = (value: unknown): value is Device => Object(value).lost instanceof Promise;

const isLostError = (error: unknown): boolean =>
  /device (was |is )?(lost|destroyed)/i.test(messageOf(error));

const lostError = (reason: string): FoveaError =>
  new FoveaError('runtime', `${LOST_DEVICE} (${reason}): reload the page`);

/**
 * A runtime whose calls fail with `LOST_DEVICE` once the device is lost. A call that waits for the
 * device fails too: some drivers never reply.
 * @param device - the `GPUDevice`, if there is one
 */
export function watchDevice(runtime: Runtime, device: unknown): Runtime {
  if (!isDevice(device)) return runtime;
  let lost: FoveaError | undefined;
  const waiting = new Set<(error: FoveaError) => void>();
  void device.lost.then(({ message }) => {
    lost = lostError(message.replace(/\.$/, '') || 'the browser does not say why');
    for (const reject of waiting) reject(lost);
  });
  const unlessLost = async <Result>(call: () => Promise<Result>): Promise<Result> => {
    if (lost) throw lost;
    let fail: ((error: FoveaError) => void) | undefined;
    try {
      return await new Promise<Result>((resolve, reject) => {
        fail = reject;
        waiting.add(reject);
        call().then(resolve, reject);
      });
    } catch (error) {
      if (isLostError(error)) throw lost ?? lostError('while a model ran');
      // A call may fail before the browser says that the device is lost.
      await Promise.race([device.lost, new Promise((resolve) => setTimeout(resolve, GRACE_MS))]);
      throw lost ?? error;
    } finally {
      if (fail) waiting.delete(fail);
    }
  };
  return {
    ...runtime,
    createSession: (model) =>
      unlessLost(async () => {
        const session = await runtime.createSession(model);
        return {
          run: (feeds) => unlessLost(() => session.run(feeds)),
          release: () => (lost ? Promise.resolve() : session.release()),
        };
      }),
  };
}
