import { readImage } from 'fovea/web';
import { createExplainer } from 'fovea/worker';

/** Explains the picture of the page in a worker, and says where the evidence is. */
async function main(answer: Element, picture: HTMLImageElement): Promise<void> {
  const explainer = await createExplainer();
  const { map, target } = await explainer.explain(await readImage(picture), { method: 'grad-cam' });
  const [, columns = 1] = map.shape;
  const best = map.data.indexOf(map.data.reduce((a, b) => Math.max(a, b)));
  const at = `column ${best % columns}, row ${Math.floor(best / columns)}`;
  answer.textContent = `${target.label}: the most evidence is at ${at}`;
  explainer.dispose();
}

const [answer, picture] = [document.querySelector('#answer'), document.querySelector('img')];
if (answer && picture) void main(answer, picture);
