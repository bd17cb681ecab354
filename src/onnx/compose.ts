import { FoveaError } from '../errors.ts';
import { nearestNames } from '../near-names.ts';
import {
  dataInputs,
  freshNames,
  type Graph,
  isInitializer,
  namesOf,
  type ValueInfo,
} from './graph.ts';
import type { LocalFunction, OnnxModel } from './model-proto.ts';
import { renameTensors } from './rename.ts';

/** Options of `compose`. */
export interface ComposeOptions {
  /**
   * The model that keeps its tensor names, graph name and metadata. Default: the model with more
   * nodes.
   */
  readonly main?: 'first' | 'second';
  /**
   * Prefix of names of the other model that collide with names of the main model. Default:
   * `stage/`.
   */
  readonly prefix?: string;
}

/**
 * Composes two models: the result runs `first` and feeds `second` with its outputs. `connections`
 * maps inputs of `second` to outputs of `first`. Outputs of `first` that are not connected stay
 * outputs, and inputs of `second` that are not connected stay inputs. If both models have metadata
 * with the same key, the value of the main model is used. Weights are shared, not copied.
 * @throws FoveaError `model` if names are unknown, or types, shapes, operator sets or local
 * functions of the two models do not match.
 */
export function compose(
  first: OnnxModel,
  second: OnnxModel,
  connections: Readonly<Record<string, string>>,
  {
    main = first.graph.nodes.length > second.graph.nodes.length ? 'first' : 'second',
    prefix = 'stage/',
  }: ComposeOptions = {},
): OnnxModel {
  checkConnections(first.graph, second.graph, connections);
  const mainModel = main === 'first' ? first : second;
  const stage = main === 'first' ? second : first;
  const stageGraph = withDistinctNodeNames(stage.graph, mainModel.graph, prefix);
  const feeds = new Map(Object.entries(connections));
  const renamed = collisions(
    mainModel.graph,
    stage.graph,
    prefix,
    main === 'first' ? new Set(feeds.keys()) : new Set(),
  );
  const before = main === 'first' ? first.graph : renameTensors(stageGraph, renamed);
  const nameInBefore = (name: string): string =>
    main === 'first' ? name : (renamed.get(name) ?? name);
  const sources = new Map([...feeds].map(([input, output]) => [input, nameInBefore(output)]));
  // Connected inputs are renamed to the outputs that feed them.
  const after =
    main === 'first'
      ? renameTensors(stageGraph, new Map([...renamed, ...sources]))
      : renameTensors(second.graph, sources);
  return {
    ...mainModel,
    irVersion: Math.max(4, first.irVersion, second.irVersion),
    metadata: new Map([...stage.metadata, ...mainModel.metadata]),
    functions: mergeFunctions(mainModel.functions, stage.functions),
    graph: mergeGraphs(before, after, new Set(sources.values()), mainModel.graph),
  };
}

function mergeGraphs(before: Graph, after: Graph, fed: ReadonlySet<string>, main: Graph): Graph {
  const outputs = [...after.outputs, ...before.outputs.filter((output) => !fed.has(output.name))];
  return {
    ...main,
    nodes: [...before.nodes, ...after.nodes],
    inputs: [...dataInputs(before), ...dataInputs(after).filter((input) => !fed.has(input.name))],
    outputs,
    initializers: new Map([...before.initializers, ...after.initializers]),
    sparseInitializers: new Map([...before.sparseInitializers, ...after.sparseInitializers]),
    valueInfo: new Map([...before.valueInfo, ...after.valueInfo, ...inner(before.outputs, fed)]),
    quantizationAnnotations: [...before.quantizationAnnotations, ...after.quantizationAnnotations],
    opset: mergeOpsets(before.opset, after.opset),
    otherFields: main.otherFields,
  };
}

