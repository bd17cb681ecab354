// Names of methods and metrics resolve in every test, as they do for users of `fovea/node`.
import '../src/methods/index.ts';
import '../src/metrics/index.ts';
