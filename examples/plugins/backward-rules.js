/**
 * A backward pass of your own: a ReLU passes on only the half of the gradient that arrives, however
 * its input looked. All other operators keep their gradient.
 *
 *   Relu:  dx = dy / 2
 *
 *   fovea explain cat.jpg --plugin ./backward-rules.js --methods gradient --set rules=half-relu
 */
import { definePlugin } from 'fovea';
import { defineRules, rule } from 'fovea/autodiff';

export const halfRelu = defineRules({
  name: 'half-relu',
  title: 'ReLUs halve the gradient and have no gate',
  rules: {
    Relu: rule(({ ops }, [dy]) => [ops.scale(dy, 0.5)]),
  },
});

export default definePlugin({ rules: [halfRelu] });
