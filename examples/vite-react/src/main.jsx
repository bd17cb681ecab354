import { drawOverlay, readImage } from 'fovea/web';
import { createExplainer } from 'fovea/worker';
import { useEffect, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';

/** One model in one worker for the whole page. */
const loading = createExplainer({ model: 'demo-cnn' });

/** A picture, what the model says, and a button that shows why. */
function Picture({ address }) {
  const canvas = useRef(null);
  const [picture, setPicture] = useState();
  const [answer, setAnswer] = useState('Loading the model…');
  const [share, setShare] = useState();

  useEffect(() => {
    let isCurrent = true;
    async function classify() {
      const [explainer, image] = await Promise.all([loading, readImage(address)]);
      const { probabilities, ranking } = await explainer.classify(image);
      if (!isCurrent) return;
      setPicture(image);
      setAnswer(
        `${explainer.model.labels[ranking[0]]}: ${(100 * probabilities[ranking[0]]).toFixed(1)}%`,
      );
    }
    classify().catch(({ message }) => isCurrent && setAnswer(message));
    return () => {
      isCurrent = false;
    };
  }, [address]);

  async function why() {
    setShare(0);
    try {
      const explainer = await loading;
      const explanation = await explainer.explain(picture, { method: 'iia', onProgress: setShare });
      await drawOverlay(canvas.current, picture, explanation);
    } catch ({ message }) {
      setAnswer(message);
    }
    setShare(undefined);
  }

  return (
    <figure>
      <img src={address} alt="" width="224" height="224" />
      <canvas ref={canvas} width="224" height="224" aria-label="What the answer rests on" />
      <figcaption>
        {answer}{' '}
        <button type="button" onClick={why} disabled={!picture || share !== undefined}>
          Why?
        </button>
        {share !== undefined && <progress value={share} aria-label="How much is done" />}
      </figcaption>
    </figure>
  );
}

createRoot(document.querySelector('#app')).render(<Picture address="picture.png" />);
