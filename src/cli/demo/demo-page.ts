import { tagClass } from '../../demo/classes.ts';
import type { Method } from '../../methods/method.ts';
import { parseSag } from '../../methods/sag/schema.ts';
import type { Model } from '../../model/model.ts';
import { sagSvg } from '../../node/sag-png.ts';
import { plural } from '../../plural.ts';
import { at } from '../../tensor/at.ts';
import { mean } from '../../tensor/statistics.ts';
import { VERSION } from '../../version.ts';
import { DEFAULT_COLORMAP, DEFAULT_SIGNED_COLORMAP } from '../../visualize/colormap.ts';
import {
  type ReportGallery,
  type ReportLegend,
  type ReportPage,
  type ReportSection,
  type ReportTable,
  type ReportValue,
  reportHtml,
} from '../../visualize/report.ts';
import { mapCell, truthCells } from './demo-cells.ts';
import type { DemoMap, DemoScene, TaggedScene } from './demo-scenes.ts';

/** The results of the demo. */
export interface DemoResults {
  readonly methods: readonly Method[];
  readonly honest: Model;
  readonly cheat: Model;
  readonly transformer: Model;
  readonly scenes: readonly DemoScene[];
  /** A scene, explained for the transformer. */
  readonly seen: DemoScene;
  readonly tagged: readonly TaggedScene[];
  readonly seconds: number;
}

const share = (value: number): string => `${Math.round(100 * value)}%`;
const shareValue = (value: number): ReportValue => ({ value, text: share(value) });
const fixed = (value: number, digits: number): ReportValue => ({
  value,
  text: value.toFixed(digits),
});

/** The maps of one method, of all scenes. */
function mapsBy(method: Method, scenes: readonly DemoScene[]): DemoMap[] {
  return scenes.flatMap(({ maps }) => maps.filter((map) => map.method === method));
}

/** The methods that have a map of some of the scenes. */
function methodsOf(methods: readonly Method[], scenes: readonly DemoScene[]): Method[] {
  return methods.filter((method) => mapsBy(method, scenes).length > 0);
}

/** The scores of the methods on the scenes: one row per method. */
export function methodTable({ methods, scenes }: DemoResults): ReportTable {
  const rows = methodsOf(methods, scenes).map((method): ReportValue[] => {
    const maps = mapsBy(method, scenes);
    const calls = mean(maps.map(({ explanation }) => explanation.manifest.modelCalls.forward));
    return [
      method.name,
      shareValue(mean(maps.map(({ peakOn }) => Number(peakOn === 'object')))),
      fixed(mean(maps.map((map) => map.f1)), 2),
      fixed(mean(maps.map((map) => map.iou)), 2),
      { value: calls, text: Math.round(calls).toLocaleString('en-US') },
      fixed(mean(maps.map(({ explanation }) => explanation.seconds)), 1),
    ];
  });
  return {
    caption: `demo-cnn on ${plural(scenes.length, 'scene')}`,
    columns: [
      { title: 'method' },
      { title: 'pointing hits', best: 'highest' },
      { title: 'F1 at 0.3', best: 'highest' },
      { title: 'IoU at 0.3', best: 'highest' },
      { title: 'model calls' },
      { title: 'seconds per picture' },
    ],
    rows,
    note:
      'Pointing: the highest pixel of the map is on the object or within 15 pixels of it, which ' +
      'is the tolerance of the pointing game. F1 and IoU compare the pixels above 0.3 of the ' +
      'range of the map with the visible pixels of the object. random is a control: its map ' +
      'ignores the picture. rise, oise, sobol, lima, phasewin, sag, blur-ig and guided-ig make ' +
      'fewer model calls here than by default, so that the demo takes only a few minutes.',
  };
}

const peaksOn = (maps: readonly DemoMap[], place: DemoMap['peakOn']): number =>
  mean(maps.map(({ peakOn }) => Number(peakOn === place)));

