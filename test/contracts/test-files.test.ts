import { existsSync, readdirSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

/** Files of `methods/` and `metrics/` that are not a method or a metric themselves. */
const NOT_ONE = new Set(['index.ts', 'method.ts', 'metric.ts', 'levels.ts', 'rule-sets.ts']);

const source = (path: string): URL => new URL(`../../src/${path}`, import.meta.url);

/** The files of `folder` with one method or metric; of a subfolder, the file with its name. */
function filesOf(folder: string): string[] {
  return readdirSync(source(`${folder}/`), { withFileTypes: true })
    .flatMap((entry) => {
      const path = entry.isDirectory() ? `${entry.name}/${entry.name}.ts` : entry.name;
      const isOne = path.endsWith('.ts') && !path.endsWith('.test.ts') && !NOT_ONE.has(path);
      return isOne && existsSync(source(`${folder}/${path}`)) ? [path] : [];
    })
    .sort();
}

/** Whether a call is `describe.skipIf(…)(…)` or another that needs something outside. */
const isConditional = (call: ts.CallExpression): boolean =>
  /\.(skipIf|runIf|skip|todo)\b/.test(call.expression.getText());

/** The tests of a file that always run and expect something. */
function unconditionalTests(path: URL): number {
  const file = ts.createSourceFile(
    path.pathname,
    readFileSync(path, 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  );
  let count = 0;
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node)) {
      if (isConditional(node)) return;
      const name = node.expression.getText();
      if (/^it\b/.test(name) && node.getText().includes('expect(')) count++;
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return count;
}

describe.each(['methods', 'metrics'])('src/%s', (folder) => {
  it('has a test file beside each file, with a test that needs no other files', () => {
    const files = filesOf(folder);
    expect(files.length).toBeGreaterThan(20);
    const missing = files.filter((path) => {
      const test = source(`${folder}/${path.replace(/\.ts$/, '.test.ts')}`);
      return !existsSync(test) || unconditionalTests(test) === 0;
    });
    expect(missing).toEqual([]);
  });
});
