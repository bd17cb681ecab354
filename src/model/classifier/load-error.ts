import { FoveaError, messageOf } from '../../errors.ts';
import type { Graph } from '../../onnx/index.ts';

/**
 * Errors of ONNX Runtime for models that it cannot load, and the message that Fovea shows for each.
 */
const REFUSALS: readonly [
  pattern: RegExp,
  sentence: (runtime: string, node: NodeNamer, found: readonly string[]) => string,
][] = [
  [
    /Fatal error: (?:(\S*):)?(\w+)\(-?\d+\) is not a registered function\/op/,
    (runtime, node, [, domain = '', op]) =>
      `${runtime} has no operator ${domain}:${op}${node(op, domain)}: export the model with ` +
      'standard ONNX operators, or with this one written out as a local function',
  ],
  [
    /No opset import for domain '(.*?)'/,
    (_, node, [, domain]) =>
      `it has operators of the domain ${domain}${node(undefined, domain)}, but declares no ` +
      'version of it (opset_import): export the model with standard ONNX operators',
  ],
  [
    /No Op registered for (\w+) with domain_version of (\d+)/,
    (runtime, node, [, op, version]) =>
      `${runtime} does not know the operator ${op}${node(op)} in opset ${version}, which the ` +
      `model declares: export the model again, with an opset that has it`,
  ],
  [
    /Could not find an implementation for (\w+)\(\d+\)/,
    (runtime, node, [, op]) =>
      `${runtime} cannot compute the operator ${op}${node(op)} for the element types that it ` +
      'has in the model: export the model in float32, or use another device',
  ],
  [
    /Opset (\d+) is under development.* (?:till|until) opset (\d+)/,
    (runtime, _, [, version, last]) =>
      `it is in opset ${version}, and ${runtime} reads opsets up to ${last}: export the ` +
      'model at one of these',
  ],
  [
    /Unsupported model IR version: (\d+), max supported IR version: (\d+)/,
    (runtime, _, [, version, last]) =>
      `its file has IR version ${version}, and ${runtime} reads versions up to ${last}: set ` +
      `ir_version to ${last} and save the model again`,
  ],
];

type NodeNamer = (op: string | undefined, domain?: string) => string;

/**
 * An error that says in one sentence why a runtime cannot load a model, if the reason is an
 * operator or a version. Otherwise the same error.
 */
export function loadError(error: unknown, name: string, graph: Graph, runtime: string): unknown {
  const node: NodeNamer = (op, domain = '') => {
    const found = graph.nodes.find(
      (item) => item.domain === domain && (op === undefined || item.opType === op),
    );
    return found ? ` (node "${found.name === '' ? found.outputs[0] : found.name}")` : '';
  };
  for (const [pattern, sentence] of REFUSALS) {
    const found = pattern.exec(messageOf(error));
    if (found)
      return new FoveaError('model', `${name}: ${sentence(runtime, node, found)}`, {
        cause: error,
      });
  }
  return error;
}