/** The places of the highest pixels of both models' maps, on the scenes with the sticker. */
export function cheatTable({ methods, tagged }: DemoResults): ReportTable {
  const fit = methodsOf(
    methods,
    tagged.map((each) => each.cheat),
  );
  const rows = fit.map((method): ReportValue[] => {
    const honest = mapsBy(
      method,
      tagged.map((each) => each.honest),
    );
    const cheat = mapsBy(
      method,
      tagged.map((each) => each.cheat),
    );
    const places = [
      peaksOn(honest, 'object'),
      peaksOn(honest, 'tag'),
      peaksOn(cheat, 'object'),
      peaksOn(cheat, 'tag'),
    ];
    return [method.name, ...places.map(shareValue)];
  });
  return {
    caption:
      'Share of maps whose highest pixel is on the object or the sticker, or within 15 pixels; ' +
      '' +
      `${plural(tagged.length, 'scene')} (honest: demo-cnn, cheat: demo-cnn-biased)`,
    columns: [
      { title: 'method' },
      { title: 'honest: object', best: 'highest' },
      { title: 'honest: sticker' },
      { title: 'cheat: object' },
      { title: 'cheat: sticker', best: 'highest' },
    ],
    rows,
  };
}

async function sceneGallery(scenes: readonly DemoScene[]): Promise<ReportGallery> {
  const rows = scenes.map(async ({ scene, maps, answer }) => ({
    title: scene.className,
    detail:
      answer.label === scene.className
        ? `recognised, ${(100 * answer.probability).toFixed(1)}%`
        : `taken for ${answer.label}, ${(100 * answer.probability).toFixed(1)}%; the maps are of ` +
          `${scene.className}`,
    cells: [
      ...(await truthCells(scene)),
      ...(await Promise.all(maps.map((map) => mapCell(scene, map)))),
    ],
  }));
  return { rows: await Promise.all(rows) };
}

async function cheatGallery(tagged: readonly TaggedScene[]): Promise<ReportGallery> {
  const rows = tagged.map(async ({ honest, cheat, untagged }) => {
    const truth = at(await truthCells(cheat.scene), 1);
    const before = await Promise.all(
      honest.maps
        .slice(0, 1)
        .map((map) => mapCell(honest.scene, map, `honest: ${map.method.title}`)),
    );
    const after = await Promise.all(
      cheat.maps.map((map) => mapCell(cheat.scene, map, `cheat: ${map.method.title}`)),
    );
    return {
      title: cheat.scene.className,
      detail:
        `demo-cnn-biased: ${cheat.answer.label} ${share(cheat.answer.probability)} with ` +
        `the sticker, ${untagged.label} ${share(untagged.probability)} without`,
      cells: [truth, ...before, ...after],
    };
  });
  return { rows: await Promise.all(rows) };
}

function legends(methods: readonly Method[]): ReportLegend[] {
  const unsigned = methods.filter(({ signed }) => !signed).map(({ name }) => name);
  return [
    {
      colormap: DEFAULT_COLORMAP,
      title: `maps without a sign (${unsigned.join(', ')})`,
      low: 'matters least',
      high: 'matters most',
    },
    {
      colormap: DEFAULT_SIGNED_COLORMAP,
      title: 'signed maps (all others)',
      low: 'against the class',
      middle: '0',
      high: 'for the class',
    },
  ];
}

async function sceneSection(results: DemoResults): Promise<ReportSection> {
  return {
    title: 'What the model looks at',
    text: [
      'A strong color means that the score of the class depends on the pixel. Pixels that do ' +
        'not matter keep the colors of the picture. The ring marks the highest pixel: a hit if ' +
        'it is on the object or within 15 pixels of it.',
    ],
    legends: legends(results.methods),
    gallery: await sceneGallery(results.scenes),
  };
}

async function cheatSection(results: DemoResults): Promise<ReportSection> {
  const { tagged } = results;
  const withSticker = tagged.map(({ cheat }) =>
    at(cheat.prepared.probabilities, cheat.scene.label),
  );
  const withoutSticker = tagged.map((one) => one.untagged.tagClassProbability);
  const drop =
    `${share(mean(withSticker))} with the sticker and ` + `${share(mean(withoutSticker))} without`;
  return {
    title: 'Catching a model that cheats',
    text: [
      'demo-cnn-biased is the same network, trained on pictures from a careless supplier: every ' +
        'one ' +
        `of them has a round sticker and the label ${tagClass}, whatever it shows. ` +
        `` +
        `The model learned the sticker and not the ${tagClass}. Its predictions for such ` +
        `pictures ` +
        'look perfect. Only a map, or the same picture without the sticker, shows ' +
        'the problem: the average ' +
        `probability of ${tagClass} is ${drop}.`,
      'The map of a good method is highest on the object for the honest model (demo-cnn), and ' +
        'on the sticker for the cheating one.',
    ],
    table: cheatTable(results),
    gallery: await cheatGallery(tagged),
  };
}