function withDistinctNodeNames(stage: Graph, main: Graph, prefix: string): Graph {
  const taken = new Set(main.nodes.map((node) => node.name));
  if (!stage.nodes.some((node) => node.name !== '' && taken.has(node.name))) return stage;
  const fresh = freshNames(new Set([...taken, ...stage.nodes.map((node) => node.name)]));
  const distinct = (name: string): string =>
    name !== '' && taken.has(name) ? fresh(prefix + name) : name;
  return { ...stage, nodes: stage.nodes.map((node) => ({ ...node, name: distinct(node.name) })) };
}

/** Former outputs become inner tensors; keeps their declared types. */
function inner(outputs: readonly ValueInfo[], fed: ReadonlySet<string>): [string, ValueInfo][] {
  return outputs.filter(({ name }) => fed.has(name)).map((info) => [info.name, info]);
}

/**
 * New names for tensors of the stage whose names are also in the main graph. Connected inputs are
 * excluded: they take the names of the outputs that feed them.
 */
function collisions(
  main: Graph,
  stage: Graph,
  prefix: string,
  fed: ReadonlySet<string>,
): Map<string, string> {
  const taken = namesOf(main);
  const fresh = freshNames(new Set([...taken, ...namesOf(stage)]));
  const renamed = new Map<string, string>();
  for (const name of namesOf(stage)) {
    if (taken.has(name) && !fed.has(name)) renamed.set(name, fresh(prefix + name));
  }
  return renamed;
}

function checkConnections(
  first: Graph,
  second: Graph,
  connections: Readonly<Record<string, string>>,
): void {
  for (const [inputName, outputName] of Object.entries(connections)) {
    const input = find(second.inputs, inputName, 'the second model has no input');
    const output = find(first.outputs, outputName, 'the first model has no output');
    if (isInitializer(second, inputName))
      throw new FoveaError('model', `"${inputName}" is a constant of the second model`);
    const typesDiffer = input.type !== null && output.type !== null && input.type !== output.type;
    if (typesDiffer || shapesDiffer(input, output)) {
      const [got, wanted] = [describe(output), describe(input)];
      throw new FoveaError(
        'model',
        `the output "${outputName}" is ${got}, but the input "${inputName}" takes ${wanted}`,
      );
    }
  }
}

function find(infos: readonly ValueInfo[], name: string, problem: string): ValueInfo {
  const info = infos.find((candidate) => candidate.name === name);
  if (info) return info;
  const names = infos.map((candidate) => candidate.name);
  throw new FoveaError('model', `${problem} "${name}".${nearestNames(name, names)}`);
}

function shapesDiffer(a: ValueInfo, b: ValueInfo): boolean {
  if (a.shape === null || b.shape === null) return false;
  const [shape, other] = [a.shape, b.shape];
  if (shape.length !== other.length) return true;
  return shape.some(
    (dim, i) => typeof dim === 'number' && typeof other[i] === 'number' && dim !== other[i],
  );
}

function describe({ type, shape }: ValueInfo): string {
  const dims = shape === null ? '' : `[${shape.map((dim) => dim ?? '?').join(', ')}]`;
  return `${type ?? 'a tensor'}${dims}`;
}

function mergeOpsets(
  a: ReadonlyMap<string, number>,
  b: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  for (const [domain, version] of b) {
    const other = a.get(domain);
    if (other === undefined || other === version) continue;
    const name = domain === '' ? 'the ONNX operators' : domain;
    throw new FoveaError(
      'model',
      `the two models use different versions of ${name}: ${other} and ${version}`,
    );
  }
  return new Map([...a, ...b]);
}

function mergeFunctions(
  main: readonly LocalFunction[],
  stage: readonly LocalFunction[],
): readonly LocalFunction[] {
  const own = stage.filter(({ domain, name, bytes }) => {
    const same = main.find((other) => other.domain === domain && other.name === name);
    if (same && !sameBytes(same.bytes, bytes)) {
      throw new FoveaError(
        'model',
        `the two models define the function ${domain}:${name} differently`,
      );
    }
    return same === undefined;
  });
  return own.length === 0 ? main : [...main, ...own];
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
