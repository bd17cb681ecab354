import { type ModelSource, modelAt } from './models.ts';

/**
 * The hub that this page may connect to, from the page that `fovea studio --allow-hub` serves. The
 * security policy of the page allows no other server.
 */
export const HUB = document.querySelector<HTMLMetaElement>('meta[name="fovea-hub"]')?.content;

/** Whether a text has the form of a hub id, `organisation/name`. */
export const isHubId = (text: string): boolean =>
  /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(text) && !text.includes('..');

/** The names of model files in a repository, the usual one first. */
const FILES = ['onnx/model.onnx', 'model.onnx'];

/**
 * Finds the model file of a repository.
 * @throws Error with a sentence for the user.
 */
export async function findOnHub(id: string, hub: string): Promise<ModelSource> {
  const { host } = new URL(hub);
  let status = 404;
  for (const file of FILES) {
    const address = `${hub}/${id}/resolve/main/${file}`;
    const response = await fetch(address, { method: 'HEAD' }).catch(() => {
      throw new Error(`${host} does not answer: check the connection.`);
    });
    if (response.ok) return { ...modelAt(address, id), isOnHub: true };
    ({ status } = response);
  }
  throw new Error(
    status === 404
      ? `${id} has no ${FILES.join(' or ')} at ${host}: it needs a model in ONNX format.`
      : `${id} does not exist at ${host}, or is not public (HTTP ${status}).`,
  );
}
