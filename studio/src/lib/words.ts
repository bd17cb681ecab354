/** Methods in plain words: what the page says beside the title of a method. */
export const METHOD_WORDS: Readonly<Record<string, string>> = {
  'grad-cam': 'A quick look at the last layer of the network.',
  'layer-cam': 'Like Grad-CAM, and keeps small details.',
  iia: 'Looks along many versions of the picture and of a layer. Sharper, a little slower.',
  rise: 'Hides random parts of the picture again and again, and sees when the answer suffers.',
  iassa: 'Hides and shows parts, and looks closer where it matters.',
  'iassa-2020': 'Hides windows, and takes smaller ones where it matters.',
  occlusion: 'Slides a grey window over the picture, and sees when the answer suffers.',
  lime: 'Switches pieces of the picture on and off, and fits a simple rule.',
  'kernel-shap': 'Shares the answer fairly among the pieces of the picture.',
  'integrated-gradients': 'Adds up how each pixel matters while the picture fades in.',
  smoothgrad: 'Asks each pixel how much it matters, many times with a little noise.',
  lrp: 'Hands the answer back through the layers to the pixels.',
  'recipro-cam': 'Shows the network one spot of its last layer at a time.',
  gae: 'Follows what a transformer pays attention to.',
  random: 'A control: noise that has nothing to do with the model.',
  centre: 'A control: always the middle, whatever the picture shows.',
};

/** The methods offered first, simple to careful. */
export const RECOMMENDED: readonly string[] = [
  'grad-cam',
  'layer-cam',
  'iia',
  'rise',
  'iassa',
  'occlusion',
  'integrated-gradients',
  'lrp',
  'gae',
];

/** Options that the page sets so that slow methods suit a browser. They are part of every record. */
export const PAGE_OPTIONS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  rise: { N: 1000 },
};

/** Words that the page explains when the pointer rests on them. */
export const GLOSSARY = {
  model: 'A computer program that has learned from many pictures to name what a picture shows.',
  class: 'One of the names that the model can give to a picture.',
  probability:
    'How sure the model is of a class, from 0% to 100%. It can be sure and still be wrong.',
  map: 'A picture of where the evidence is: bright places count much for the answer, dark places little.',
  method: 'A way to find out where the evidence is. Methods can disagree, so compare them.',
  signed: 'Warm colors speak for the class. Cold colors speak against it.',
  control: 'A map that knows nothing about the model. A useful map must do better than that.',
  layer:
    'A step of the calculation inside the model. Early layers see edges, late layers see things.',
  channel: 'One of many maps that a layer makes: each looks for one thing, such as round edges.',
  weights:
    'The numbers that the model has learned. With random numbers in their place it knows nothing.',
  superpixel: 'A small piece of the picture whose pixels have similar colors.',
  patch: 'A square tile of the picture.',
  correlation:
    'How alike two maps are: 1 means the same order of places, 0 means nothing in common.',
  'standard error': 'How much the map would still change if the method was run again.',
  manifest: 'A record of everything that is needed to make exactly this map again.',
  deletion: 'Hide the most important places first. A good map makes the model lose the class soon.',
  insertion:
    'Show the most important places first. A good map makes the model find the class soon.',
} as const;

export type GlossaryWord = keyof typeof GLOSSARY;