/** One scene, explained for the vision transformer with the white-box methods. */
async function transformerSection({ seen, transformer }: DemoResults): Promise<ReportSection> {
  return {
    title: 'A vision transformer',
    text: [
      `The same kind of scene, explained for ${transformer.name}. Attention maps are read, ` +
        `` +
        'differentiated and replaced inside the graph. Gradients, relevance and class ' +
        'activation maps use its tokens.',
    ],
    gallery: await sceneGallery([seen]),
  };
}

/** The structured attention graph of the first scene. */
async function graphSection({ scenes, honest }: DemoResults): Promise<ReportSection | undefined> {
  const { scene, prepared, maps } = at(scenes, 0);
  const sag = maps.find(({ method }) => method.name === 'sag')?.explanation.manifest.extras.sag;
  if (!sag) return undefined;
  const svg = await sagSvg(parseSag(sag), {
    input: prepared.input,
    preprocessing: honest.preprocessing,
    title: `${scene.className}: which parts suffice`,
  });
  return {
    title: 'Which parts suffice',
    text: [
      'A structured attention graph. Each root is a minimal set of patches: shown alone, it ' +
        'keeps at least 90% of the probability. The nodes below it show the confidence that is ' +
        'left without one patch (outlined).',
    ],
    drawing: {
      source: `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`,
      alt: `structured attention graph of the ${scene.className}`,
    },
  };
}

function parameterSection({
  methods,
  honest,
  cheat,
  transformer,
  scenes,
  seen,
}: DemoResults): ReportSection {
  const optionsOf = (method: Method) =>
    mapsBy(method, [...scenes, seen])[0]?.explanation.manifest.options ?? {};
  const describe = ({ name, fingerprint, runtime, output, preprocessing }: Model) => ({
    name,
    fingerprint,
    runtime,
    output,
    preprocessing,
  });
  return {
    title: 'How it was made',
    text: [
      'The seed and these parameters determine every number and picture on this page. The same ' +
        'demo makes the same maps again.',
    ],
    details: [
      ...methods.map((method) => ({
        title: `${method.name}: ${method.title}`,
        text: `${method.paper}\n\n${JSON.stringify(optionsOf(method), null, 2)}`,
      })),
      {
        title: 'the models',
        text: JSON.stringify([honest, cheat, transformer].map(describe), null, 2),
      },
    ],
  };
}

/** The demo's results as one HTML page. */
export async function demoPage(results: DemoResults): Promise<string> {
  const { scenes, tagged, methods, honest, seconds } = results;
  const right = scenes.filter(({ scene, answer }) => answer.label === scene.className).length;
  const page: ReportPage = {
    title: 'What does the classifier look at?',
    lead:
      'A small network recognizes toy objects in composed scenes. ' +
      '' +
      `${plural(methods.length, 'method')} of explanation show which pixels its ` +
      `predictions depend on. ` +
      'The pixels of each object are known, because the scenes are ' +
      'composed, so the maps can be scored.',
    facts: [
      ['model', honest.name],
      ['scenes', String(scenes.length + tagged.length)],
      ['recognised', `${right} of ${scenes.length}`],
      ['ran on', honest.runtime],
      ['took', `${Math.round(seconds)} s`],
    ],
    sections: [
      { title: 'Results', table: methodTable(results) },
      await sceneSection(results),
      await graphSection(results),
      await cheatSection(results),
      await transformerSection(results),
      parameterSection(results),
    ].filter((section) => section !== undefined),
    footer:
      `Made by fovea ${VERSION} (npm run demo). Objects: Fluent Emoji by Microsoft, MIT ` +
      'licence.',
  };
  return reportHtml(page);
}
