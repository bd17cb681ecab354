import type { Model } from './model.ts';
import type { RemoteModelOptions } from './remote/connect.ts';

export type { RemoteModelOptions };

/**
 * A classifier behind a server of the Open Inference Protocol (KServe v2 over HTTP): Triton,
 * OpenVINO Model Server, MLServer, TorchServe and others. `address` is
 * `http(s)://HOST/v2/models/NAME`, with `/versions/V` if wanted.
 * Requests that fail for a reason that may pass are tried again; redirects to another origin are
 * refused, responses are limited in time and size, and only numbers in the declared shape count.
 * @throws FoveaError `runtime` if the server cannot be reached or fails, `model` if it has no such
 * image classifier, `usage` if the budget is used up.
 */
export async function createRemoteModel(
  address: string,
  options: RemoteModelOptions = {},
): Promise<Model> {
  const { connect } = await import('./remote/connect.ts');
  return connect(address, options);
}
