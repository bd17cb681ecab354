import { join } from 'node:path';
import ts from 'typescript';
import { expect, it } from 'vitest';
import { methods } from '../../src/methods/index.ts';
import { rise } from '../../src/methods/rise.ts';
import { describeOptions } from '../../src/option-words.ts';
import { ROOT } from '../browser/modules.ts';

/** A file that is only in the memory of the language service, and has a `|` where the cursor is. */
const FILE = join(ROOT, 'test/types/in-memory.ts');
let text = '';
let version = 0;

function createService(): ts.LanguageService {
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, ROOT);
  return ts.createLanguageService({
    getCompilationSettings: () => options,
    getScriptFileNames: () => [FILE],
    getScriptVersion: (name) => (name === FILE ? String(version) : '0'),
    getScriptSnapshot: (name) => {
      const content = name === FILE ? text : ts.sys.readFile(name);
      return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content);
    },
    getCurrentDirectory: () => ROOT,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (name) => name === FILE || ts.sys.fileExists(name),
    readFile: (name) => (name === FILE ? text : ts.sys.readFile(name)),
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
  });
}

const service = createService();

/** What an editor offers where the `|` is. */
function completionsAt(code: string): string[] {
  const at = code.indexOf('|');
  text = code.replace('|', '');
  version++;
  const found = service.getCompletionsAtPosition(FILE, at, undefined);
  return (found?.entries ?? []).map(({ name }) => name).sort();
}

const START = `
import { explain, explainAll, type Image, type Model } from '../../src/node.ts';
import { rise } from '../../src/methods/rise.ts';
declare const model: Model;
declare const picture: Image;
`;

const optionsOfRise = describeOptions(rise)
  .map(({ name }) => name)
  .sort();

it.each(['explain', 'explainAll'])(
  '%s: an editor lists the names of the methods',
  (name) => {
    const offered = completionsAt(`${START}${name}(model, picture, { method: '|' });`);
    expect(offered).toEqual([...methods.names].sort());
  },
  120_000,
);

it.each(["'rise'", 'rise'])(
  'an editor lists the options of the method %s, and no other',
  (rise) => {
    const offered = completionsAt(
      `${START}explain(model, picture, { method: ${rise}, options: { | } });`,
    );
    expect(optionsOfRise.length).toBeGreaterThan(0);
    expect(offered).toEqual(optionsOfRise);
  },
  120_000,
);

it.each(["'rise'", 'rise'])(
  'an editor lists the values of an option of the method %s',
  (rise) => {
    const offered = completionsAt(
      `${START}explain(model, picture, { method: ${rise}, options: { baseline: '|' } });`,
    );
    expect(offered).toEqual(expect.arrayContaining(['black', 'mean']));
  },
  120_000,
);
