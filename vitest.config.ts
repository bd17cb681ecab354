import { defineConfig } from 'vitest/config';

/** Tests whose modules or fixtures have a state, so that each file must load them again. */
const WITH_STATE = 'src/{cli,evaluate,node,web,worker}/**/*.test.ts';

export default defineConfig({
  test: {
    setupFiles: ['test/setup.ts', 'test/matchers/all-close.ts'],
    // A test that needs longer says so.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: 'forks',
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'library',
          include: ['src/**/*.test.ts'],
          exclude: [WITH_STATE],
          // These files share loaded modules: half of their time was spent on loading all methods.
          isolate: false,
        },
      },
      {
        extends: true,
        test: { name: 'product', include: ['test/**/*.test.ts', WITH_STATE] },
      },
    ],
  },
});
