/**
 * Few samples and steps, so that all methods together take a minute. These options change only the
 * cost: what a method needs and uses is what it needs and uses by default.
 */
export const FEW: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  auto: { calls: 16 },
  iassa: { calls: 16 },
  'iassa-2020': { iterations: 1, window: 112, stride: 56 },
  iia: { steps: 1 },
  rise: { N: 16 },
  oise: { N: 16, chains: 4 },
  lime: { N: 16, segmentation: 'slic', segments: 8 },
  'kernel-shap': { segments: 4 },
  sag: { grid: 2, restarts: 0 },
  rex: { iterations: 1, minSide: 112, grid: 2, sets: 1 },
  sobol: { s: 2, design: 4 },
  hsic: { s: 2, N: 16 },
  lima: { segments: 4 },
  phasewin: { segments: 4 },
  'i-gos': { size: 7, iterations: 1, steps: 2 },
  occlusion: { window: 64, stride: 64 },
  'integrated-gradients': { steps: 2 },
  'expected-gradients': { samples: 2 },
  smoothgrad: { samples: 2 },
  'guided-ig': { steps: 2 },
  'blur-ig': { steps: 2, maxSigma: 2 },
  xrai: { steps: 2 },
};
