import { ownEntry } from '../own-entry.ts';

/** Class indices of ImageNet (ILSVRC 2012, 0 … 999) from `first` to `last`. */
const span = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** Birds of ImageNet: cock to great grey owl, grouse to toucan, waterfowl, waders and seabirds. */
const BIRDS = [...span(7, 24), ...span(80, 100), ...span(127, 146)];
const DOGS = span(151, 268);
/** Domestic cats: tabby, tiger cat, Persian, Siamese, Egyptian. */
const CATS = span(281, 285);

/**
 * The ImageNet classes that count as a COCO category, by name: a class is listed where what it
 * names is a kind of the category ("beagle" is a dog, "school bus" a bus), or is the category under
 * another word ("studio couch" is a couch). Parts, groups, toys and pictures of a thing are not
 * listed ("car wheel" is not a car, but "teddy" is a teddy bear). An empty list says that ImageNet
 * has no class of that category (person, giraffe, stop sign, …).
 */
export const COCO_TO_IMAGENET: Readonly<Record<string, readonly number[]>> = {
  person: [],
  bicycle: [444, 671],
  car: [407, 436, 468, 511, 609, 627, 656, 661, 751, 817],
  motorcycle: [665, 670],
  airplane: [404, 895],
  bus: [654, 779, 874],
  train: [466, 547, 705, 820],
  truck: [555, 569, 675, 717, 864, 867],
  boat: [472, 484, 510, 554, 576, 625, 628, 724, 780, 814, 871, 914],
  'traffic light': [920],
  'fire hydrant': [],
  'stop sign': [],
  'parking meter': [704],
  bench: [703],
  bird: BIRDS,
  cat: CATS,
  dog: DOGS,
  horse: [339],
  sheep: [348, 349],
  cow: [345],
  elephant: [101, 385, 386],
  bear: [294, 295, 296, 297],
  zebra: [340],
  giraffe: [],
  backpack: [414],
  umbrella: [879],
  handbag: [748],
  tie: [451, 457, 906],
  suitcase: [],
  frisbee: [],
  skis: [795],
  snowboard: [],
  'sports ball': [429, 430, 522, 574, 722, 768, 805, 852, 890],
  kite: [],
  'baseball bat': [],
  'baseball glove': [],
  skateboard: [],
  surfboard: [],
  'tennis racket': [752],
  bottle: [440, 720, 737, 898, 907],
  'wine glass': [],
  cup: [504, 968],
  fork: [],
  knife: [499],
  spoon: [910],
  bowl: [659, 809],
  banana: [954],
  apple: [948],
  sandwich: [],
  orange: [950],
  broccoli: [937],
  carrot: [],
  'hot dog': [934],
  pizza: [963],
  donut: [],
  cake: [],
  chair: [423, 559, 765],
  couch: [831],
  'potted plant': [738],
  bed: [564],
  'dining table': [532],
  toilet: [861],
  tv: [851],
  laptop: [620, 681],
  mouse: [673],
  remote: [761],
  keyboard: [508],
  'cell phone': [487],
  microwave: [651],
  oven: [827],
  toaster: [859],
  sink: [896],
  refrigerator: [760],
  book: [917],
  clock: [409, 530, 892],
  vase: [883],
  scissors: [],
  'teddy bear': [850],
  'hair drier': [589],
  toothbrush: [],
};

/**
 * The ImageNet classes that count as a category of COCO; none if the table has no such category.
 */
export const cocoToImagenet = (category: string): readonly number[] =>
  ownEntry(COCO_TO_IMAGENET, category) ?? [];

/** COCO's names for the classes of PASCAL VOC that have another name there. */
const VOC_NAMES: Readonly<Record<string, string>> = {
  aeroplane: 'airplane',
  diningtable: 'dining table',
  motorbike: 'motorcycle',
  pottedplant: 'potted plant',
  sofa: 'couch',
  tvmonitor: 'tv',
};

/** The classes of PASCAL VOC in the order of the values 1 … 20 of its masks. */
export const VOC_CLASSES: readonly string[] =
  `aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person
   pottedplant sheep sofa train tvmonitor`.split(/\s+/);

/**
 * The ImageNet classes that count as a class of PASCAL VOC; a "tvmonitor" may also be a computer's
 * (monitor, screen).
 */
export function vocToImagenet(name: string): readonly number[] {
  const classes = cocoToImagenet(ownEntry(VOC_NAMES, name) ?? name);
  return name === 'tvmonitor' ? [...classes, 664, 782] : classes;
}
