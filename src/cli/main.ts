#!/usr/bin/env node
// The program itself is imported only if this Node can run it.

const [major = 0, minor = 0] = process.version.slice(1).split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(
    `fovea: Fovea needs Node 20.19 or newer, and this is Node ${process.version}: install a ` +
      'newer one\n',
  );
  process.exitCode = 3;
} else {
  const { start } = await import('./start.ts');
  process.exitCode = await start(process.argv.slice(2));
}

export {};
